"""Programs that a test starts and must end: in order, within a time, and even when the test run is killed.

Knows nothing of Kubernetes. Everything here blocks; asynchronous tests call it through `asyncio.to_thread`.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL: an API server whose etcd is gone ignores SIGTERM for 20 s and
longer.
"""


class Died(RuntimeError):
    """A program ended by itself, or never became ready; the text has the end of its log."""


def free_port() -> int:
    """A TCP port on the loopback that was free a moment ago. Somebody may take it first: callers retry."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Reaper:
    """Holds the pipe to `reaper.py`, which kills the registered processes and removes `folder` when the
    pipe closes.
    """

    def __init__(self, folder: Path) -> None:
        program = Path(__file__).with_name("reaper.py")
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-E", str(program), str(folder)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._lock = threading.Lock()

    def began(self, pid: int) -> None:
        self._tell(f"+{pid}\n")

    def ended(self, pid: int) -> None:
        self._tell(f"-{pid}\n")

    def _tell(self, line: str) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        with self._lock:
            pipe.write(line.encode())
            pipe.flush()

    def close(self) -> None:
        """Ends the reaper, which removes the folder. Returns when it is gone."""
        pipe = self._process.stdin
        assert pipe is not None
        pipe.close()
        self._process.wait()


class Program:
    """One program: started, ended, killed and started again with the same arguments.

    Its output goes to `log`.
    """

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        log: Path,
        reaper: Reaper,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.arguments = list(arguments)
        self.log = log
        self._reaper = reaper
        self._environment = dict(os.environ) | dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return Path(self.arguments[0]).name

    @property
    def pid(self) -> int:
        """The process id. Raises RuntimeError when it was never started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it, in a session of its own: Ctrl-C at the test run must not end it out of order."""
        if self.alive:
            raise RuntimeError(f"{self.name} runs already")
        with self.log.open("ab") as output:
            self._process = self._spawn(output)
        self._reaper.began(self._process.pid)

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=self._environment,
            start_new_session=True,
        )

    def stop(self) -> None:
        """SIGTERM, and SIGKILL after GRACE seconds. Returns when the process is gone; a dead one is no
        error.
        """
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._reaper.ended(self._process.pid)

    def kill(self) -> None:
        """SIGKILL, as a crash would be. Returns when the process is gone."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._reaper.ended(self._process.pid)

    def tail(self, lines: int = 15) -> str:
        """The last lines of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
