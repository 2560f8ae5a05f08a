"""Delivery figures of a fleet for `/stats` and `/metrics`, from what was recorded of releases."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from prometheus_client.core import GaugeMetricFamily

from argosy.errors import Invalid
from hub.core.served import table
from hub.core.views import delivery
from hub.core.views.delivery import DAY, Delivery, Figures
from hub.store import deliveries
from hub.store.base import Store, Tx
from hub.store.resources import Resources

BY = ("fleet", "set", "app", "group")
MOST_DAYS = 90.0
METRIC_DAYS = 7.0
"""What `/metrics` speaks of."""
MOST_APPS = 1000
"""Applications of which it speaks: those deployed last."""

Parts: TypeAlias = dict[str, Figures]
"""Figures by the name of what they are of."""


class Statistics:
    """For one hub. `labels` are those of clusters by which `/metrics` groups them."""

    def __init__(self, store: Store, resources: Resources, labels: Sequence[str] = ()) -> None:
        self._store = store
        self._resources = resources
        self._labels = labels
        self._shown: tuple[object, dict[str, Parts]] = (None, {})

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
        """Gauges over the last `METRIC_DAYS` of the fleet (`appset=""`) and each set, of applications, and of groups of
        clusters; reckoned anew only where something was recorded since, or an hour went by.
        """

        def read(tx: Tx) -> tuple[object, dict[str, Parts] | None]:
            version = (deliveries.version(tx), int(now // 3600))
            if version == self._shown[0]:
                return version, None
            since = now - METRIC_DAYS * DAY
            found = deliveries.since(tx, since)
            return version, {
                kind: {name: delivery.figures(part, since=since, until=now) for name, part in parts.items()}
                for kind, parts in self._parts(tx, found).items()
            }

        version, figures = await self._store.read(read)
        if figures is not None:
            self._shown = (version, figures)
        return [gauge for kind, parts in self._shown[1].items() for gauge in _gauges(kind, parts)]

    def _parts(self, tx: Tx, found: list[Delivery]) -> dict[str, dict[str, list[Delivery]]]:
        by_app = delivery.grouped(found, "app", {})
        last = sorted(by_app, key=lambda name: -by_app[name][-1].created)[:MOST_APPS]
        return {
            "appset": {"": found, **delivery.grouped(found, "set", self._groups(tx, "set", ""))},
            "application": {name: by_app[name] for name in sorted(last)},
            "group": {
                f"{label}={value}": part
                for label in self._labels
                for value, part in delivery.grouped(found, "group", self._groups(tx, "group", label)).items()
            },
        }


_ROWS: tuple[tuple[str, str, Callable[[Figures], float | None]], ...] = (
    ("deployments", "Releases that somebody got well with.", lambda one: one.deployments),
    ("deployments_per_day", "The same for a day.", lambda one: one.per_day),
    ("failed_deployments", "Of these, those that failed somewhere.", lambda one: one.failed),
    ("change_failure_rate", "The share of those that failed somewhere.", lambda one: one.failure_rate),
    ("lead_time_seconds", "From commit to well, median.", lambda one: one.lead),
    ("time_to_restore_seconds", "From failed to well again, median.", lambda one: one.restore),
)


def _gauges(kind: str, figures: Parts) -> Iterable[GaugeMetricFamily]:
    """`kind` is the label that names the parts."""
    prefix = "argosy_delivery" if kind == "appset" else f"argosy_delivery_{kind}"
    for name, text, value in _ROWS:
        gauge = GaugeMetricFamily(f"{prefix}_{name}", f"{text} Over {METRIC_DAYS:g} days.", labels=[kind])
        for part, one in figures.items():
            if (found := value(one)) is not None:
                gauge.add_metric([part], found)
        yield gauge
