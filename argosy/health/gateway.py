"""Health of the Gateway API's kinds, whose conditions each name the generation they speak of (GEP-1364)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from argosy.health.base import Found, degraded, healthy, items, mapping, number, progressing, status, text
from argosy.objects import Manifest

_TOLD = ("Accepted", "ResolvedRefs", "Programmed")


def gateway(live: Manifest) -> Found:
    """Programmed, and none of its listeners refused."""
    own = list(items(status(live), "conditions"))
    wanted = number(mapping(live, "metadata"), "generation")
    if any(_stale(one, wanted) for one in own):
        return progressing("Waiting for the Gateway's newest generation to be observed")
    refused = _refused(own) or _refused(_of_each(status(live), "listeners"))
    if refused is not None:
        return refused
    if any(text(one, "type") == "Programmed" and text(one, "status") == "True" for one in own):
        return healthy("Gateway is healthy")
    return progressing("Waiting for the Gateway to be programmed")


def route(live: Manifest) -> Found:
    """Accepted by its parents. A parent that last looked at an older generation has no say."""
    wanted = number(mapping(live, "metadata"), "generation")
    heard = [
        conditions
        for parent in items(status(live), "parents")
        if (conditions := items(parent, "conditions")) and not any(_stale(one, wanted) for one in conditions)
    ]
    for conditions in heard:
        refused = _refused(conditions)
        if refused is not None:
            return refused
    if heard and all(_is_accepted(conditions) for conditions in heard):
        return healthy(f"{live['kind']} is healthy")
    return progressing(f"Waiting for the parents of the {live['kind']}")


def _is_accepted(conditions: Iterable[Mapping[str, Any]]) -> bool:
    states = {text(one, "type"): text(one, "status") for one in conditions}
    return states.get("Accepted") == "True" and all(states.get(kind, "True") == "True" for kind in _TOLD)


def _of_each(now: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [one for part in items(now, name) for one in items(part, "conditions")]


def _refused(conditions: Iterable[Mapping[str, Any]]) -> Found | None:
    for one in conditions:
        if text(one, "type") in _TOLD and text(one, "status") == "False":
            said = text(one, "message") or text(one, "reason")
            return progressing(said) if text(one, "reason") == "Pending" else degraded(said)
    return None


def _stale(condition: Mapping[str, Any], wanted: int) -> bool:
    return "observedGeneration" in condition and number(condition, "observedGeneration") < wanted
