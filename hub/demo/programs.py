"""The demo's processes: started with a log file each, ended by their process id and by nothing broader."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from argosy.errors import Unavailable

PATIENCE = 10.0
"""Seconds between asking a program to end and ending it."""


class Program:
    """One child process, from its start to its end."""

    def __init__(self, name: str, arguments: Sequence[str], log: Path) -> None:
        self.name, self.log = name, log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [str(Path(sys.executable).parent / arguments[0]), *arguments[1:]],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                # Ctrl-C goes to the whole foreground group; the demo ends its programs itself, in order.
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    def check(self) -> None:
        """Raises `Unavailable` with the log's end where the program has ended by itself."""
        code = self._process.poll()
        if code is not None:
            raise Unavailable(f"{self.name} ended with exit code {code}:\n{self.tail()}")

    def tail(self, lines: int = 15) -> str:
        """The last lines of the log."""
        text = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {self.name} | {line}" for line in text[-lines:])

    def end(self) -> None:
        """Asks it to end and waits; ends it by force after `PATIENCE`."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Ends it at once, as a power cut would."""
        self._process.kill()
        self._process.wait()
