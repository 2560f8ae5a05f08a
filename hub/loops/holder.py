"""Tells agents what restrains them, and others to look again once that has changed.

Looks when a freeze, an override, a project or a cluster was written, when clusters were assigned something, and when a
freeze ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence

from argosy.loop import Wake
from hub.core.served import table
from hub.loops.releases import holding
from hub.loops.releases.holding import Holding
from hub.store import holds, objects
from hub.store.base import Change, Store, Tx

BATCH = 500
"""Clusters per transaction: bounds how long other writers wait."""


class Holder:
    """`wake` is this loop's own; `changed` is called where holds may be others; `now` tells the time in Unix seconds."""

    def __init__(
        self,
        store: Store,
        known: Holding,
        wake: Wake,
        changed: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._holding = known
        self._wake = wake
        self._changed = changed
        self._now = now
        self._everywhere = True
        """All clusters may have to be told something else."""
        self._clusters: set[str] = set()
        """Clusters that were written or assigned something."""
        self._any = False
        """Whether there is anything to tell them."""
        self._ends = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def note(self, changes: Sequence[Change]) -> bool:
        """Takes in committed changes of objects themselves; True where there is something to look at."""
        self._everywhere = self._everywhere or any(each.resource in holding.RESOURCES for each in changes)
        self._clusters.update(each.uid for each in changes if each.resource == table.CLUSTER.resource)
        return self._everywhere or bool(self._clusters)

    def assigned(self, topic: str) -> None:
        """A cluster's set was changed: `desired:<cluster>`."""
        if self._any:
            self._clusters.add(topic.partition(":")[2])
            self._wake.set()

    async def run(self) -> None:
        everywhere, clusters = self._everywhere, self._clusters
        self._everywhere, self._clusters = False, set()
        due: Sequence[str] = sorted(clusters)
        try:
            if everywhere:
                rows = await self._store.read(lambda tx: objects.page(tx, table.CLUSTER.resource))
                due = [row.uid for row in rows]
            for part in _parts(due[BATCH:]):
                await self._store.write(lambda tx, part=part: self._holding.restrain(tx, part, self._now()))  # type: ignore[misc]
            self._any, ends = await self._store.write(lambda tx: self._look(tx, due[:BATCH]))
        except BaseException:
            self._everywhere = self._everywhere or everywhere
            self._clusters.update(clusters)
            raise
        if everywhere or ends != self._ends:
            self._changed()
        self._ends = ends
        self._sleep(ends)

    def _look(self, tx: Tx, due: Sequence[str]) -> tuple[bool, float]:
        """(whether there is anything to tell agents, when the first freeze or override ends)."""
        now = self._now()
        self._holding.restrain(tx, due, now)
        holds.end(tx, holds.stale(tx))
        return self._holding.restrains(tx), self._holding.ends(tx, now)

    def _sleep(self, until: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if until:
            pause = max(0.05, until - self._now())
            self._timer = asyncio.get_running_loop().call_later(pause, self._wake.set)


def _parts(items: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(items), BATCH):
        yield list(items[start : start + BATCH])
