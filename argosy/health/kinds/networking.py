"""Health of proxies, meshes and what routes traffic, other than by the Gateway API."""

from __future__ import annotations

from argosy.health.base import (
    Found,
    degraded,
    healthy,
    items,
    listed,
    mapping,
    progressing,
    spec,
    status,
    suspended,
    text,
    told,
    unknown,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Rows,
    When,
    by_conditions,
    by_phase,
    once_condition_observed,
    requiring,
    rows,
    same,
    waiting,
)
from argosy.objects import Manifest

_valid = by_conditions(When("Valid", "True", HEALTHY), When("Valid", "False", DEGRADED))


def _http_proxy(live: Manifest) -> Found:
    """Contour: what is wrong with a proxy that includes others may be wrong with those."""
    found = _valid(live)
    if found.status is DEGRADED and spec(live).get("includes") is not None:
        return healthy("HTTPProxy inclusions cannot be health checked")
    return found


_GLOO = {
    "Accepted": healthy,
    "Pending": suspended,
    "Rejected": degraded,
    "Warning": degraded,
}
_GLOO_NUMBERS = ("Pending", "Accepted", "Rejected", "Warning")


def _gloo(live: Manifest) -> Found:
    """Gloo writes one status, or one per namespace of its own; the state is a word or (before 1.11) a number."""
    now = status(live)
    statuses = mapping(now, "statuses")
    for each in (*(mapping(statuses, name) for name in statuses), now):
        word = each.get("state")
        if isinstance(word, int) and 0 <= word < len(_GLOO_NUMBERS):
            word = _GLOO_NUMBERS[word]
        if isinstance(word, str) and word in _GLOO:
            said = text(each, "reason")
            return _GLOO[word](said or f"The resource is {word}")
    return progressing("Update in progress")


_istio = by_phase("status", {"HEALTHY": HEALTHY, "ERROR": DEGRADED, "NONE": UNKNOWN})
_kiali = by_conditions(
    When("Failure", "True", DEGRADED),
    When("Successful", "True", HEALTHY),
)


def _managed_certificate(live: Manifest) -> Found:
    """GKE: a certificate is as far as its domains are."""
    now = status(live)
    domains = [str(each.get("status")) for each in items(now, "domainStatus")]
    if any(each.startswith("Failed") for each in domains):
        return degraded("At least one certificate has failed to be provisioned")
    if now.get("certificateStatus") == "Active":
        return healthy("All certificates are active")
    return progressing("At least one certificate is still being provisioned")


def _dns_sd(live: Manifest) -> Found:
    """Proclaim: adopted by a provider, advertised, then found by a look-up."""
    found = told(status(live))
    for item in found:
        if item.type == "Adopted" and item.state == "False":
            return degraded(item.message)
        if item.type == "Advertised" and item.reason in ("AdvertiseError", "UnadvertiseError"):
            return degraded(item.message)
        if item.type == "Discoverable" and item.reason == "DiscoveryError":
            return unknown(item.message)
        if item.type == "Discoverable" and item.state == "True":
            return healthy(item.message)
    return progressing(found[0].message) if found else waiting(live)


def _openshift_route(live: Manifest) -> Found:
    """Admitted by all routers that looked at it."""
    found = items(status(live), "ingress")
    for ingress in found:
        listed(ingress, "conditions")
    states = [item.state for ingress in found for item in told(ingress) if item.type == "Admitted"]
    if "False" in states:
        return degraded("Route is degraded")
    if status(live).get("ingress") is not None and states == ["True"] * len(found):
        return healthy("Route is healthy")
    return progressing("Route is still getting admitted")


_ingress_controller = by_conditions(
    When("Degraded", "True", DEGRADED),
    When("DeploymentReplicasAllAvailable", "False", PROGRESSING),
    When("Progressing", "True", PROGRESSING),
    When("Available", "True", HEALTHY),
)
_nmstate = by_conditions(
    When("Available", "True", HEALTHY),
    When("Degraded", "True", DEGRADED),
    When("Progressing", "True", PROGRESSING),
    When("Ignored", "True", SUSPENDED),
)

CHECKS: Rows = {
    **rows(
        "projectcontour.io",
        once_condition_observed(requiring(_http_proxy, "spec"), "Valid", same),
        "HTTPProxy",
    ),
    **rows("projectcontour.io", once_condition_observed(_valid, "Valid", same), "ExtensionService"),
    **rows(
        "gateway.solo.io",
        _gloo,
        "Gateway",
        "MatchableHttpGateway",
        "RouteOption",
        "RouteTable",
        "VirtualHostOption",
        "VirtualService",
    ),
    **rows("gloo.solo.io", _gloo, "Proxy", "Settings", "Upstream", "UpstreamGroup"),
    **rows("install.istio.io", _istio, "IstioOperator"),
    **rows("kiali.io", _kiali, "Kiali"),
    **rows("networking.gke.io", _managed_certificate, "ManagedCertificate"),
    **rows("proclaim.dogmatiq.io", _dns_sd, "DNSSDServiceInstance"),
    **rows("route.openshift.io", _openshift_route, "Route"),
    **rows("operator.openshift.io", _ingress_controller, "IngressController"),
    **rows("nmstate.io", _nmstate, "NodeNetworkConfigurationPolicy"),
}
