"""Rows as clients see them: opened, with what is composed into them, as objects, metadata or table rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from argosy.objects import Manifest
from hub.api import negotiate
from hub.api.negotiate import Form
from hub.api.wire import json_bytes
from hub.core.rollout import argo_status, naming
from hub.core.served import table
from hub.core.served.base import Served
from hub.core.views import views
from hub.store import shown
from hub.store.base import Tx
from hub.store.objects import Row
from hub.store.resources import Resources

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Composes rows into what is shown. For use within a read transaction."""

    resources: Resources

    def each(self, tx: Tx, served: Served, rows: Sequence[Row], now: float) -> Iterator[Manifest]:
        """The rows' objects, one by one: thousands of them at once are more than the garbage collector likes.

        An Application's resourceVersion is that of its report where that is newer.
        """
        compose = _COMPOSERS.get(served.resource)
        if compose is None:
            return (self.resources.read(row) for row in rows)
        return compose(self, tx, rows, now)

    def _applications(self, tx: Tx, rows: Sequence[Row], now: float) -> Iterator[Manifest]:
        known = shown.applications(tx, [row.uid for row in rows])
        for row in rows:
            manifest = self.resources.read(row)
            joined = known.get(row.uid)
            if joined is not None:
                manifest = views.application(manifest, joined.view())
                if joined.rv > row.rv:
                    manifest = at_version(manifest, joined.rv)
            yield manifest

    def _clusters(self, tx: Tx, rows: Sequence[Row], now: float) -> Iterator[Manifest]:
        agents = shown.clusters(tx, [row.uid for row in rows])
        for row in rows:
            agent, applications = agents[row.uid]
            yield views.cluster(self.resources.read(row), agent, now, applications)

    def _sets(self, tx: Tx, rows: Sequence[Row], now: float) -> Iterator[Manifest]:
        members = shown.sets(tx, [row.uid for row in rows])
        for row in rows:
            manifest = views.application_set(self.resources.read(row), members[row.uid])
            yield views.with_health(self._rolling(tx, manifest))

    def _releases(self, tx: Tx, rows: Sequence[Row], now: float) -> Iterator[Manifest]:
        progress = shown.releases(tx, [row.uid for row in rows])
        for row in rows:
            yield views.release(self.resources.read(row), progress.get(row.uid))

    def _rollouts(self, tx: Tx, rows: Sequence[Row], now: float) -> Iterator[Manifest]:
        statuses = shown.rollouts(tx, [row.uid for row in rows])
        for row in rows:
            manifest = self.resources.read(row)
            status = statuses.get(row.uid)
            yield {**manifest, "status": status} if status else manifest

    def _rolling(self, tx: Tx, appset: Manifest) -> Manifest:
        """A set with a RollingSync shows where each of its applications is in it; one whose changes wait says for what."""
        waits = shown.waits(tx, self.resources, appset)
        if waits:
            status = appset.get("status") or {}
            conditions = [*(status.get("conditions") or ()), views.release_waits(waits)]
            appset = {**appset, "status": {**status, "conditions": conditions}}
        source = naming.rolling_of(appset)
        if source is None:
            return appset
        status = appset.get("status") or {}
        conditions = status.get("conditions") or []
        stamped = conditions[0].get("lastTransitionTime") if conditions else None
        metadata = appset["metadata"]
        found = argo_status.of(
            source, shown.rolling(tx, metadata["uid"]), stamped or metadata.get("creationTimestamp") or ""
        )
        if not found:
            return appset
        ours = {one["type"] for one in found["conditions"]}
        kept = [one for one in conditions if one.get("type") not in ours]
        return {**appset, "status": {**status, **found, "conditions": [*kept, *found["conditions"]]}}

    def one(self, tx: Tx, served: Served, row: Row, now: float) -> Manifest:
        """One row's object."""
        return next(self.each(tx, served, [row], now))

    def bodies(self, tx: Tx, served: Served, rows: Sequence[Row], now: float) -> Iterator[bytes]:
        """The rows as JSON, not read where they are stored as they are shown."""
        if not served.composed:
            return (self.resources.body(row) for row in rows)
        return (json_bytes(manifest) for manifest in self.each(tx, served, rows, now))


_COMPOSERS = {
    table.APPLICATION.resource: Viewer._applications,
    table.CLUSTER.resource: Viewer._clusters,
    table.APPLICATION_SET.resource: Viewer._sets,
    table.RELEASE.resource: Viewer._releases,
    table.ROLLOUT.resource: Viewer._rollouts,
}
"""Who composes the kinds that are shown with more than their own row: those that are `Served.composed`."""


def at_version(manifest: Manifest, rv: int) -> Manifest:
    """The object as of a resourceVersion."""
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": str(rv)}}


# --- tables and metadata ---


def partial(manifest: Manifest, version: str = "v1") -> Json:
    """The object's metadata alone."""
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": manifest.get("metadata") or {},
    }


def columns(served: Served) -> list[Json]:
    """The column definitions of a kind's table."""
    return [
        {
            "name": column.name,
            "type": column.type,
            "format": column.format,
            "description": column.description,
            "priority": column.priority,
        }
        for column in served.columns
    ]


def row(served: Served, manifest: Manifest, now: float, include: str, version: str = "v1") -> Json:
    """One row of a table. `include` is None, Metadata or Object, as the query parameter `includeObject`."""
    out: Json = {"cells": [column.cell(manifest, now) for column in served.columns]}
    if include == "Object":
        out["object"] = manifest
    elif include != "None":
        out["object"] = partial(manifest, version)
    return out


def as_table(
    served: Served,
    manifests: Iterable[Manifest],
    metadata: Json,
    now: float,
    *,
    include: str = "Metadata",
    version: str = "v1",
    headed: bool = True,
) -> Json:
    """Objects as a `Table`."""
    return {
        "kind": "Table",
        "apiVersion": f"meta.k8s.io/{version}",
        "metadata": metadata,
        "columnDefinitions": columns(served) if headed else [],
        "rows": [row(served, manifest, now, include, version) for manifest in manifests],
    }


def one(served: Served, manifest: Manifest, form: Form, now: float, include: str = "Metadata") -> Json:
    """One object in the form the client wants."""
    if form.shape == negotiate.TABLE:
        metadata = {"resourceVersion": manifest["metadata"].get("resourceVersion", "")}
        return as_table(served, [manifest], metadata, now, include=include, version=form.version)
    if form.shape == negotiate.PARTIAL:
        return partial(manifest, form.version)
    return manifest


def list_bytes(api_version: str, kind: str, metadata: Json, items: Iterable[bytes]) -> bytes:
    """A list from its items' JSON, which is not read again."""
    head = orjson.dumps({"apiVersion": api_version, "kind": kind, "metadata": metadata})
    return b"".join((head[:-1], b',"items":[', b",".join(items), b"]}"))


def table_bytes(
    served: Served,
    manifests: Iterable[Manifest],
    metadata: Json,
    now: float,
    *,
    include: str,
    version: str,
) -> bytes:
    """As `as_table`, as JSON."""
    empty = as_table(served, (), metadata, now, version=version)
    del empty["rows"]
    rows = (json_bytes(row(served, manifest, now, include, version)) for manifest in manifests)
    return b"".join((orjson.dumps(empty)[:-1], b',"rows":[', b",".join(rows), b"]}"))
