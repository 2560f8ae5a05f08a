"""Health of clusters, machines and what platforms bring: Cluster API, Karpenter, Karmada, OLM, 3scale, SAP."""

from __future__ import annotations

from argosy.health.base import (
    Check,
    Found,
    Malformed,
    degraded,
    generation,
    healthy,
    items,
    mapping,
    number,
    progressing,
    spec,
    status,
    suspended,
    text,
    told,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    READY,
    SUSPENDED,
    UNKNOWN,
    Rows,
    When,
    both,
    by_conditions,
    by_phase,
    find,
    once_observed,
    requiring,
    rows,
    state,
    suspended_where,
    waiting,
)
from argosy.objects import Manifest

_ready = by_conditions(*READY)


def _cluster(live: Manifest) -> Found:
    """Cluster API: Ready is False all through provisioning; only its severity tells whether that is bad."""
    phase = status(live).get("phase")
    found = items(status(live), "conditions")
    ready = next((item for item in found if item.get("type") == "Ready"), {})
    said = str(ready.get("message") or "")
    if ready.get("status") == "False" and ready.get("severity") != "Info":
        return degraded(said)
    if phase == "Failed":
        return degraded(said)
    return healthy("Cluster is running") if phase == "Provisioned" else progressing(said)


def _pausable(check: Check) -> Check:
    return requiring(suspended_where("spec.paused", check), "spec")


_MACHINE = {"Running": HEALTHY, "Failed": DEGRADED}
_machine = by_phase("phase", _MACHINE)
_machine_pool = by_phase("phase", {**_MACHINE, "Scaling": HEALTHY, "Unknown": DEGRADED})


def _machine_health_check(live: Manifest) -> Found:
    now = status(live)
    if now.get("currentHealthy") is None:
        return progressing("Waiting for machines to be looked at")
    if now["currentHealthy"] == now.get("expectedMachines"):
        return healthy()
    return degraded("Fewer machines are healthy than expected")


_resource_set = by_conditions(
    When("ResourcesApplied", "True", HEALTHY), When("ResourcesApplied", "False", DEGRADED)
)


def _aws_control_plane(live: Manifest) -> Found:
    """EKS: Ready, no failure, and no update going on."""
    now = status(live)
    ready = find(live, "Ready")
    failure = now.get("failureMessage")
    if isinstance(failure, str) and failure:
        return degraded(failure)
    severe = [
        item
        for item in items(now, "conditions")
        if (item.get("status"), item.get("severity")) == ("False", "Error")
    ]
    if severe:
        return degraded(" ".join(str(item.get("message") or "") for item in severe))
    if ready is None or ready.state != "True":
        return progressing("Control plane is not ready")
    if state(live, "EKSControlPlaneUpdating") == "True":
        return progressing("EKS control plane is updating")
    return healthy("Control plane is ready")


_node_claim = once_observed(by_conditions(*READY, before=(When("Disrupting", "True", SUSPENDED),)))
"""Karpenter."""


def _shoot(live: Manifest) -> Found:
    """Gardener sums a cluster's health up in a label."""
    labels = mapping(mapping(live, "metadata"), "labels")
    answers = {"healthy": HEALTHY, "unhealthy": DEGRADED, "progressing": PROGRESSING, "unknown": UNKNOWN}
    word = labels.get("shoot.gardener.cloud/status")
    return Found(answers.get(str(word), PROGRESSING), f"Component state: {word or 'Update in progress'}")


def _binding(live: Manifest) -> Found:
    """Karmada: what was bound is scheduled, applied to each cluster, and well there."""
    now = status(live)
    found, clusters = items(now, "aggregatedStatus"), items(spec(live), "clusters")
    # A ResourceBinding may follow another and so name no clusters of its own.
    follows = live["kind"] == "ResourceBinding" and spec(live).get("clusters") is None
    if not found or not (clusters or follows) or len(found) < len(clusters):
        return progressing("Current resource status is insufficient")
    if any(item.get("health") == "Unhealthy" for item in found):
        return degraded("Current resource status is unhealthy")
    if any(item.get("health") == "Unknown" and item.get("applied") is not True for item in found):
        return degraded("Current resource status is unhealthy")
    return healthy()


def _bound(live: Manifest) -> Found:
    return _described_binding(live) if live.get("status") is not None else waiting(live)


_described_binding = requiring(_binding, "spec")


def _subscription(live: Manifest) -> Found:
    """OLM: catalogs that can be read, an install plan that does not fail, and the newest version installed. A plan that
    waits for somebody's approval is well where an older version runs."""
    now = status(live)
    states = {item.type: item for item in told(now)}
    said = "\n".join(f"{number}: {item.type} | {item.state}" for number, item in enumerate(told(now), 1))
    if now.get("conditions") is None:
        return waiting(live)
    for item in told(now):
        item.must_say("type", "status")
    bad = ("CatalogSourcesUnhealthy", "InstallPlanFailed", "ResolutionFailed")
    missing = states.get("InstallPlanMissing")
    if any(name in states and states[name].state == "True" for name in bad):
        return degraded(said)
    if missing is not None and missing.reason != "ReferencedInstallPlanNotFound":
        return degraded(said)
    word, pending = now.get("state"), states.get("InstallPlanPending")
    if word == "UpgradeFailed":
        return degraded(said)
    on_the_way = word in (None, "", "UpgradeAvailable", "UpgradePending")
    if (
        now.get("conditions") is not None
        and not on_the_way
        and not (pending is not None and pending.state == "True")
    ):
        return healthy(said)
    if (
        word not in (None, "", "UpgradeAvailable")
        and spec(live).get("installPlanApproval") == "Manual"
        and now.get("installedCSV") is not None
        and pending is not None
        and (pending.state, pending.reason) == ("True", "RequiresApproval")
    ):
        return healthy(said)
    return progressing(said)


