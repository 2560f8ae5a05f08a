"""Whether one object may be deleted. The only code that ever says yes; pure.

An object is deleted only where a written removal lists it, the inventory holds it, its UID is the one we know (or it
bears our own mark), no bundle of the cluster wants it, nothing protects it, and the removal has not expired.

Without a word of the user's three sorts are protected, for their end takes more with it than the object: claims of
volumes, namespaces that hold foreign objects, definitions of kinds that have instances.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.core import exclusions, options
from agent.core.inventory import Entry
from agent.core.marks import Seen
from agent.core.requests import AUTOMATIC, Request
from agent.core.steps import Reason, Why
from argosy import stages
from argosy.bundle import Policy, Removal
from argosy.kinds import CRD
from argosy.objects import Manifest, ObjectKey, key_of

HELM_POLICY = "helm.sh/resource-policy"
PROTECT = "argosy.dev/protect"
"""Annotation: "true" protects an object, "false" lifts what is protected without a word."""
CLAIM = "", "PersistentVolumeClaim"
NAMESPACE = "", "Namespace"
DEFINITION = CRD.group, CRD.kind
_HOLD_UP = (
    "NamespaceDeletionDiscoveryFailure",
    "NamespaceDeletionContentFailure",
    "NamespaceContentRemaining",
    "NamespaceFinalizersRemaining",
)
_MADE_BY_THE_CLUSTER = frozenset({("", "ServiceAccount", "default"), ("", "ConfigMap", "kube-root-ca.crt")})
_OF_NO_WEIGHT = frozenset(
    {("", "Event"), ("events.k8s.io", "Event"), ("", "Endpoints"), ("metrics.k8s.io", "PodMetrics")}
)
_APPROVE = (
    "waiting for annotation argocd.argoproj.io/deletion-approved with the present time on the Application"
)


@dataclass(frozen=True, slots=True)
class Leave:
    """Whether an app's single objects may be pruned at all: its policy, and what the last sync was asked for. `empty`:
    the bundle has no objects any more.
    """

    policy: Policy
    request: Request = AUTOMATIC
    empty: bool = False

    def refused(self, key: ObjectKey) -> Reason | None:
        """Why this object is not pruned whatever is written, None where it may be."""
        asked = self.request.prune and not self.request.dry_run and self.request.concerns(key)
        if asked:
            return None
        if not self.policy.prune:
            return Reason(Why.NOT_PRUNED, "ignored (requires pruning)")
        if self.empty and not self.policy.allow_empty:
            return Reason(Why.NOT_PRUNED, "auto-sync will wipe out all resources, and allowEmpty is not set")
        return None

    def confirmed(self, removal: Removal) -> bool:
        """Whether a person approved deletions since the removal was written; in whole seconds, as people write them."""
        return self.policy.deletion_approved >= int(removal.created)


def refused(removal: Removal, *, holding: str, now: float) -> Reason | None:
    """Why a removal is not carried out at all, None where it may be."""
    if holding:
        return Reason(Why.HOLDING, f"removals are refused: {holding}")
    if now >= removal.expires:
        again = "; a sync with prune asks for it again" if removal.key else ""
        return Reason(Why.EXPIRED, f"removal {removal.id} expired{again}")
    return None


def protected(live: Manifest, option: str, app_options: Iterable[str] = ()) -> str:
    """What protects a live object from `Prune` or from `Delete` (the option's name), "" where nothing does.

    The object's own option wins over the app's. `confirm` protects as well, until a person approves.
    """
    notes = stages.annotations_of(live)
    if notes.get(PROTECT) == "true":
        return f"annotation {PROTECT}"
    if notes.get(HELM_POLICY) == "keep":
        return f"annotation {HELM_POLICY}: keep"
    value = options.value(options.of(live), option) or options.value(app_options, option)
    return f"sync option {option}={value}" if value in ("false", "confirm") else ""


def judge(
    entry: Entry,
    live: Seen,
    assignment: str,
    option: str,
    app_options: Iterable[str] = (),
    *,
    confirmed: bool = False,
) -> Reason | None:
    """Why this live object is not deleted, None where it may be. `NOT_OURS` means: forget it, it is another one.

    `confirmed`: a person approved what asks for it (Argo CD's `Prune=confirm` and `Delete=confirm`).
    """
    if live.owner not in ("", assignment):
        return Reason(Why.NOT_OURS, f"belongs to {live.owner} now")
    if entry.uid and entry.uid != live.uid:
        return Reason(Why.NOT_OURS, "another object has that name now")
    if not entry.uid and live.owner != assignment:
        return Reason(Why.NOT_OURS, "it bears no mark of ours")
    if exclusions.excluded(app_options, live.key):
        return Reason(Why.PROTECTED, "its kind is excluded in the settings")
    sort = live.key.group, live.key.kind
    if option == "Delete" and sort == DEFINITION:
        return Reason(Why.PROTECTED, "CustomResourceDefinitions stay when an app is deleted")
    shield = protected(live.body, option, app_options)
    if shield == f"sync option {option}=confirm":
        return None if confirmed else Reason(Why.CONFIRM, f"{shield}: {_APPROVE}")
    if not shield and sort == CLAIM and not unshielded(live.body):
        shield = f'the data of a PersistentVolumeClaim; annotation {PROTECT}: "false" lets it go'
    return Reason(Why.PROTECTED, shield) if shield else None


def unshielded(live: Manifest) -> bool:
    """Whether the user lifted what is protected without a word."""
    return stages.annotations_of(live).get(PROTECT) == "false"


def takes_more(live: Seen) -> bool:
    """Whether the end of the object is the end of others, so that these must be looked at first."""
    return (live.key.group, live.key.kind) in (NAMESPACE, DEFINITION) and not unshielded(live.body)


def foreign(manifest: Manifest, doomed: frozenset[str]) -> bool:
    """Whether an object in a namespace, or of a kind, has a life of its own: it is not among the UIDs that go anyway,
    belongs to no other object (which is looked at itself), and the cluster does not make it in every namespace.
    """
    key, metadata = key_of(manifest), manifest["metadata"]
    if metadata.get("uid") in doomed or metadata.get("ownerReferences"):
        return False
    return (key.group, key.kind, key.name) not in _MADE_BY_THE_CLUSTER


def weighs(group: str, kind: str) -> bool:
    """Whether objects of that kind count as content of a namespace: records of what happened do not."""
    return (group, kind) not in _OF_NO_WEIGHT


def held_up(live: Manifest) -> str:
    """Why an object whose deletion was accepted is still there: its finalizers, who set them, and since when."""
    metadata = live["metadata"]
    since = metadata.get("deletionTimestamp", "")
    names = [*(metadata.get("finalizers") or ())]
    parts = [f"{name}{_setter(metadata, name)}" for name in names]
    if live["kind"] == "Namespace":
        conditions = {item.get("type"): item for item in (live.get("status") or {}).get("conditions") or ()}
        parts += [
            str(conditions[name].get("message"))
            for name in _HOLD_UP
            if (conditions.get(name) or {}).get("status") == "True"
        ]
    held = f"held by finalizer {', '.join(parts)}" if names else "; ".join(parts)
    return "being deleted" + (f" since {since}" if since else "") + (f": {held}" if held else "")


def _setter(metadata: Mapping[str, Any], finalizer: str) -> str:
    """` (set by "manager")`, or "" where the server does not know."""
    setters = [
        entry.get("manager")
        for entry in metadata.get("managedFields") or ()
        if f'v:"{finalizer}"'
        in ((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:finalizers", {})
    ]
    return f' (set by "{setters[0]}")' if setters else ""


def ordered(live: Mapping[object, Seen]) -> list[tuple[Seen, ...]]:
    """The objects to delete, stage after stage: the highest wave first."""
    by_body = {id(item.body): item for item in live.values()}
    groups = stages.removal_stages(item.body for item in live.values())
    return [tuple(by_body[id(body)] for body in group) for group in groups]
