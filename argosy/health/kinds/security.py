"""Health of certificates, secrets, identities and policies."""

from __future__ import annotations

from argosy.health.base import (
    Found,
    Malformed,
    degraded,
    healthy,
    is_set,
    mapping,
    present,
    progressing,
    spec,
    status,
    text,
    told,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    READY,
    SUSPENDED,
    Rows,
    When,
    by_conditions,
    by_phase,
    exact,
    find,
    named,
    once_observed,
    only,
    requiring,
    rows,
    same,
    suspended_where,
    waiting,
)
from argosy.objects import Manifest

_ready = by_conditions(*READY)
_certificate = by_conditions(*READY, before=(When("Issuing", "True", PROGRESSING),))
_certificate_request = by_conditions(
    When("Ready", "True", HEALTHY),
    When("Ready", "", PROGRESSING, only("Pending")),
    When("Ready", "", DEGRADED),
    before=(When("Denied", "True", DEGRADED), When("InvalidRequest", "True", DEGRADED)),
)
_acme = by_phase(
    "state",
    {"valid": HEALTHY, "invalid": DEGRADED, "expired": DEGRADED, "errored": DEGRADED},
    message="reason",
)
"""An ACME Order or Challenge, in the states of RFC 8555."""
_synced = by_conditions(When("Synced", "True", HEALTHY), When("Synced", "False", DEGRADED))
_bundle = by_conditions(When("Synced", "True", HEALTHY), When("Synced", "", DEGRADED))


def _cluster_external_secret(live: Manifest) -> Found:
    """The operator appends; the last condition is the newest."""
    if status(live).get("conditions") is None:
        return waiting(live)
    found = told(status(live))
    if not found:
        raise Malformed("the list of conditions is empty")
    answers = {"Ready": healthy, "NotReady": degraded, "PartiallyReady": degraded}
    last = found[-1]
    return answers.get(last.type, progressing)(last.message) if last.state == "True" else waiting(live)


def _kubernetes_external_secret(live: Manifest) -> Found:
    """The predecessor of External Secrets: `SUCCESS`, or `ERROR, ` and why."""
    if not present(live):
        return waiting(live)
    word = status(live).get("status")
    if not isinstance(word, str):
        raise Malformed("the status does not say how it is")
    if word == "SUCCESS":
        return healthy("Fetched ExternalSecret.")
    return degraded(word[len("ERROR, ") :]) if word.startswith("ERROR") else progressing(word)


_keycloak = by_conditions(
    When("HasErrors", "True", DEGRADED, says=("message",)), When("Ready", "True", HEALTHY)
)
_iam_role = by_phase(
    "state",
    {
        "Ready": HEALTHY,
        "Error": DEGRADED,
        "RolesMaxLimitReached": DEGRADED,
        "PolicyNotAllowed": DEGRADED,
        "RoleNameNotAvailable": DEGRADED,
    },
)


def _kyverno_policy(live: Manifest) -> Found:
    """Kyverno's namespaced Policy names the same thing three times over."""
    ready = find(live, "Ready")
    if ready is not None and (ready.state, ready.reason, ready.message) == ("True", "Succeeded", "Ready"):
        return healthy("Policy is ready")
    return progressing("Waiting for Policy to be ready")


_kyverno_cluster_policy = by_conditions(
    When("Ready", "True", HEALTHY), When("Ready", "", DEGRADED), otherwise=PROGRESSING
)


def _kyverno_cel_policy(live: Manifest) -> Found:
    """The policies of kyverno.io's newer group sum their conditions up in one truth value."""
    if status(live).get("conditionStatus") is None:
        return waiting(live)
    found = mapping(status(live), "conditionStatus")
    if found.get("ready") is True:
        return healthy(text(found, "message") or "Policy is ready")
    bad = [item for item in told(found) if item.state == "False"]
    for item in bad:
        item.must_say("type", "message")
    return degraded(", ".join(f"{item.type}: {item.message}" for item in bad))


def _compliant(live: Manifest) -> Found:
    word = status(live).get("compliant")
    if word is None:
        return progressing("Waiting for the status to be reported")
    return healthy("Compliant") if word == "Compliant" else degraded(str(word))


def _evaluated(live: Manifest) -> Found:
    """A ConfigurationPolicy has details with each verdict."""
    if status(live).get("compliancyDetails") is None:
        return progressing("Waiting for compliance")
    return _compliant(live)


