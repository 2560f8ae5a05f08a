"""Records what becomes of releases: when each application got well with one, failed with it, was mended.

Looks at clusters whose agents said something new, and there only at what that may concern.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from argosy.loop import Wake
from hub.core.views import delivery
from hub.core.views.delivery import Delivery, Seen
from hub.store import deliveries, events, objects
from hub.store.base import Store, Tx
from hub.store.deliveries import Open
from hub.store.resources import Resources

MANAGER = "argosy-recorder"
TOGETHER = 200
"""Clusters looked at in one go."""
TOLD = 100
"""Events written in one go: of thousands of applications that get well together, nobody reads every one."""
SETTLED_EVERY = 60.0
DATED = 50
"""Commits whose time is asked for in one run."""

CommittedAt = Callable[[str, str], Awaitable[float]]
"""(repository, commit) -> when it was made, Unix seconds; -1 where nobody knows."""


class Recorder:
    """`now` tells the time in Unix seconds; `wake` is this loop's own."""

    def __init__(
        self, store: Store, resources: Resources, committed: CommittedAt, wake: Wake, now: Callable[[], float]
    ) -> None:
        self._store = store
        self._resources = resources
        self._committed = committed
        self._wake = wake
        self._now = now
        self._heard: set[str] = set()
        self._all = True
        self._looked: dict[str, int] = {}
        """The resourceVersion as of which a cluster was looked at: what was reported before is recorded. Of clusters that
        something is still to be recorded of."""
        self._settled = 0.0

    def reported(self, topic: str) -> None:
        """The agent of a cluster said something new."""
        self._heard.add(topic.partition(":")[2])
        self._wake.set()

    async def run(self) -> None:
        heard, self._heard = self._heard, set()
        if self._all:
            heard |= await self._store.read(deliveries.awaiting)
        try:
            due = sorted(heard)
            for start in range(0, len(due), TOGETHER):
                part = due[start : start + TOGETHER]
                await self._record(part)
            self._all = False
            await self._settle()
            await self._date()
        except BaseException:
            self._heard |= heard
            raise

    async def _record(self, clusters: Sequence[str]) -> None:
        now = self._now()
        changed: list[Delivery] = []
        well: list[tuple[str, str, str, str, str, float]] = []
        told: list[tuple[Open, Delivery]] = []
        since = {cluster: self._looked.get(cluster, 0) for cluster in clusters}
        newest, unsettled = await self._store.read(
            lambda tx: (objects.newest_rv(tx), deliveries.unsettled(tx, since))
        )
        for one in unsettled:
            seen = _seen(one, now)
            found = delivery.advanced(one.delivery, seen, now, current=one.assigned == one.delivery.release)
            if found != one.delivery:
                changed.append(found)
                told.append((one, found))
            if seen.well and seen.release == one.delivery.release:
                place = (one.delivery.cluster, one.delivery.app, one.delivery.release)
                well.append((*place, one.bundle, one.revision, seen.time))

        def write(tx: Tx) -> None:
            deliveries.settle(tx, changed)
            deliveries.well(tx, well)
            for one, found in told[:TOLD]:
                self._tell(tx, one, found, now)

        if changed:
            await self._store.write(write)
        self._looked.update(dict.fromkeys(clusters, newest))

    def _tell(self, tx: Tx, one: Open, found: Delivery, now: float) -> None:
        """What came of a release, as an Event of its Application."""
        app = self._resources.by_uid(tx, found.app)
        if app is None:
            return
        for kind, reason, message in delivery.events(
            one.delivery, found, one.revision, one.phase or one.health
        ):
            events.note(
                tx,
                self._resources,
                app,
                kind=kind,
                reason=reason,
                message=message,
                now=now,
                component=MANAGER,
            )

    async def _settle(self) -> None:
        """Now and then what is over by time alone."""
        now = self._now()
        if now - self._settled < SETTLED_EVERY:
            return
        self._settled = now

        def settle(tx: Tx) -> set[str]:
            deliveries.settle_by_time(tx, now - delivery.PROBATION)
            return deliveries.awaiting(tx)

        awaiting = await self._store.write(settle)
        self._looked = {cluster: rv for cluster, rv in self._looked.items() if cluster in awaiting}

    async def _date(self) -> None:
        for repo, revision in await self._store.read(lambda tx: deliveries.undated(tx, DATED)):
            found = await self._committed(repo, revision)
            await self._store.write(
                lambda tx, repo=repo, revision=revision, found=found: deliveries.date(
                    tx, repo, revision, found
                )  # type: ignore[misc]
            )


def _seen(one: Open, now: float) -> Seen:
    well = one.sync == "Synced" and one.health == "Healthy"
    failing = one.health == "Degraded" or one.phase in ("Failed", "Error")
    reverted = 0 < one.assigned_created < one.delivery.created
    return Seen(one.release, well, failing, one.time or now, reverted)
