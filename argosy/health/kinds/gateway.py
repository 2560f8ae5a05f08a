"""Health of the Gateway API's kinds and of policies attached to them. Their conditions each name the generation they
speak of (GEP-1364), and there is a list of them per parent, ancestor or listener (GEP-713)."""

from __future__ import annotations

from argosy.health.base import (
    Condition,
    Found,
    degraded,
    generation,
    healthy,
    items,
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
    own = told(status(live))
    if status(live).get("conditions") is None:
        return waiting(live)
    found = _refused(own) or _unprogrammed(own)
    for listener in items(status(live), "listeners"):
        found = found or _refused(told(listener), "Listener: ") or _unprogrammed(told(listener), "Listener: ")
    return found or healthy(f"{live['kind']} is healthy")


def _listener_set(live: Manifest) -> Found:
    own = told(status(live))
    listeners = [told(listener) for listener in items(status(live), "listeners")]
    if not present(live) or any(both(item.generation, generation(live)) for item in own):
        return waiting(live)
    found = _refused(own) or _unprogrammed(own)
    for each in listeners:
        conflict = next((item for item in each if (item.type, item.state) == ("Conflicted", "True")), None)
        if conflict is not None:
            found = found or degraded(f"Listener: {conflict.message}")
        found = found or _refused(each, "Listener: ") or _unprogrammed(each, "Listener: ")
    if found is not None:
        return found
    return healthy("ListenerSet is healthy") if listeners else waiting(live)


def _route(live: Manifest) -> Found:
    """Accepted by its parents. A parent that last looked at an older generation has no say."""
    heard = [
        (f"Parent {text(mapping(parent, 'parentRef'), 'name')}: ", conditions)
        for parent in items(status(live), "parents")
        if (conditions := told(parent)) and not _stale(conditions, live)
    ]
    if not heard:
        return waiting(live)
    for place, conditions in heard:
        found = _refused(conditions, place)
        if found is not None:
            return found
    for place, conditions in heard:
        found = _unprogrammed(conditions, place) or _unaccepted(conditions, place, live)
        if found is not None:
            return found
    return healthy(f"{live['kind']} is healthy")


def _unaccepted(conditions: list[Condition], place: str, live: Manifest) -> Found | None:
    """A TLSRoute is well only where both words were said."""
    if live["kind"] != "TLSRoute":
        return None
    states = {item.type: item.state for item in conditions}
    if states.get("Accepted") == states.get("ResolvedRefs") == "True":
        return None
    return progressing(f"{place}Waiting for TLSRoute conditions")


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
    """BackendTLSPolicy: every ancestor accepts it and resolves what it refers to."""
    found = _ancestors(live)
    if not found:
        return waiting(live)
    for name, conditions in found:
        if any(both(item.generation, generation(live)) for item in conditions):
            return progressing(f"Waiting for Ancestor {name} to update BackendTLSPolicy status")
    for name, conditions in found:
        if not any(item.type == "Accepted" for item in conditions):
            return waiting(live)
        for item in conditions:
            if item.type in ("Accepted", "ResolvedRefs") and item.state != "True":
                return degraded(f"Ancestor {name}: {item.message}")
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


_accepted = by_conditions(When("Accepted", "True", HEALTHY), When("Accepted", "False", DEGRADED))
_backend = once_condition_observed(
    by_conditions(When("Accepted", "True", HEALTHY), When("Accepted", "", DEGRADED)), "Accepted", named
)

CHECKS: Rows = {
    **rows("gateway.networking.k8s.io", _gateway, "Gateway"),
    **rows("gateway.networking.k8s.io", _listener_set, "ListenerSet"),
    **rows("gateway.networking.k8s.io", _route, "HTTPRoute", "GRPCRoute", "TLSRoute"),
    **rows("gateway.networking.k8s.io", once_condition_observed(_accepted, "Accepted"), "GatewayClass"),
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