def _ocm_policy(live: Manifest) -> Found:
    """Open Cluster Management: the root policy on the hub, or its copy on a cluster."""
    if is_set(spec(live).get("disabled")):
        return healthy("Policy is disabled")
    now = status(live)
    if now.get("placement") and now.get("status") is None and now.get("compliant") is None:
        return healthy("No clusters match this policy")
    return _compliant(live)


def _operator_policy(live: Manifest) -> Found:
    found = find(live, "Compliant")
    if found is None:
        return progressing("Waiting for the compliance condition")
    return healthy(found.message) if found.state == "True" else degraded(found.message)


_cordoned = When("Cordoned", "True", SUSPENDED)
_capsule = once_observed(_ready)


def _resource_pool(live: Manifest) -> Found:
    exhausted = mapping(status(live), "exhaustions")
    if status(live).get("conditions") is None:
        return waiting(live)
    return degraded(f"Pool exhausted for: {', '.join(sorted(exhausted))}") if exhausted else _ready(live)


_pool_claim = by_conditions(*READY, before=(When("Bound", "False", SUSPENDED),))

CHECKS: Rows = {
    **rows("cert-manager.io", _certificate, "Certificate"),
    **rows("cert-manager.io", _certificate_request, "CertificateRequest"),
    **rows("cert-manager.io", _ready, "Issuer", "ClusterIssuer"),
    **rows("certmanager.k8s.io", _ready, "Certificate", "Issuer"),
    **rows("acme.cert-manager.io", _acme, "Challenge", "Order"),
    **rows("trust.cert-manager.io", _bundle, "Bundle"),
    **rows(
        "external-secrets.io",
        _ready,
        "ExternalSecret",
        "PushSecret",
        "SecretStore",
        "ClusterSecretStore",
    ),
    **rows("external-secrets.io", _cluster_external_secret, "ClusterExternalSecret"),
    **rows("kubernetes-client.io", _kubernetes_external_secret, "ExternalSecret"),
    **rows("bitnami.com", once_observed(_synced, exact), "SealedSecret"),
    **rows("onepassword.com", _ready, "OnePasswordItem"),
    **rows("k8s.keycloak.org", _keycloak, "Keycloak"),
    **rows("iammanager.keikoproj.io", _iam_role, "Iamrole"),
    **rows("kyverno.io", _kyverno_policy, "Policy"),
    **rows("kyverno.io", _kyverno_cluster_policy, "ClusterPolicy"),
    **rows(
        "policies.kyverno.io",
        _kyverno_cel_policy,
        "DeletingPolicy",
        "GeneratingPolicy",
        "ImageValidatingPolicy",
        "MutatingPolicy",
        "NamespacedDeletingPolicy",
        "NamespacedGeneratingPolicy",
        "NamespacedImageValidatingPolicy",
        "NamespacedMutatingPolicy",
        "NamespacedValidatingPolicy",
        "ValidatingPolicy",
    ),
    **rows("policy.open-cluster-management.io", requiring(_ocm_policy, "spec"), "Policy"),
    **rows("policy.open-cluster-management.io", _compliant, "CertificatePolicy"),
    **rows(
        "policy.open-cluster-management.io",
        once_observed(_evaluated, same, at="status.lastEvaluatedGeneration"),
        "ConfigurationPolicy",
    ),
    **rows("policy.open-cluster-management.io", once_observed(_operator_policy, named), "OperatorPolicy"),
    **rows(
        "capsule.clastix.io",
        _capsule,
        "CapsuleConfiguration",
        "CustomQuota",
        "GlobalCustomQuota",
        "GlobalProxySettings",
        "ProxySetting",
        "TenantOwner",
    ),
    **rows(
        "capsule.clastix.io",
        suspended_where("spec.cordoned", _capsule),
        "GlobalTenantResource",
        "TenantResource",
    ),
    **rows("capsule.clastix.io", once_observed(by_conditions(*READY, before=(_cordoned,))), "Tenant"),
    **rows("capsule.clastix.io", once_observed(_resource_pool), "ResourcePool"),
    **rows("capsule.clastix.io", once_observed(_pool_claim), "ResourcePoolClaim"),
    **rows("addons.projectcapsule.dev", _capsule, "GlobalSopsSecret", "SopsProvider", "SopsSecret"),
}
