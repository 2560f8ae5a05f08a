"""A process of its own for work that may not end: lines of JSON in, lines of JSON out.

It is started for the first question and again after it was ended. Callers wait for the answer, `seconds` at the worst:
then the process is ended with whatever it does.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

START_SECONDS = 20.0
_PIECE = 1 << 16


class Worker:
    """`module` prints one line once it is ready, then answers each line with one."""

    def __init__(self, module: str, seconds: float) -> None:
        self._module = module
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, question: Any) -> Any:
        """The answer. Raises `TimeoutError`, `OSError` where the process ended, `ValueError` for no JSON; it is ended
        then."""
        asked = json.dumps(question).encode() + b"\n"
        try:
            return json.loads(self._exchange(asked))
        except (OSError, ValueError):
            self.close()
            raise

    def close(self) -> None:
        """Ends the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()

    def _exchange(self, asked: bytes) -> bytes:
        process = self._started()
        assert process.stdin is not None
        deadline, left = time.monotonic() + self._seconds, memoryview(asked)
        while left:
            _, ready, _ = select.select([], [process.stdin], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            left = left[os.write(process.stdin.fileno(), left[: select.PIPE_BUF]) :]
        return self._line(process, deadline)

    @staticmethod
    def _line(process: subprocess.Popen[bytes], deadline: float) -> bytes:
        assert process.stdout is not None
        found = bytearray()
        while not found.endswith(b"\n"):
            ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutError
            piece = os.read(process.stdout.fileno(), _PIECE)
            if not piece:
                raise BrokenPipeError
            found += piece
        return bytes(found)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            # An environment of its own: programs of users can read what there is.
            self._process = subprocess.Popen(
                [sys.executable, "-m", self._module],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={
                    "PYTHONPATH": str(Path(__file__).parents[2]),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "HOME": "/nonexistent",
                },
                cwd="/",
            )
            self._line(self._process, time.monotonic() + START_SECONDS)
        return self._process
