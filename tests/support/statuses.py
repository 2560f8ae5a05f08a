"""Applications' statuses as agents send them, read back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from argosy.status import AppStatus, Difference, Health, ObjectStatus, Sync


def read(detail: bytes) -> AppStatus:
    """The inverse of `convert.detail_of`; fields it does not know are passed over."""
    value = orjson.loads(detail)
    known = {name: value[name] for name in AppStatus.__dataclass_fields__ if name in value}
    known["sync"], known["health"] = Sync(value["sync"]), Health(value["health"])
    known["resources"] = tuple(_object_status(item) for item in value.get("resources") or ())
    known["conditions"] = tuple((str(a), str(b)) for a, b in value.get("conditions") or ())
    known["removed"] = tuple(str(item) for item in value.get("removed") or ())
    known["pruned"] = tuple(tuple(map(str, item)) for item in value.get("pruned") or ())
    return AppStatus(**known)


def _object_status(value: Mapping[str, Any]) -> ObjectStatus:
    known = {name: value[name] for name in ObjectStatus.__dataclass_fields__ if name in value}
    known["sync"] = Sync(value["sync"])
    known["health"] = None if value.get("health") is None else Health(value["health"])
    known["differences"] = tuple(
        Difference(*(str(item.get(name) or "") for name in Difference.__dataclass_fields__))
        for item in value.get("differences") or ()
    )
    return ObjectStatus(**known)
