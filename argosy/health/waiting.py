"""Whether a status may open a gate: kstatus' rules and those of generations, on top of health.

A gate is a rollout's way to more clusters, or a stage of a sync that later stages wait for. What is said here never
changes the health that users know; it is shown beside it as *waiting*. Pure.

A rollout is held by all of it (`unsettled`). A stage is held by health, as in Argo CD, and by the generation that a status
speaks of (`stale`, `lags`): that passes once the controller has looked. `Reconciling`, `Stalled` and the Ready of a kind
without a check do not hold it: such a state may wait for an object of a later stage, and then the sync would never end that
ends in Argo CD.

Sources: kstatus (cli-utils `pkg/kstatus`), Kubernetes' API conventions ("Typical status properties"), GEP-1364.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.health.base import Found
from argosy.objects import Manifest, split_api_version
from argosy.status import Health

LAG = 2.0
"""Seconds after a change before a status that names no generation counts (Argo CD pauses as long between waves)."""
_HASH = 10
"""Argo Rollouts before 1.0 wrote a hash of so many digits where newer ones write the generation."""


def stale(live: Manifest) -> str:
    """Why the status speaks of another generation than the object has; "" where it does not, or does not say.

    `status.observedGeneration` decides, else the condition Ready, else the newest generation that any condition names.
    """
    wanted = _mapping(live.get("metadata")).get("generation")
    observed = _observed(_mapping(live.get("status")))
    if not isinstance(wanted, int) or observed in (None, wanted):
        return ""
    return f"its status speaks of generation {observed}, it is at {wanted}"


def lags(live: Manifest, found: Found) -> bool:
    """Whether a good health may still be that of the object as it was before a change made just now."""
    group, _ = split_api_version(live["apiVersion"])
    custom = "." in group and not group.endswith(".k8s.io")
    return custom and found.status is Health.HEALTHY and _observed(_mapping(live.get("status"))) is None


def unsettled(live: Manifest, found: Found, *, fresh: bool = False) -> str:
    """Why a rollout may not count on the object yet, whatever its health (`found`) is; "" where it may.

    `fresh`: it was changed less than `LAG` ago. An object without a check is held to the condition Ready where it has
    one.
    """
    if _mapping(live.get("metadata")).get("deletionTimestamp"):
        return "it is being deleted"
    old = stale(live)
    if old:
        return old
    states = {item.get("type"): item for item in _conditions(_mapping(live.get("status")))}
    for kind in ("Reconciling", "Stalled"):
        if states.get(kind, {}).get("status") == "True":
            return _said(kind, states[kind])
    if found.status is None and states.get("Ready", {}).get("status") in ("False", "Unknown"):
        return _said("not Ready", states["Ready"])
    if fresh and lags(live, found):
        return "it was changed just now, and its status names no generation"
    return ""


def _observed(status: Mapping[str, Any]) -> int | None:
    own = status.get("observedGeneration")
    if isinstance(own, str) and own.isdecimal() and len(own) < _HASH:
        return int(own)
    if isinstance(own, int) and not isinstance(own, bool):
        return own
    named = {
        str(item.get("type")): item["observedGeneration"]
        for item in _conditions(status)
        if isinstance(item.get("observedGeneration"), int)
    }
    return named.get("Ready", max(named.values(), default=None))


def _said(state: str, condition: Mapping[str, Any]) -> str:
    more = condition.get("message") or condition.get("reason")
    return f"{state}: {more}" if more else state


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _conditions(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = status.get("conditions")
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
