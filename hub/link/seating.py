"""Who may sit down as a cluster's agent: asks the one that is there whether it lives, and writes down who came second."""

from __future__ import annotations

import asyncio
import functools
import time
import weakref
from collections.abc import Mapping

import structlog

from hub.core.clusters import seats
from hub.core.clusters.seats import Seat
from hub.link.session import Session
from hub.store import agents
from hub.store.base import Store

log = structlog.get_logger("link")

NUDGE_SECONDS = 5.0
"""How long the holder of a seat has to show that it is there."""
QUIET_SECONDS = 300.0
"""A second agent that has not asked for so long is gone."""
STEP = 0.02


class Seating:
    """`sessions` are the open streams by cluster, `lost` the clusters whose stream ended and when (monotonic seconds).

    `grace` is for how many seconds the holder has to be away before one that does not follow it may sit down.
    """

    def __init__(
        self, store: Store, sessions: Mapping[str, Session], lost: Mapping[str, float], grace: float
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._lost = lost
        self._grace = grace
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()
        self._refusals: dict[str, float] = {}

    def lock(self, cluster: str) -> asyncio.Lock:
        """Held from the look at a seat until its taker's stream is the cluster's."""
        return self._locks.setdefault(cluster, asyncio.Lock())

    async def take(self, session: Session, seat: Seat, before: tuple[str, ...]) -> Seat | None:
        """The seat with this stream's agent on it, None where that one is second. With the cluster's `lock` held."""
        cluster = session.cluster
        there = self._sessions.get(cluster)
        away: float | None
        if there is None or there.ended:
            away = time.monotonic() - self._lost.get(cluster, float("-inf"))
        elif there.instance == session.instance or await self._lives(there, session):
            away = None
        else:
            # A line that died unnoticed: its agent cannot have been heard of for longer than this.
            away = time.monotonic() - there.seen
        return seats.taken(seat, session.instance, before, away=away, grace=self._grace)

    async def refuse(self, session: Session, seat: Seat, where: str, now: float) -> str:
        """Writes down that a second agent asked. Returns what both sides say of it."""
        cluster = session.cluster
        told = (
            f"a second agent with this cluster's identity, at {where}, is refused and writes nothing to the cluster: "
            "another one acts for it. Was the agent's state copied? End one of the two"
        )
        self._refusals[cluster] = time.monotonic()
        marked = seats.refused(seat, session.instance)
        await self._store.write(lambda tx: agents.second(tx, cluster, marked, told, now))
        log.warning("a second agent was refused", cluster=cluster, run=session.instance, at=where)
        return told

    async def sweep(self, now: float) -> None:
        """Forgets second agents that are gone."""
        then = time.monotonic()
        for cluster in await self._store.read(agents.with_second):
            if then - self._refusals.setdefault(cluster, then) > QUIET_SECONDS:
                del self._refusals[cluster]
                await self._store.write(functools.partial(agents.alone, cluster=cluster, now=now))

    async def _lives(self, there: Session, asking: Session) -> bool:
        """Whether the agent of an open stream answers."""
        began = time.monotonic()
        there.nudge("another agent with this cluster's identity asks for the link")
        # Counted in looks: a hub that stood still has not waited.
        for _ in range(round(NUDGE_SECONDS / STEP)):
            if there.seen >= began:
                return True
            if self._sessions.get(asking.cluster) is not there or there.ended:
                return False
            await asyncio.sleep(STEP)
        return False
