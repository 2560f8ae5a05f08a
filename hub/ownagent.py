"""The hub's own API as a cluster of its fleet: an ordinary agent, run as a child process of the hub.

So a destination `in-cluster` (`https://kubernetes.default.svc`) is this API, and an Application may bring
Applications, ApplicationSets and AppProjects. The agent joins, pulls and reports like any other; the hub
holds nothing for it that another cluster's agent would not have.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from argosy.errors import Invalid

PROGRAM = "argosy-agent"
END_WITHIN = 5.0
"""Seconds that the agent may take to end."""
_SHORTEST, _LONGEST = 1.0, 60.0
_STEADY = 300.0
"""Seconds after which an agent that ends had been well."""

log = structlog.get_logger("hub")


def find() -> str:
    """The agent's program, beside this one or on the path. Raises `Invalid`."""
    found = shutil.which(PROGRAM, path=str(Path(sys.executable).parent)) or shutil.which(PROGRAM)
    if found is None:
        raise Invalid(
            f"--in-cluster: {PROGRAM} is not installed here: install argosy[agent], or run the agent elsewhere "
            "with a kubeconfig of this hub (`argosy join in-cluster`)"
        )
    return found


class OwnAgent:
    """Keeps one agent running from `start` to `stop`. `offer` gives a join token, which a first start needs."""

    def __init__(
        self, program: str, state: Path, kubeconfig: Path, offer: Callable[[], Awaitable[str]]
    ) -> None:
        self._command = [program, "run", "--kubeconfig", str(kubeconfig), "--state", str(state), "--child"]
        self._offer = offer
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep(), name="own-agent")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        pause = _SHORTEST
        while True:
            begun = loop.time()
            code = await self._run()
            pause = _SHORTEST if loop.time() - begun > _STEADY else min(pause * 2, _LONGEST)
            log.warning("own agent ended", code=code, again_in=round(pause, 1))
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))

    async def _run(self) -> int:
        """The token goes in by the environment, where no list of processes shows it; the pipe ends the agent when the
        hub dies, however it dies."""
        environment = {**os.environ, "ARGOSY_JOIN": await self._offer()}
        child = await asyncio.create_subprocess_exec(
            *self._command, env=environment, stdin=asyncio.subprocess.PIPE
        )
        try:
            return await child.wait()
        finally:
            if child.returncode is None:
                await _end(child)


async def _end(child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.terminate()
        try:
            async with asyncio.timeout(END_WITHIN):
                await child.wait()
        except TimeoutError:
            child.kill()
            await child.wait()
