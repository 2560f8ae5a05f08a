"""Health of the Gateway API's kinds and of policies attached to them. Their conditions each name the generation they
speak of (GEP-1364), and there is a list of them per parent, ancestor or listener (GEP-713)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.health.base import (
    Condition,
    Found,
    Malformed,
    degraded,
    generation,
    healthy,
    items,
    listed,
    mapping,
    present,
    progressing,
    status,
    text,
    told,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    Rows,
    When,
    both,
    by_conditions,
    named,
    once_condition_observed,
    rows,
    waiting,
    wanted_known,
)
from argosy.objects import Manifest


def _gateway(live: Manifest) -> Found:
    """Programmed, and none of its listeners refused."""
    now = status(live)
    if now.get("conditions") is None and not now.get("listeners"):
        return waiting(live)
    found = _refused(told(now)) or _unprogrammed(told(now))
    for listener in items(now, "listeners"):
        found = found or _refused(told(listener), "Listener: ") or _unprogrammed(told(listener), "Listener: ")
    return found or healthy(f"{live['kind']} is healthy")


def _gateway_class(live: Manifest) -> Found:
    """Its first Accepted that speaks of this generation."""
    for item in told(status(live)):
        if item.type != "Accepted" or both(item.generation, generation(live)):
            continue
        answers = {"True": healthy, "False": degraded}
        return answers.get(item.state, progressing)(item.message)
    return waiting(live)


def _listener_set(live: Manifest) -> Found:
    """Its own Accepted and Programmed, then all conditions of each listener; what refuses says why."""
    if not present(live):
        return waiting(live)
    listed(status(live), "conditions")
    own = [item for item in told(status(live)) if item.type != "ResolvedRefs"]
    if any(both(item.generation, generation(live)) for item in told(status(live))):
        return waiting(live)
    listeners = [told(listener) for listener in items(status(live), "listeners")]
    found = _explained(own) or _unprogrammed(own)
    for each in listeners:
        conflict = next((item for item in each if (item.type, item.state) == ("Conflicted", "True")), None)
        if found is None and conflict is not None:
            return degraded(f"Listener: {conflict.message or 'Listener is conflicted'}")
        found = found or _explained(each, "Listener: ") or _unprogrammed(each, "Listener: ")
    if found is not None:
        return found
    return healthy("ListenerSet is healthy") if listeners else waiting(live)


def _explained(conditions: list[Condition], place: str = "") -> Found | None:
    for item in conditions:
        if item.type in ("Accepted", "ResolvedRefs") and item.state == "False":
            item.must_say("message")
            return degraded(f"{place}{item.message}")
    return None


def _name(parent: Mapping[str, Any], ref: str) -> str:
    """Who speaks. Raises `Malformed` where it is not said."""
    if parent.get(ref) is None:
        raise Malformed(f"there is no {ref}")
    return text(mapping(parent, ref), "name")


def _route(live: Manifest) -> Found:
    """Accepted by its parents. A parent that last looked at an older generation has no say."""
    heard = [
        (parent, conditions)
        for parent in items(status(live), "parents")
        if (conditions := told(parent)) and not _stale(conditions, live)
    ]
    if not heard:
        return waiting(live)
    for judge in (_refused, _unprogrammed):
        for parent, conditions in heard:
            found = judge(conditions)
            if found is not None:
                return Found(found.status, f"Parent {_name(parent, 'parentRef')}: {found.message}")
    return healthy(f"{live['kind']} is healthy")


def _tls_route(live: Manifest) -> Found:
    """As other routes, and only well where a parent says both words."""
    named = [{"parentRef": {}, **parent} for parent in items(status(live), "parents")]
    found = _route({**live, "status": {"parents": named}})
    if found.status is HEALTHY and not any(_welcomed(told(parent)) for parent in named):
        return progressing("Waiting for TLSRoute conditions")
    return found


def _welcomed(conditions: list[Condition]) -> bool:
    states = {item.type: item.state for item in conditions}
    return states.get("Accepted") == states.get("ResolvedRefs") == "True"


def _stale(conditions: list[Condition], live: Manifest) -> bool:
    return any(both(item.generation, generation(live)) for item in conditions)


def _refused(conditions: list[Condition], place: str = "") -> Found | None:
    for item in conditions:
        if item.type in ("Accepted", "ResolvedRefs") and item.state == "False":
            return degraded(f"{place}{item.message or f'Failed condition: {item.type}'}")
    return None


def _unprogrammed(conditions: list[Condition], place: str = "") -> Found | None:
    for item in conditions:
        if item.type == "Programmed" and item.state != "True":
            return progressing(f"{place}{item.message}")
    return None


def _ancestors(live: Manifest) -> list[tuple[str, list[Condition]]]:
    return [
        (text(mapping(each, "ancestorRef"), "name"), told(each)) for each in items(status(live), "ancestors")
    ]


def _tls_policy(live: Manifest) -> Found:
    """BackendTLSPolicy: every ancestor that says something accepts it and resolves what it refers to."""
    found = items(status(live), "ancestors")
    for each in found:
        listed(each, "conditions")
        if any(both(item.generation, generation(live)) for item in told(each)):
            name = _name(each, "ancestorRef")
            return progressing(f"Waiting for Ancestor {name} to update BackendTLSPolicy status")
    for each in found:
        for item in told(each):
            if item.type in ("Accepted", "ResolvedRefs") and item.state != "True":
                item.must_say("message")
                return degraded(f"Ancestor {_name(each, 'ancestorRef')}: {item.message}")
    if not any(item.type == "Accepted" for each in found for item in told(each)):
        return waiting(live)
    return healthy("BackendTLSPolicy is healthy")


def _envoy_policy(live: Manifest) -> Found:
    """Envoy Gateway: an ancestor that last looked at an older generation has no say."""
    heard = False
    for _, conditions in _ancestors(live):
        for item in conditions:
            if both(item.generation, generation(live)):
                continue
            heard = True
            if (item.type, item.state) == ("Accepted", "False"):
                return degraded(item.message)
    return healthy(f"{live['kind']} is healthy") if heard else waiting(live)


def _airlock(live: Manifest) -> Found:
    """Airlock Microgateway: an ancestor of a policy that says anything says Accepted; other kinds are settings."""
    found = _ancestors(live)
    if not found and live["kind"].endswith("Policy"):
        return waiting(live)
    for name, conditions in found:
        for item in conditions:
            if wanted_known(item.generation, generation(live)):
                return progressing(f"Waiting for Ancestor {name} to update {live['kind']} status")
        accepted = next((item for item in conditions if item.type == "Accepted"), None)
        if conditions and (accepted is None or accepted.state != "True"):
            said = accepted.message if accepted is not None else f"{live['kind']} is not accepted"
            return degraded(f"Ancestor {name}: {said}")
    return healthy(f"{live['kind']} is healthy")


_backend = once_condition_observed(
    by_conditions(When("Accepted", "True", HEALTHY), When("Accepted", "", DEGRADED)), "Accepted", named
)

CHECKS: Rows = {
    **rows("gateway.networking.k8s.io", _gateway, "Gateway"),
    **rows("gateway.networking.k8s.io", _listener_set, "ListenerSet"),
    **rows("gateway.networking.k8s.io", _route, "HTTPRoute", "GRPCRoute"),
    **rows("gateway.networking.k8s.io", _tls_route, "TLSRoute"),
    **rows("gateway.networking.k8s.io", _gateway_class, "GatewayClass"),
    **rows("gateway.networking.k8s.io", _tls_policy, "BackendTLSPolicy"),
    **rows("gateway.envoyproxy.io", _backend, "Backend"),
    **rows(
        "gateway.envoyproxy.io",
        _envoy_policy,
        "BackendTrafficPolicy",
        "ClientTrafficPolicy",
        "EnvoyExtensionPolicy",
        "EnvoyPatchPolicy",
        "SecurityPolicy",
    ),
}
GROUPS = {"microgateway.airlock.com": _airlock}
"""(group) -> check of all its kinds."""
