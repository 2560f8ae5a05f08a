"""Renews the agent's certificate at two thirds of its life, and goes on trying until the hub answers."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

import structlog

from agent.link.link import Link
from argosy import backoff
from argosy.errors import ArgosyError

log = structlog.get_logger("renewer")

LONGEST_SLEEP = 3600.0
"""A clock that is set, or a machine that slept, is noticed after at most so many seconds."""


async def renew(link: Link, *, clock: Callable[[], float] = time.time) -> None:
    """Runs until cancelled."""
    attempt = 0
    while True:
        await _until(link.identity.renewal(random.random()), clock)
        try:
            await link.renew()
            attempt = 0
        except ArgosyError as error:
            log.warning("certificate not renewed", error=error.message)
            await asyncio.sleep(backoff.full_jitter(attempt, random.random(), base=2.0, cap=60.0))
            attempt += 1


async def _until(due: float, clock: Callable[[], float]) -> None:
    """Sleeps until `due` (Unix seconds), also where the clock is set meanwhile."""
    left = due - clock()
    while left > 0:
        await asyncio.sleep(min(left, LONGEST_SLEEP))
        left = due - clock()
