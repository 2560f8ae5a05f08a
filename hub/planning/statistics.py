"""Delivery figures of a fleet for `/stats` and `/metrics`, from what was recorded of releases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client.core import GaugeMetricFamily

from argosy.errors import Invalid
from hub.core import delivery
from hub.core.delivery import DAY, Figures
from hub.core.served import table
from hub.store import deliveries
from hub.store.base import Store, Tx
from hub.store.resources import Resources

BY = ("fleet", "set", "app", "group")
MOST_DAYS = 90.0
METRIC_DAYS = 7.0
"""What `/metrics` speaks of."""


class Statistics:
    """For one hub."""

    def __init__(self, store: Store, resources: Resources) -> None:
        self._store = store
        self._resources = resources
        self._shown: tuple[object, dict[str, Figures]] = (None, {})

    async def stats(self, *, days: float, by: str, label: str, now: float) -> dict[str, Any]:
        """Figures of the last `days`, by "fleet", "set", "app", or "group", which is a value of the clusters' `label`.

        Raises `Invalid`.
        """
        if by not in BY:
            raise Invalid(f"by: found {by!r}, expected one of {', '.join(BY)}")
        if not 0 < days <= MOST_DAYS:
            raise Invalid(f"days: found {days:g}, expected a number above 0 and up to {MOST_DAYS:g}")
        if by == "group" and not label:
            raise Invalid("label: expected the label of clusters to group by")
        since = now - days * DAY

        def read(tx: Tx) -> dict[str, Figures]:
            found = deliveries.since(tx, since)
            parts = {"": found} if by == "fleet" else delivery.grouped(found, by, self._groups(tx, by, label))
            return {name: delivery.figures(part, since=since, until=now) for name, part in parts.items()}

        found = await self._store.read(read)
        items = [{"name": name, **figures.document()} for name, figures in found.items()]
        return {"by": by, "label": label, "since": since, "until": now, "items": items}

    def _groups(self, tx: Tx, by: str, label: str) -> Mapping[str, str]:
        if by == "set":
            found = self._resources.list(tx, table.APPLICATION_SET)
            return {item["metadata"]["uid"]: item["metadata"]["name"] for item in found}
        if by == "group":
            clusters = self._resources.list(tx, table.CLUSTER)
            return {
                item["metadata"]["uid"]: value
                for item in clusters
                if (value := (item["metadata"].get("labels") or {}).get(label))
            }
        return {}

    async def metrics(self, now: float) -> list[GaugeMetricFamily]:
        """Gauges of the fleet (`appset=""`) and of each set over the last `METRIC_DAYS`; reckoned anew only where
        something was recorded since, or an hour went by.
        """

        def read(tx: Tx) -> tuple[object, dict[str, Figures] | None]:
            version = (deliveries.version(tx), int(now // 3600))
            if version == self._shown[0]:
                return version, None
            since = now - METRIC_DAYS * DAY
            found = deliveries.since(tx, since)
            parts = {"": found, **delivery.grouped(found, "set", self._groups(tx, "set", ""))}
            return version, {
                name: delivery.figures(part, since=since, until=now) for name, part in parts.items()
            }

        version, figures = await self._store.read(read)
        if figures is not None:
            self._shown = (version, figures)
        return list(_gauges(self._shown[1]))


def _gauges(figures: Mapping[str, Figures]) -> Iterable[GaugeMetricFamily]:
    rows: tuple[tuple[str, str, Callable[[Figures], float | None]], ...] = (
        ("argosy_delivery_deployments", "Releases that somebody got well with.", lambda one: one.deployments),
        (
            "argosy_delivery_failed_deployments",
            "Of these, those that failed somewhere.",
            lambda one: one.failed,
        ),
        ("argosy_delivery_lead_time_seconds", "From commit to well, median.", lambda one: one.lead),
        (
            "argosy_delivery_time_to_restore_seconds",
            "From failed to well again, median.",
            lambda one: one.restore,
        ),
    )
    for name, text, value in rows:
        gauge = GaugeMetricFamily(name, f"{text} Over {METRIC_DAYS:g} days.", labels=["appset"])
        for appset, one in figures.items():
            if (found := value(one)) is not None:
                gauge.add_metric([appset], found)
        yield gauge
