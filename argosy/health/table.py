"""Which check looks at which kind, and the procedure around every check. One row per kind.

Kinds without a row have no health and do not count (ConfigMaps, RBAC, Namespaces, unknown custom kinds).
"""

from __future__ import annotations

from collections.abc import Mapping

from argosy.health import apps, batch, cluster, core, custom, typed
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
    ("apiregistration.k8s.io", "APIService"): (frozenset({"v1", "v1beta1"}), cluster.api_service),
}
"""(group, kind) -> (versions it knows, check). Other versions of these kinds are Unknown, as in Argo CD."""

ANY_VERSION: Mapping[tuple[str, str], Check] = {
    ("networking.k8s.io", "Ingress"): cluster.ingress,
    ("extensions", "Ingress"): cluster.ingress,
    ("argoproj.io", "Workflow"): batch.workflow,
}
"""Checks in Argo CD's own code that do not look at the version."""

SCRIPTED: Mapping[tuple[str, str], Check] = {
    ("batch", "CronJob"): batch.cron_job,
    ("policy", "PodDisruptionBudget"): cluster.disruption_budget,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): cluster.custom_resource_definition,
}
"""Checks of Kubernetes' own kinds that are scripts in Argo CD: a user's script that says nothing is not followed by
them."""


AUTOSCALERS: Mapping[str, Check] = {"v1": cluster.autoscaler_v1, "v2": cluster.autoscaler}
"""version -> check: autoscaling/v1 has its conditions elsewhere."""

_TYPED = frozenset({*(check for _, check in CHECKS.values()), *AUTOSCALERS.values()})
NO_USER_CHECKS = UserChecks()


def built_in(gvk: Gvk) -> Check | None:
    """The check of a kind that Argo CD has in its own code, None where it has none."""
    name = gvk.group, gvk.kind
    if name == ("autoscaling", "HorizontalPodAutoscaler"):
        return AUTOSCALERS.get(gvk.version, _unsupported)
    if name not in CHECKS:
        return ANY_VERSION.get(name)
    versions, check = CHECKS[name]
    return check if gvk.version in versions else _unsupported


def check_for(gvk: Gvk) -> Check | None:
    """The check of a kind, None where it has none."""
    name = gvk.group, gvk.kind
    return SCRIPTED.get(name) or built_in(gvk) or custom.check_for(*name)


def needs_content(gvk: Gvk, checks: UserChecks = NO_USER_CHECKS) -> bool:
    """Whether a check of this kind reads more of an object than metadata and status."""
    if checks.check_for(gvk.group, gvk.kind) is not None:
        return True
    return check_for(gvk) not in (None, cluster.custom_resource_definition)


def assess(live: Manifest, checks: UserChecks = NO_USER_CHECKS, *, unverified: bool = False) -> Found:
    """The health of a live object; users' own checks come before ours.

    What is being deleted is Progressing, unless its check fails or a user's check says otherwise. `unverified`: no API
    server vouches for the object, so that one which does not convert to its kind's type is Unknown.
    """
    metadata = live["metadata"]
    try:
        found, lasting = _checked(live, checks, unverified)
    except (Malformed, Failed) as error:
        return unknown(str(error))
    except (TypeError, AttributeError) as error:
        # A field of a custom kind that is of another type than its check reckons with.
        return unknown(f"{live['kind']} has a field of an unexpected type: {error}")
    finalizers = metadata.get("finalizers")
    finalizers = finalizers if isinstance(finalizers, list) else []
    if lasting or not metadata.get("deletionTimestamp") or HOOK_FINALIZER in finalizers:
        return found
    named = ", ".join(map(str, finalizers))
    return progressing(f"Pending deletion; blocked by finalizers: {named}" if named else "Pending deletion")


def _checked(live: Manifest, checks: UserChecks, unverified: bool) -> Answer:
    """A user's check that returns nothing leaves the object to the check in Argo CD's code, not to other rows."""
    gvk = gvk_of(live)
    own = checks.check_for(gvk.group, gvk.kind)
    answer = None if own is None else checks.answer(live, own)
    if answer is not None:
        return answer
    check = check_for(gvk) if own is None else built_in(gvk)
    if check is None:
        return Answer(NONE)
    if unverified and check in _TYPED:
        typed.convert(live)
    return Answer(check(live))


def _unsupported(live: Manifest) -> Found:
    raise typed.unsupported(live)
