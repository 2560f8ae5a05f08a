"""Agents that die at a step of their work, and disks that are full: every fault is counted."""

from __future__ import annotations

import asyncio
import errno
import os
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agent.cluster.memory import MemoryCluster
from argosy.kinds import CONFIG_MAP

CALLS = ("identity", "kinds", "get", "list", "apply", "create", "update", "delete")


class Died(BaseException):
    """The agent's process ended here."""


@dataclass
class Life:
    """One run of an agent's process: counts its steps (cluster calls, file writes) and dies at the `dies_at`-th (0:
    never) of the kind `dies_of` ("": of any), before it took effect or, with `dies_after`, right after.
    """

    dies_at: int = 0
    dies_after: bool = False
    dies_of: str = ""
    steps: int = 0
    dead: bool = False
    at: str = ""
    """The step it died at."""
    deleted: list[str] = field(default_factory=list)
    """Names of ConfigMaps in `default` that it asked to delete, in all lives of one agent."""
    death: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.get_running_loop)

    def before(self, step: str) -> None:
        if self.dead:
            raise Died
        if self.dies_of in ("", step):
            self.steps += 1
            if self.steps == self.dies_at and not self.dies_after:
                self._die(step)

    def after(self, step: str) -> None:
        if self.dead or (self.steps == self.dies_at and self.dies_of in ("", step)):
            self._die(f"after {step}")

    def _die(self, step: str) -> None:
        self.end(step)
        raise Died

    def end(self, step: str) -> None:
        """From here on nothing it does has any effect."""
        self.at = self.at or step
        self.dead = True
        self.loop.call_soon_threadsafe(self.death.set)


class Mortal:
    """A cluster as one life of an agent reaches it: a dead agent's calls do nothing."""

    def __init__(self, cluster: MemoryCluster, life: Life) -> None:
        self._cluster = cluster
        self._life = life

    def __getattr__(self, name: str) -> Any:
        target = getattr(self._cluster, name)
        if name not in CALLS:
            return target

        async def call(*args: Any, **options: Any) -> Any:
            step = "dry run" if options.get("dry_run") else name
            self._life.before(step)
            if name == "delete" and args[0] == CONFIG_MAP and args[1] == "default":
                self._life.deleted.append(args[2])
            answer = await target(*args, **options)
            self._life.after(step)
            return answer

        return call

    async def watch(self, gvk: Any, **options: Any) -> AsyncIterator[Any]:
        async for event in self._cluster.watch(gvk, **options):
            if self._life.dead:
                raise Died
            yield event


class Disks:
    """What `agent.state.cache` writes goes through here: counted as steps of a life, or refused for want of space."""

    O_RDONLY = os.O_RDONLY

    def __init__(self) -> None:
        self.lives: dict[Path, Life] = {}
        self.full: set[Path] = set()
        self.faults: Counter[str] = Counter()

    def fsync(self, number: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{number}"))
        folder = next((each for each in self.lives if path.is_relative_to(each)), None)
        if folder is None:
            return
        if folder in self.full and path.is_file():
            self.faults["full"] += 1
            os.truncate(number, os.fstat(number).st_size // 2)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        step = "file write" if path.is_file() else "file in place"
        self.lives[folder].before(step)
        self.lives[folder].after(step)

    open = staticmethod(os.open)
    close = staticmethod(os.close)
