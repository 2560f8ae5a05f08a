"""Where renders run: a bounded pool of threads for our own work, and guarded processes for tools.

A tool gets a folder, an environment of its own and no network: a network namespace where the kernel allows
one. Where it does not, the prescan, which always runs, stands alone. `isolated` says which of the two it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argosy.errors import Invalid, Unavailable
from hub import process

T = TypeVar("T")

_NO_NETWORK = ("unshare", "--user", "--map-root-user", "--net")
_CLOSED = "http://127.0.0.1:9"
_PROBE = process.Bounds(seconds=5, output=4096)


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one tool's process: wall and CPU seconds, bytes of memory (address space), of output and of one
    file.
    """

    seconds: float = 60.0
    cpu_seconds: int = 20
    memory_bytes: int = 4 * 1024 * 1024 * 1024
    output_bytes: int = 64 * 1024 * 1024
    file_bytes: int = 256 * 1024 * 1024
    open_files: int = 1024


LIMITS = Limits()


class Sandbox:
    """Threads and slots for as many renders at once as there are processors. `close` it."""

    def __init__(self, limits: Limits = LIMITS, *, workers: int = 0) -> None:
        self.limits = limits
        self.runs = 0
        """Tool processes started so far, probes left out."""
        count = workers or os.cpu_count() or 2
        self._pool = ThreadPoolExecutor(count, "render")
        self._slots = asyncio.Semaphore(count)
        self._isolated: bool | None = None

    async def call(self, work: Callable[[], T]) -> T:
        """Runs `work` in a thread of the pool."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def isolated(self) -> bool:
        """Whether processes run without a network. Asked of the kernel once."""
        if self._isolated is None:
            self._isolated = await _works([*_NO_NETWORK, "true"])
        return self._isolated

    async def run(self, args: Sequence[str], *, folder: str, what: str) -> bytes:
        """Standard output of a tool that works in `folder`.

        Raises `Invalid`, beginning with `what`, where the tool fails or goes beyond its limits: both come of
        its input. Raises `Unavailable` where there is no such program, or it took too long by the clock
        alone.
        """
        prefix = _NO_NETWORK if await self.isolated() else ()
        limits = self.limits
        bounds = process.Bounds(
            limits.seconds,
            limits.output_bytes,
            cpu=limits.cpu_seconds,
            memory=limits.memory_bytes,
            file_size=limits.file_bytes,
            open_files=limits.open_files,
        )
        async with self._slots:
            self.runs += 1
            with private_folder() as home:
                try:
                    outcome = await process.run(
                        [*prefix, *args], env=_environment(home), bounds=bounds, cwd=folder
                    )
                except process.TimedOut as stopped:
                    raise Unavailable(f"{what}: stopped: {stopped}") from None
                except process.Stopped as stopped:
                    raise Invalid(f"{what}: stopped: {stopped}") from None
                except FileNotFoundError:
                    raise Unavailable(f"{args[0]} is not installed") from None
        if outcome.code:
            raise Invalid(f"{what}: {_reason(outcome, folder, limits)}")
        return outcome.out

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


@contextlib.contextmanager
def private_folder() -> Iterator[str]:
    """A folder for one render, gone afterwards."""
    folder = tempfile.mkdtemp(prefix="argosy-render-")
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _environment(home: str) -> dict[str, str]:
    """No configuration of the machine and no way out: the proxies lead to a closed port."""
    return {
        "PATH": os.defpath,
        "HOME": home,
        "TMPDIR": home,
        "XDG_CONFIG_HOME": home,
        "XDG_CACHE_HOME": home,
        "XDG_DATA_HOME": home,
        "HELM_CACHE_HOME": home,
        "HELM_CONFIG_HOME": home,
        "HELM_DATA_HOME": home,
        "HELM_NO_PLUGINS": "1",
        "KUBECONFIG": os.devnull,
        "LC_ALL": "C",
        "GOMAXPROCS": "2",
        "http_proxy": _CLOSED,
        "https_proxy": _CLOSED,
        "HTTP_PROXY": _CLOSED,
        "HTTPS_PROXY": _CLOSED,
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _reason(outcome: process.Outcome, folder: str, limits: Limits) -> str:
    if outcome.code == -24 or outcome.code == 128 + 24:
        return f"stopped: it used more than {limits.cpu_seconds} s of CPU time"
    text = outcome.err.decode("utf-8", "replace")
    if "out of memory" in text or "cannot allocate memory" in text:
        return f"stopped: it used more than {limits.memory_bytes} bytes of memory"
    if outcome.code < 0 or outcome.code > 128:
        return f"ended by signal {-outcome.code if outcome.code < 0 else outcome.code - 128}"
    real = os.path.realpath(folder)
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("# Warning")]
    shown = "; ".join(lines).replace(real, "").replace(folder, "")
    return shown[-1200:] or f"ended with code {outcome.code}"


async def _works(args: Sequence[str]) -> bool:
    try:
        outcome = await process.run(args, env={"PATH": os.defpath}, bounds=_PROBE)
    except (process.Stopped, OSError):
        return False
    return outcome.code == 0
