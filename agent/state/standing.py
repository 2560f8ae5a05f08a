"""Whether this run of the agent is the one that acts for its cluster, or a second one that only looks on.

Each run has a random id. The state folder keeps the ids of its last runs, by which the hub tells an agent that was started
again from another one on a copy of the folder. A second agent stays second over a restart until the hub welcomes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from pathlib import Path

import orjson
import structlog

from agent.state import cache
from argosy import convert, objects
from argosy.errors import Unavailable
from argosy.latest import Latest

log = structlog.get_logger("link")

NAME = "runs.json"


class Standing:
    """One run on a state folder; its id is durable when this is made, as far as the folder can be written.

    `second` is why nothing may be written to the cluster, "" while this agent is the one for it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self.before, held = _load(self._path)
        self.run = secrets.token_hex(8)
        self.second: Latest[str] = Latest(held)
        self._judged = asyncio.Event()
        self._save()

    def yield_to(self, reason: str) -> None:
        """Another agent is the one: from here on this one only looks on."""
        if reason != self.second.value:
            log.error("this agent writes nothing to its cluster any more", reason=reason)
            self.second.set(reason)
            self._save()
        self._judged.set()

    def accept(self) -> None:
        """The hub welcomed this run."""
        if self.second.value:
            log.warning("this agent acts for its cluster again")
            self.second.set("")
            self._save()
        self._judged.set()

    def undecided(self) -> None:
        """The hub cannot be asked now: what was decided before holds."""
        self._judged.set()

    async def verdict(self, seconds: float) -> None:
        """Waits for the hub's first word, for so long at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._judged.wait()

    def _save(self) -> None:
        runs = [*self.before, self.run][-convert.MAX_RUNS :]
        raw = objects.canonical({"runs": runs, "second": self.second.value})
        try:
            cache.replace_file(self._path, raw)
        except Unavailable as error:
            # Without it the next start waits until this run has been gone for a while.
            log.warning("this run of the agent was not written down", error=error.message)


def _load(path: Path) -> tuple[tuple[str, ...], str]:
    try:
        value = orjson.loads(path.read_bytes())
        return tuple(str(each)[:64] for each in value["runs"][-convert.MAX_RUNS :]), str(value["second"])
    except FileNotFoundError:
        return (), ""
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("which runs were before this one is not known", file=str(path), error=str(error))
        return (), ""
