"""Kills what a test run left behind when the run itself was killed.

Started as a program of its own, with a pipe as its input and a folder as its argument. Each line says that
a process id began (`+123`) or ended (`-123`). When the pipe closes, for whatever reason, everything that
began and did not end is killed and the folder removed. An API server left over holds a quarter of a
gigabyte for ever.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from collections.abc import Iterable


def remaining(lines: Iterable[str]) -> set[int]:
    """The process ids that began and did not end."""
    alive: set[int] = set()
    for line in lines:
        pid = int(line[1:])
        if line.startswith("+"):
            alive.add(pid)
        else:
            alive.discard(pid)
    return alive


if __name__ == "__main__":
    for process in remaining(sys.stdin):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    shutil.rmtree(sys.argv[1], ignore_errors=True)
