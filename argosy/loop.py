"""The loop driver of hub and agent.

A loop's body takes no input, may run at any time and does the whole job. It runs when its time is up or when it is
woken; wake-ups that come while it runs are coalesced into one further run; it never runs twice at once. A wake-up
says "look again", never "this changed", so losing one costs time and nothing else: the periodic run is the retry.
"""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import structlog

from argosy.errors import ArgosyError

RETRY_SECONDS = 10.0
"""After which a run that failed is repeated, where its period is longer."""
BURST, BURST_SECONDS = 5, 0.1
"""So many runs of one loop may begin within so many seconds. What wakes it more often is dealt with together: a run costs
much the same for one change as for ten.
"""

log = structlog.get_logger("loop")


class Wake:
    """Asks a loop to look again. `set` may be called from any thread once the loop runs."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._owner: asyncio.AbstractEventLoop | None = None
        self._thread = 0

    def set(self) -> None:
        owner = self._owner
        if owner is None:
            self._event.set()
        elif owner.is_closed():
            return
        elif self._thread == threading.get_ident():
            self._event.set()
        else:
            owner.call_soon_threadsafe(self._event.set)

    async def wait(self, seconds: float) -> bool:
        """Waits for a wake-up, at most `seconds`. True when woken, False when the time was up. Clears the wake-up."""
        self._owner, self._thread = asyncio.get_running_loop(), threading.get_ident()
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
            return True
        except TimeoutError:
            return False
        finally:
            self._event.clear()


@dataclass
class Record:
    """What the health page shows of one loop. Times are Unix seconds; `duration` is seconds."""

    name: str
    every: float
    runs: int = 0
    failures: int = 0
    last_run: float = 0.0
    duration: float = 0.0
    error: str = ""
    running: bool = False


@dataclass
class Loop:
    """A named job. `every` is the longest time between two runs in seconds, shortened at random by up to `jitter`."""

    name: str
    body: Callable[[], Awaitable[None]]
    every: float
    jitter: float = 0.1
    wake: Wake = field(default_factory=Wake)
    record: Record = field(init=False)

    def __post_init__(self) -> None:
        self.record = Record(self.name, self.every)


async def once(loop: Loop) -> None:
    """One run of the body, with its outcome in the record. An error is kept and shown; the next run is the retry."""
    record = loop.record
    record.running, record.last_run, began = True, time.time(), time.monotonic()
    try:
        await loop.body()
        record.error = ""
    except ArgosyError as error:
        record.failures += 1
        record.error = error.message
        log.warning("loop failed", loop=loop.name, error=error.message)
    except Exception as error:
        record.failures += 1
        record.error = f"{type(error).__name__}: {error}"
        log.exception("loop broke", loop=loop.name)
    finally:
        record.running = False
        record.runs += 1
        record.duration = time.monotonic() - began


async def drive(loop: Loop) -> None:
    """Runs the loop until cancelled, the first time at once."""
    begun: deque[float] = deque(maxlen=BURST)
    while True:
        begun.append(time.monotonic())
        await once(loop)
        if len(begun) == BURST and (left := begun[0] + BURST_SECONDS - time.monotonic()) > 0:
            await asyncio.sleep(left)
        pause = min(loop.every, RETRY_SECONDS) if loop.record.error else loop.every
        await loop.wake.wait(pause * (1.0 - loop.jitter * random.random()))


async def run_loops(loops: Sequence[Loop]) -> None:
    """Drives all loops side by side until cancelled."""
    async with asyncio.TaskGroup() as group:
        for loop in loops:
            group.create_task(drive(loop), name=loop.name)
