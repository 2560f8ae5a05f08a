"""Evaluates `jqPathExpressions`: Argo CD deletes with jq, for at most a second, what an expression names.

jq runs in a process of its own, started when the first expression is met that is more than plain names: a program that
does not end is ended with it, and is never tried again. Callers wait for the answer, a second at the worst, once for
each bad expression.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

from argosy.objects import Manifest

SECONDS = 1.0
START_SECONDS = 20.0
_PIECE = 1 << 16


class Jq:
    """`problems` says of each expression that could not be evaluated why; it has no effect then."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None
        self.problems: dict[str, str] = {}

    def without(self, expression: str, manifest: Manifest) -> Manifest:
        """The manifest without what the expression names; the manifest itself where that cannot be told."""
        if expression in self.problems:
            return manifest
        asked = json.dumps({"delete": expression, "from": manifest}).encode() + b"\n"
        try:
            answered = json.loads(self._exchange(asked, self._seconds))
        except TimeoutError:
            self._end()
            self.problems[expression] = f"takes longer than {self._seconds:g} s"
            return manifest
        except (OSError, ValueError):
            self._end()
            self.problems[expression] = "ended the process it ran in"
            return manifest
        if "error" in answered:
            self.problems[expression] = answered["error"]
            return manifest
        found: Manifest = answered["object"]
        return found

    def close(self) -> None:
        """Ends the process."""
        self._end()

    def _exchange(self, asked: bytes, seconds: float) -> bytes:
        process = self._started()
        assert process.stdin is not None
        deadline, left = time.monotonic() + seconds, memoryview(asked)
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
            self._end()
            root = str(Path(__file__).parents[1])
            # An environment of its own: jq can read what there is.
            self._process = subprocess.Popen(
                [sys.executable, "-m", "agent.jqworker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={"PYTHONPATH": root, "PYTHONDONTWRITEBYTECODE": "1", "HOME": "/nonexistent"},
                cwd="/",
            )
            self._line(self._process, time.monotonic() + START_SECONDS)
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
