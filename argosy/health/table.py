"""Which check looks at which kind, and the procedure around every check. One row per kind.

Kinds without a row have no health and do not count (ConfigMaps, RBAC, Namespaces, unknown custom kinds).
"""

from __future__ import annotations

from collections.abc import Mapping

from argosy.health import apps, batch, cluster, core, custom
from argosy.health.base import NONE, Check, Found, Malformed, progressing, unknown
from argosy.health.user import Answer, Failed, UserChecks
from argosy.kinds import Gvk, gvk_of
from argosy.objects import Manifest

HOOK_FINALIZER = "argocd.argoproj.io/hook-finalizer"

CHECKS: Mapping[tuple[str, str], tuple[frozenset[str], Check]] = {
    ("apps", "Deployment"): (frozenset({"v1"}), apps.deployment),
    ("apps", "StatefulSet"): (frozenset({"v1"}), apps.stateful_set),
    ("apps", "DaemonSet"): (frozenset({"v1"}), apps.daemon_set),
    ("apps", "ReplicaSet"): (frozenset({"v1"}), apps.replica_set),
    ("", "Pod"): (frozenset({"v1"}), core.pod),
    ("", "PersistentVolumeClaim"): (frozenset({"v1"}), core.persistent_volume_claim),
    ("", "Service"): (frozenset({"v1"}), core.service),
    ("batch", "Job"): (frozenset({"v1"}), batch.job),
    ("networking.k8s.io", "Ingress"): (frozenset({"v1", "v1beta1"}), cluster.ingress),
    ("extensions", "Ingress"): (frozenset({"v1beta1"}), cluster.ingress),
    ("apiregistration.k8s.io", "APIService"): (frozenset({"v1", "v1beta1"}), cluster.api_service),
    ("argoproj.io", "Workflow"): (frozenset({"v1alpha1"}), batch.workflow),
}
"""(group, kind) -> (versions it knows, check). Other versions of these kinds are Unknown, as in Argo CD."""

ANY_VERSION: Mapping[tuple[str, str], Check] = {
    ("batch", "CronJob"): batch.cron_job,
    ("policy", "PodDisruptionBudget"): cluster.disruption_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): cluster.custom_resource_definition,
}
"""Checks that do not look at the version."""


NO_USER_CHECKS = UserChecks()


def built_in(gvk: Gvk) -> Check | None:
    """The check of a kind that Argo CD has in its own code, None where it has none."""
    name = gvk.group, gvk.kind
    if name == ("autoscaling", "HorizontalPodAutoscaler"):
        return {"v1": cluster.autoscaler_v1, "v2": cluster.autoscaler}.get(gvk.version, _unsupported)
    if name not in CHECKS:
        return None
    versions, check = CHECKS[name]
    return check if gvk.version in versions else _unsupported


def check_for(gvk: Gvk) -> Check | None:
    """The check of a kind, None where it has none."""
    name = gvk.group, gvk.kind
    return ANY_VERSION.get(name) or built_in(gvk) or custom.check_for(*name)


def needs_content(gvk: Gvk, checks: UserChecks = NO_USER_CHECKS) -> bool:
    """Whether a check of this kind reads more of an object than metadata and status."""
    if checks.script_for(gvk.group, gvk.kind) is not None:
        return True
    return check_for(gvk) not in (None, cluster.custom_resource_definition)


def assess(live: Manifest, checks: UserChecks = NO_USER_CHECKS) -> Found:
    """The health of a live object; users' own checks come before ours.

    What is being deleted is Progressing, unless its check fails or a user's check says otherwise.
    """
    metadata = live["metadata"]
    try:
        found, lasting = _checked(live, checks)
    except (Malformed, Failed) as error:
        return unknown(str(error))
    finalizers = metadata.get("finalizers") or []
    if lasting or not metadata.get("deletionTimestamp") or HOOK_FINALIZER in finalizers:
        return found
    blocking = f", waiting for finalizers: {', '.join(finalizers)}" if finalizers else ""
    return progressing(f"Pending deletion{blocking}")


def _checked(live: Manifest, checks: UserChecks) -> Answer:
    """A user's check that returns nothing leaves the object to the check in Argo CD's code, not to other rows."""
    gvk = gvk_of(live)
    script = checks.script_for(gvk.group, gvk.kind)
    answer = None if script is None else checks.answer(live, script)
    if answer is not None:
        return answer
    check = check_for(gvk) if script is None else built_in(gvk)
    return Answer(NONE if check is None else check(live))


def _unsupported(live: Manifest) -> Found:
    return unknown(f"unsupported version {live['apiVersion']} of {live['kind']}")
