"""One child process under guard: its own process group, limits of the kernel, a deadline, bounded output.

Git and kustomize work on what strangers wrote, so either may hang, loop or fill memory. Whatever happens,
nothing of the group is left when `run` returns. What the process does and what its output means is the
caller's business.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_LIMITED = 'ulimit -c 0; {limits}exec "$@"'
_CHUNK = 64 * 1024
_ERROR_TAIL = 16 * 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a process may use: wall seconds, bytes of standard output, CPU seconds, bytes of memory and of
    one file, open files. None is no limit beyond the system's. `grace` is how long it may clean up after
    being told to end.
    """

    seconds: float
    output: int
    cpu: int | None = None
    memory: int | None = None
    file_size: int | None = None
    open_files: int | None = None
    grace: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """`code` is negative for a signal, as in `subprocess`. `err` holds the end of standard error."""

    code: int
    out: bytes
    err: bytes


class Stopped(Exception):
    """The process was ended because it went beyond its bounds; the text says which."""


class TimedOut(Stopped):
    """It took too long by the clock, which may be the machine's fault and not the input's."""


async def run(
    args: Sequence[str], *, env: Mapping[str, str], bounds: Bounds, cwd: str | None = None, stdin: bytes = b""
) -> Outcome:
    """Runs `args` with exactly `env`. Raises `Stopped`, or `FileNotFoundError` where there is no such
    program.
    """
    if shutil.which(args[0], path=env.get("PATH")) is None:
        raise FileNotFoundError(args[0])
    process = await asyncio.create_subprocess_exec(
        *_limited(args, bounds),
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(env),
        cwd=cwd,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    err = asyncio.ensure_future(_tail(process.stderr))
    try:
        async with asyncio.timeout(bounds.seconds):
            if stdin:
                await _feed(process, stdin)
            out = await _bounded(process.stdout, bounds.output)
            code = await process.wait()
    except TimeoutError:
        raise TimedOut(f"it did not end within {bounds.seconds:g} s") from None
    finally:
        await _end(process, bounds.grace)
        tail = await _drained(err)
    return Outcome(code, out, tail)


def _limited(args: Sequence[str], bounds: Bounds) -> list[str]:
    """The command behind a POSIX shell that lowers its own limits first and then becomes the command."""
    wanted = {
        # At the soft limit comes SIGXCPU, which says why; at the hard one, two seconds later, SIGKILL.
        "S -t": bounds.cpu,
        "H -t": bounds.cpu and bounds.cpu + 2,
        "v": bounds.memory and bounds.memory // 1024,
        "f": bounds.file_size and bounds.file_size // 512,
        "n": bounds.open_files,
    }
    limits = "".join(f"ulimit -{flag} {value}; " for flag, value in wanted.items() if value)
    return ["/bin/sh", "-c", _LIMITED.format(limits=limits), "sh", *args]


async def _feed(process: asyncio.subprocess.Process, data: bytes) -> None:
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _bounded(stream: asyncio.StreamReader, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while chunk := await stream.read(_CHUNK):
        size += len(chunk)
        if size > limit:
            raise Stopped(f"it wrote more than {limit} bytes")
        parts.append(chunk)
    return b"".join(parts)


async def _tail(stream: asyncio.StreamReader) -> bytes:
    kept = b""
    while chunk := await stream.read(_CHUNK):
        kept = (kept + chunk)[-_ERROR_TAIL:]
    return kept


async def _drained(reading: asyncio.Future[bytes]) -> bytes:
    """What was said until the end. Somebody who left the group may hold the pipe open: nobody waits for him."""
    try:
        async with asyncio.timeout(1):
            return await reading
    except TimeoutError:
        return b""


async def _end(process: asyncio.subprocess.Process, grace: float) -> None:
    """Ends what is left of the group. The leader may be gone while its children still hold the pipes."""
    if process.returncode is None and grace:
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await process.wait()
    _signal(process.pid, signal.SIGKILL)
    await process.wait()


def _signal(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
