"""What of an agent's answer is passed on: what has the promised form, and no more than was promised. An agent is believed
about its own cluster and about nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.questions import Kind

MOST = 5000
"""Entries of one answer."""
LONGEST = 4096
"""Characters of one text."""
_PLACE = ("group", "kind", "namespace", "name")
_CHANGES = ("added", "changed", "removed")
_NODE = ("uid", "parent", "version", "health", "message")
_EVENT = ("time", "type", "reason", "kind", "namespace", "name", "message")


def read(kind: Kind, answer: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """The answer to a question of a kind. Entries without the promised form are left out."""
    if kind in (Kind.DIFF, Kind.DRY_RUN):
        return {"objects": [found for each in _list(answer, "objects") if (found := _object(each))]}
    if kind is Kind.TREE:
        return {
            "nodes": [found for each in _list(answer, "nodes") if (found := _node(each))],
            "orphanedNodes": [found for each in _list(answer, "orphanedNodes") if (found := _place(each))],
        }
    return {"events": [found for each in _list(answer, "events") if (found := _event(each))]}


def _list(answer: Mapping[str, Any], name: str) -> list[Any]:
    found = answer.get(name)
    return found[:MOST] if isinstance(found, list) else []


def _place(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict) or not all(isinstance(value.get(name), str) for name in _PLACE):
        return None
    return {name: value[name][:LONGEST] for name in _PLACE}


def _object(value: Any) -> dict[str, Any] | None:
    out = _place(value)
    if out is None or value.get("change") not in _CHANGES:
        return None
    out["change"] = value["change"]
    fields = value.get("fields")
    found = [_field(each) for each in fields[:MOST]] if isinstance(fields, list) else []
    if kept := [each for each in found if each is not None]:
        out["fields"] = kept
    if isinstance(value.get("moreFields"), int):
        out["moreFields"] = value["moreFields"]
    if isinstance(value.get("error"), str):
        out["error"] = value["error"][:LONGEST]
    return out


def _field(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict) or not isinstance(value.get("path"), str):
        return None
    out = {name: value[name] for name in ("before", "after") if name in value}
    return {"path": value["path"][:LONGEST], **out} | ({"masked": True} if value.get("masked") else {})


def _node(value: Any) -> dict[str, Any] | None:
    out = _place(value)
    if out is None:
        return None
    out |= _texts(value, _NODE)
    images = value.get("images")
    if isinstance(images, list):
        out["images"] = [text[:LONGEST] for text in images[:100] if isinstance(text, str)]
    return out


def _event(value: Any) -> dict[str, Any] | None:
    if not isinstance(value, dict):
        return None
    out: dict[str, Any] = dict.fromkeys(_EVENT, "") | _texts(value, _EVENT)
    out["count"] = value["count"] if isinstance(value.get("count"), int) else 1
    return out


def _texts(value: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: text[:LONGEST] for name in names if isinstance(text := value.get(name), str)}
