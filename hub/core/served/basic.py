"""The core kinds that the hub serves: Namespace, ConfigMap, Secret, Event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from argosy.machinery import kinds
from argosy.objects import Manifest
from hub.core.served import cells, shapes
from hub.core.served.base import Column, Served
from hub.core.served.shapes import ANY_OBJECT, FLAG, TEXT, TEXT_MAP, TIME, WHOLE, described, root, struct

_AGE = Column("Age", cells.since("metadata", "creationTimestamp"), description="Time since it was created.")
_NAME = Column("Name", cells.name, format="name", description="Name of the object.")


def _builtin(plural: str) -> kinds.Kind:
    return next(kind for kind in kinds.builtin() if not kind.group and kind.plural == plural)


def _field(*path: str) -> Callable[[Mapping[str, Any]], str]:
    def read(manifest: Mapping[str, Any]) -> str:
        found = cells.value(manifest, *path)
        return "" if found is None else str(found)

    return read


NAMESPACE = Served(
    _builtin("namespaces"),
    "namespace",
    (_NAME, Column("Status", cells.at("status", "phase"), description="Active or Terminating."), _AGE),
    fields={"status.phase": _field("status", "phase")},
    schema=root(
        {
            "spec": struct({"finalizers": shapes.TEXTS}, description="What must happen before it goes."),
            "status": struct({"phase": described(TEXT, "Active or Terminating.")}),
        },
        description="A place for objects; names are unique within it.",
    ),
)

CONFIG_MAP = Served(
    _builtin("configmaps"),
    "configmap",
    (_NAME, Column("Data", cells.count("data"), type="integer", description="How many keys it has."), _AGE),
    schema=root(
        {
            "data": described(TEXT_MAP, "Values by key."),
            "binaryData": described(TEXT_MAP, "Values by key, in base64."),
            "immutable": described(FLAG, "It cannot be changed."),
        },
        description="Configuration that is not secret.",
    ),
)

SECRET = Served(
    _builtin("secrets"),
    "secret",
    (
        _NAME,
        Column("Type", cells.at("type"), description="What it is for."),
        Column("Data", cells.count("data"), type="integer", description="How many keys it has."),
        _AGE,
    ),
    fields={"type": _field("type")},
    schema=root(
        {
            "data": described(TEXT_MAP, "Values by key, in base64. Stored encrypted."),
            "stringData": described(TEXT_MAP, "Values by key as plain text; written into `data`."),
            "type": described(TEXT, "What it is for."),
            "immutable": described(FLAG, "It cannot be changed."),
        },
        description="Configuration that is secret: credentials of repositories, tokens, keys.",
    ),
    sealed=True,
)

_ABOUT = struct(
    {
        "apiVersion": TEXT,
        "kind": TEXT,
        "namespace": TEXT,
        "name": TEXT,
        "uid": TEXT,
        "resourceVersion": TEXT,
        "fieldPath": TEXT,
    }
)


def _about(manifest: Manifest, now: float) -> str:
    found = manifest.get("involvedObject") or {}
    return f"{str(found.get('kind', '')).lower()}/{found.get('name', '')}"


def _last(manifest: Manifest, now: float) -> str:
    moment = (
        manifest.get("lastTimestamp")
        or manifest.get("eventTime")
        or manifest.get("firstTimestamp")
        or cells.value(manifest, "metadata", "creationTimestamp")
    )
    seconds = cells.seconds(moment) if isinstance(moment, str) else None
    return "<unknown>" if seconds is None else cells.duration(now - seconds)


EVENT = Served(
    _builtin("events"),
    "event",
    (
        Column("Last Seen", _last, description="When it last happened."),
        Column("Type", cells.at("type"), description="Normal or Warning."),
        Column("Reason", cells.at("reason"), description="What happened, in one word."),
        Column("Object", _about, description="What it is about."),
        Column("Source", cells.at("source", "component"), description="Who says so.", priority=1),
        Column("Message", cells.at("message"), description="What happened."),
        Column("Count", cells.at("count"), description="How often.", priority=1),
        Column("Name", cells.name, format="name", description="Name of the event.", priority=1),
    ),
    fields={
        **{
            f"involvedObject.{name}": _field("involvedObject", name)
            for name in ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
        },
        "reason": _field("reason"),
        "reportingComponent": _field("reportingComponent"),
        "source": _field("source", "component"),
        "type": _field("type"),
    },
    schema=root(
        {
            "involvedObject": described(_ABOUT, "What it is about."),
            "reason": described(TEXT, "What happened, in one word."),
            "message": described(TEXT, "What happened."),
            "type": described(TEXT, "Normal or Warning."),
            "count": described(WHOLE, "How often it happened."),
            "firstTimestamp": TIME,
            "lastTimestamp": TIME,
            "eventTime": TIME,
            "source": struct({"component": TEXT, "host": TEXT}),
            "action": TEXT,
            "reportingComponent": TEXT,
            "reportingInstance": TEXT,
            "related": _ABOUT,
            "series": ANY_OBJECT,
        },
        description="Something that happened to an object.",
    ),
)
