"""How a benchmark runs its parts: fresh processes, told what to do by lines of JSON, measured from /proc.

A part is a role (`bench/roles/`): it says that it is ready, then answers one line for each line it is asked. It ends
when its input ends, so none outlives the run. Only processes started here are ended, by their pid.
"""

from __future__ import annotations

import contextlib
import os
import platform
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import orjson

ROOT = Path(__file__).resolve().parent.parent
TICK = 1.0 / os.sysconf("SC_CLK_TCK")
READY_SECONDS = 30.0

P = TypeVar("P", bound="Process")


class Broken(Exception):
    """A part of the benchmark did not do its share; the text has the end of its log."""


class Process:
    """A process of this run. CPU is user + system seconds of the process and its reaped children, memory is in KB."""

    def __init__(self, command: Sequence[str], log: Path, **environment: str) -> None:
        self._log = log
        with log.open("ab") as errors:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=ROOT,
                env={**os.environ, **environment},
                bufsize=0,
            )
        self._buffer = b""
        assert self._popen.stdout is not None
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._popen.stdout, selectors.EVENT_READ)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def cpu(self) -> float:
        return cpu_of(self.pid)

    @property
    def rss(self) -> float:
        return self._status("VmRSS")

    @property
    def peak(self) -> float:
        return self._status("VmHWM")

    def _status(self, name: str) -> float:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith(name + ":"):
                return float(line.split()[1])
        raise self.broken(f"no {name}")

    def tell(self, line: bytes) -> None:
        assert self._popen.stdin is not None
        try:
            self._popen.stdin.write(line + b"\n")
        except OSError:
            raise self.broken("it has ended") from None

    def line(self, seconds: float) -> bytes:
        """The next line of its output. Raises `Broken` where none comes in time."""
        deadline = time.monotonic() + seconds
        assert self._popen.stdout is not None
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not self._selector.select(left):
                raise self.broken(f"no answer within {seconds:g} s")
            chunk = os.read(self._popen.stdout.fileno(), 1 << 20)
            if not chunk:
                raise self.broken("it has ended")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def broken(self, what: str) -> Broken:
        with contextlib.suppress(OSError):
            what += "\n" + self._log.read_text(errors="replace")[-2000:]
        return Broken(f"{self._log.name}: {what}")

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def end(self, seconds: float = 15.0) -> None:
        """Asks it to end, by the end of its input and SIGTERM; one that does not is killed."""
        for pipe in (self._popen.stdin, self._popen.stdout):
            if pipe is not None and not pipe.closed and pipe is self._popen.stdin:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self.alive:
            self._popen.send_signal(signal.SIGTERM)
        try:
            self._popen.wait(seconds)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()
        self._selector.close()
        if self._popen.stdout is not None:
            self._popen.stdout.close()


class Role(Process):
    """A role of the benchmark in a process of its own; `hello` is what it said when it was ready."""

    def __init__(self, role: str, logs: Path, settings: Mapping[str, Any]) -> None:
        command = [sys.executable, "-m", "bench.roles", role, orjson.dumps(dict(settings)).decode()]
        super().__init__(command, logs / f"{role}.log")
        try:
            self.hello: dict[str, Any] = orjson.loads(self.line(READY_SECONDS))
        except Broken:
            self.end()
            raise

    def ask(self, command: str, *, within: float = 60.0, **more: Any) -> dict[str, Any]:
        """Lets it do one thing and returns what it says. Raises `Broken`."""
        self.tell(orjson.dumps({"do": command, **more}))
        answer: dict[str, Any] = orjson.loads(self.line(within))
        if "error" in answer:
            raise self.broken(answer["error"])
        return answer


class Bench:
    """One run of one benchmark: its folder and its processes, all gone when it is over."""

    def __init__(self, folder: Path, say: Callable[[str], None]) -> None:
        self.folder = folder
        self.say = say
        self._open: list[Process] = []

    def fresh(self, name: str) -> Path:
        """A new folder."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.folder))

    def role(self, role: str, **settings: Any) -> Role:
        return self._keep(Role(role, self.folder, settings))

    def program(self, command: Sequence[str], name: str, **environment: str) -> Process:
        return self._keep(Process(command, self.folder / f"{name}.log", **environment))

    def _keep(self, process: P) -> P:
        self._open.append(process)
        return process

    def end(self, *processes: Process) -> None:
        for process in processes:
            process.end()
            self._open.remove(process)

    def close(self) -> None:
        for process in reversed(self._open):
            process.end(5.0)
        self._open.clear()


def cpu_of(pid: int) -> float:
    """User and system seconds of a process and its reaped children; of these whole ticks only."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return time.clock_gettime(_cpu_clock(pid)) + sum(int(value) for value in fields[13:15]) * TICK


def _cpu_clock(pid: int) -> int:
    """The clock of a process's CPU time, as clock_getcpuclockid(3) makes its id on Linux."""
    return (~pid << 3) | 2


@contextlib.contextmanager
def bench(say: Callable[[str], None]) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory(prefix="argosy-bench-") as folder:
        opened = Bench(Path(folder), say)
        try:
            yield opened
        finally:
            opened.close()


def machine() -> dict[str, Any]:
    """Where this runs: what one must know before comparing figures with another's."""
    cpu = ""
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu,
        "memory_gib": round(memory, 1),
        "load_1m": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "kernel": platform.release(),
    }


def until(true: Callable[[], bool], what: str, seconds: float = 30.0, *, pause: float = 0.02) -> None:
    """Waits for a condition. Raises `Broken` at the deadline."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise Broken(f"not within {seconds:g} s: {what}")
        time.sleep(pause)