def _three_scale(*bad: str, good: str = "Ready") -> tuple[When, ...]:
    return (
        *(When(name, "True", DEGRADED) for name in bad),
        When("Waiting", "True", SUSPENDED),
        When(good, "True", HEALTHY),
    )


_three_scale_object = by_conditions(*_three_scale("Failed", "Invalid", "Orphan"))
_three_scale_promotion = by_conditions(
    When("In-progress", "True", PROGRESSING), *_three_scale("Failed", "Invalid", "Orphan")
)
_three_scale_synced = by_conditions(*_three_scale("Failed", "Invalid", "Orphan", good="Synced"))
_three_scale_tenant = by_conditions(When("Ready", "True", HEALTHY), When("Ready", "", DEGRADED))


def _three_scale_application(live: Manifest) -> Found:
    if status(live).get("state") == "suspended":
        return suspended("3scale Application is suspended")
    return _three_scale_tenant(live)


def _developer_user(live: Manifest) -> Found:
    if status(live).get("developerUserState") == "suspended":
        return suspended("3scale Developer user is waiting for admin approval")
    return _three_scale_object(live)


def _tenant(live: Manifest) -> Found:
    """A 3scale tenant has an account and an administrator of its own once it is ready."""
    found = _three_scale_tenant(live)
    now = status(live)
    if found.status is HEALTHY and not (number(now, "tenantId") and number(now, "adminId")):
        return progressing("Waiting for the tenant's account")
    return found


def _api_manager(live: Manifest) -> Found:
    """Available; what it lacks is bad only where a reason is given."""
    parts = mapping(status(live), "deployments")
    if parts.get("ready") is not None and not parts.get("starting") and not parts.get("stopped"):
        return healthy("3scale APIManager is available")
    for item in told(status(live)):
        if item.type == "Available" and item.state == "True":
            return healthy("3scale APIManager is available")
        if item.type == "Available" and item.reason:
            return degraded(f"3scale APIManager is degraded: {item.reason}")
    return progressing("Waiting for 3scale APIManager status...")


_ANSIBLE = {"successful": HEALTHY, "failed": DEGRADED, "error": DEGRADED, "canceled": DEGRADED}
_ANSIBLE |= dict.fromkeys(("new", "pending", "running", "waiting"), PROGRESSING)


def _ansible_job(live: Manifest) -> Found:
    result = mapping(status(live), "ansibleJobResult")
    word = result.get("status")
    if not isinstance(word, str):
        return waiting(live)
    if word in _ANSIBLE and result.get("url") is None:
        raise Malformed("ansibleJobResult has no url")
    return Found(_ANSIBLE.get(word, PROGRESSING), f"{word} job - {text(result, 'url')}")


def _sap_service(live: Manifest) -> Found:
    """SAP BTP: nothing failed that speaks of this generation."""
    if status(live).get("conditions") is None:
        return waiting(live)
    for item in told(status(live)):
        if both(item.generation, generation(live)):
            return progressing("Waiting for spec update to be observed")
        if (item.type, item.state) in (("Failed", "True"), ("Succeeded", "False")):
            return degraded(item.message)
    return healthy("Ready to use")


CHECKS: Rows = {
    **rows("cluster.x-k8s.io", _pausable(_cluster), "Cluster"),
    **rows("cluster.x-k8s.io", _machine, "Machine"),
    **rows("cluster.x-k8s.io", _machine_pool, "MachinePool"),
    **rows("cluster.x-k8s.io", _pausable(_machine), "MachineDeployment"),
    **rows("cluster.x-k8s.io", _machine_health_check, "MachineHealthCheck"),
    **rows("addons.cluster.x-k8s.io", _resource_set, "ClusterResourceSet"),
    **rows("controlplane.cluster.x-k8s.io", once_observed(_aws_control_plane), "AWSManagedControlPlane"),
    **rows("karpenter.sh", _ready, "NodePool"),
    **rows("karpenter.sh", _node_claim, "NodeClaim"),
    **rows("karpenter.k8s.aws", _ready, "EC2NodeClass"),
    **rows("core.gardener.cloud", _shoot, "Shoot"),
    **rows("work.karmada.io", _bound, "ResourceBinding", "ClusterResourceBinding"),
    **rows("operators.coreos.com", _subscription, "Subscription"),
    **rows("apps.3scale.net", _api_manager, "APIManager"),
    **rows(
        "capabilities.3scale.net",
        _three_scale_object,
        "ActiveDoc",
        "ApplicationAuth",
        "CustomPolicyDefinition",
        "DeveloperAccount",
        "OpenAPI",
    ),
    **rows("capabilities.3scale.net", _three_scale_promotion, "ProxyConfigPromote"),
    **rows("capabilities.3scale.net", _three_scale_synced, "Backend", "Product"),
    **rows("capabilities.3scale.net", _three_scale_application, "Application"),
    **rows("capabilities.3scale.net", _developer_user, "DeveloperUser"),
    **rows("capabilities.3scale.net", _tenant, "Tenant"),
    **rows("tower.ansible.com", _ansible_job, "AnsibleJob"),
    **rows("services.cloud.sap.com", _sap_service, "ServiceBinding", "ServiceInstance"),
}
