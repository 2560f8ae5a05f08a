"""Reads objects of one repository through one long-lived `git cat-file --batch`.

Starting a process per object costs milliseconds, a question to a running one costs microseconds. The process
is started at the first question, again after it died or its repository was replaced, and stands in its own
process group. Calls are synchronous and may come from any thread.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

from argosy.errors import Invalid, NotFound, Unavailable

_TOGETHER = 64
"""Questions written before the first answer is read: 64 ids fit into a pipe, so neither side waits for the
other.
"""
_SKIP = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Object:
    """A Git object: its full id, "blob", "tree", "commit" or "tag", and its content."""

    id: str
    kind: str
    data: bytes


class Batch:
    """The process and its lock. `limit` is the largest object in bytes that is read into memory."""

    def __init__(self, folder: str, *, limit: int) -> None:
        self._folder = folder
        self._limit = limit
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self.starts = 0

    def read(self, name: str) -> Object:
        """One object by id, or by anything that Git resolves to one (`main^{commit}`).

        Raises `NotFound` where there is none, `Invalid` where it is larger than the limit, `Unavailable`
        where Git cannot read its own files.
        """
        return self.read_all([name])[0]

    def read_all(self, names: Sequence[str]) -> list[Object]:
        """Several objects for the price of few turns; raises as `read` does, for the first that fails."""
        for name in names:
            if not name or "\n" in name or "\0" in name:
                raise NotFound(f"{name!r} names no Git object")
        with self._lock:
            found: list[Object | Exception] = []
            for at in range(0, len(names), _TOGETHER):
                found += self._turn(names[at : at + _TOGETHER])
        for item in found:
            if isinstance(item, Exception):
                raise item
        return [item for item in found if isinstance(item, Object)]

    def close(self) -> None:
        """Ends the process; the next question starts another."""
        with self._lock:
            self._stop()

    def _turn(self, names: Sequence[str]) -> list[Object | Exception]:
        """Asks, and asks once more where the process had died meanwhile."""
        for attempt in (1, 2):
            process = self._running()
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write("".join(f"{name}\n" for name in names).encode())
                process.stdin.flush()
                return [self._answer(process.stdout, name) for name in names]
            except (EOFError, OSError, ValueError):
                self._stop()
                if attempt == 2:
                    raise Unavailable(
                        f"Git cannot read the objects of its mirror ({names[0][:12]})"
                    ) from None
        raise AssertionError("unreachable")

    def _answer(self, stream: IO[bytes], name: str) -> Object | Exception:
        header = stream.readline()
        if not header.endswith(b"\n"):
            raise EOFError
        words = header.split()
        if words[-1] in (b"missing", b"ambiguous"):
            return NotFound(f"{name}: {words[-1].decode()}")
        if len(words) != 3:
            raise EOFError
        size = int(words[2])
        if size > self._limit:
            _skip(stream, size + 1)
            return Invalid(f"{name}: {size} bytes, at most {self._limit} are read")
        data = stream.read(size + 1)
        if len(data) != size + 1:
            raise EOFError
        return Object(words[0].decode(), words[1].decode(), data[:-1])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is not None and self._process.poll() is None:
            return self._process
        self._stop()
        self.starts += 1
        try:
            self._process = subprocess.Popen(
                ["git", "--git-dir", self._folder, "cat-file", "--batch"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise Unavailable(f"Git cannot be started: {error.strerror}") from None
        return self._process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _environment() -> dict[str, str]:
    """No configuration of the machine, no replaced objects, no fetching of what is missing."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
    }


def _skip(stream: IO[bytes], size: int) -> None:
    while size > 0:
        chunk = stream.read(min(size, _SKIP))
        if not chunk:
            raise EOFError
        size -= len(chunk)
