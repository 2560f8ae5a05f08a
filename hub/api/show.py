"""Rows as clients see them: opened, with what is composed into them, as objects, metadata or table rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from argosy.objects import Manifest
from hub.api import negotiate
from hub.api.negotiate import Form
from hub.api.wire import json_bytes
from hub.core import views
from hub.core.served import table
from hub.core.served.base import Served
from hub.store import shown
from hub.store.base import Tx
from hub.store.objects import Row
from hub.store.resources import Resources

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Viewer:
    """Composes rows into what is shown. For use within a read transaction."""

    resources: Resources

    def manifests(self, tx: Tx, served: Served, rows: Sequence[Row], now: float) -> list[Manifest]:
        """The rows' objects. An Application's resourceVersion is that of its report where that is newer."""
        plain = [self.resources.read(row) for row in rows]
        if served is table.APPLICATION:
            known = shown.applications(tx, [row.uid for row in rows])
            nothing = (views.AppView(), 0)
            out = []
            for row, manifest in zip(rows, plain, strict=True):
                view, rv = known.get(row.uid, nothing)
                composed = views.application(manifest, view)
                out.append(_at(composed, rv) if rv > row.rv else composed)
            return out
        if served is table.CLUSTER:
            agents = shown.clusters(tx, [row.uid for row in rows])
            return [
                views.cluster(manifest, agents[row.uid][0], now, agents[row.uid][1])
                for row, manifest in zip(rows, plain, strict=True)
            ]
        return plain

    def bodies(self, tx: Tx, served: Served, rows: Sequence[Row], now: float) -> list[bytes]:
        """The rows as JSON, not read where they are stored as they are shown."""
        if not served.composed:
            return [self.resources.body(row) for row in rows]
        return [json_bytes(manifest) for manifest in self.manifests(tx, served, rows, now)]


def _at(manifest: Manifest, rv: int) -> Manifest:
    return {**manifest, "metadata": {**manifest["metadata"], "resourceVersion": str(rv)}}


def at_version(manifest: Manifest, rv: int) -> Manifest:
    """The object as of a resourceVersion."""
    return _at(manifest, rv)


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
