"""In which order the objects of an app are applied and removed: phases, waves, kinds, names.

Argo CD 3.6's rules (`gitops-engine/pkg/sync`: `sync_tasks.go`, `syncwaves`, `hook`): a task is one object in
one phase; tasks sort by phase, wave, rank of the kind, name; Namespaces and CRDs move up in front of what
needs them; prune tasks run with their waves swapped. Pure: manifests in, tasks out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import groupby
from typing import Any

from argosy import objects
from argosy.objects import Manifest, ObjectKey

WAVE = "argocd.argoproj.io/sync-wave"
HOOK = "argocd.argoproj.io/hook"
HOOK_DELETE = "argocd.argoproj.io/hook-delete-policy"
HELM_HOOK = "helm.sh/hook"
HELM_WEIGHT = "helm.sh/hook-weight"
HELM_HOOK_DELETE = "helm.sh/hook-delete-policy"
SYNC_OPTIONS = "argocd.argoproj.io/sync-options"


class Phase(IntEnum):
    """Phases of a sync in their order, and those of an app's removal, which no sync has."""

    PRE_SYNC = 0
    SYNC = 1
    POST_SYNC = 2
    SYNC_FAIL = 3
    PRE_DELETE = 4
    POST_DELETE = 5

    @property
    def word(self) -> str:
        """Argo CD's spelling."""
        return _WORDS[self]


_WORDS = {
    Phase.PRE_SYNC: "PreSync",
    Phase.SYNC: "Sync",
    Phase.POST_SYNC: "PostSync",
    Phase.SYNC_FAIL: "SyncFail",
    Phase.PRE_DELETE: "PreDelete",
    Phase.POST_DELETE: "PostDelete",
}
_PHASES = {word: phase for phase, word in _WORDS.items() if phase <= Phase.SYNC_FAIL}
_OTHER_HOOKS = frozenset({"Skip", "PreDelete", "PostDelete"})
_HELM_ENDINGS = {Phase.PRE_DELETE: "pre-delete", Phase.POST_DELETE: "post-delete"}
ENDINGS = (Phase.PRE_DELETE, Phase.POST_DELETE)
"""Phases of an app's removal: before and after its objects go."""
_HELM_PHASES = {
    "pre-install": Phase.PRE_SYNC,
    "pre-upgrade": Phase.PRE_SYNC,
    "post-install": Phase.POST_SYNC,
    "post-upgrade": Phase.POST_SYNC,
}
_HELM_DELETE = {
    "hook-succeeded": "HookSucceeded",
    "hook-failed": "HookFailed",
    "before-hook-creation": "BeforeHookCreation",
}

_RANKED = """
Namespace NetworkPolicy ResourceQuota LimitRange PodSecurityPolicy PodDisruptionBudget ServiceAccount Secret
SecretList ConfigMap StorageClass PersistentVolume PersistentVolumeClaim CustomResourceDefinition ClusterRole
ClusterRoleList ClusterRoleBinding ClusterRoleBindingList Role RoleList RoleBinding RoleBindingList Service
DaemonSet Pod ReplicationController ReplicaSet Deployment HorizontalPodAutoscaler StatefulSet Job CronJob
IngressClass Ingress APIService
"""
RANK: Mapping[str, int] = {kind: rank for rank, kind in enumerate(_RANKED.split())}
"""Looks at the kind alone, whatever its group; every other kind comes after these."""

_INTEGER = re.compile(r"([+-]?)0*([0-9]{1,19})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Task:
    """One object in one phase. `namespace` is where it goes: for objects without one the app's
    destination.
    """

    phase: Phase
    wave: int
    key: ObjectKey
    manifest: Manifest = field(repr=False, compare=False)
    namespace: str = ""
    hook: bool = False
    prune: bool = False


def rank(kind: str) -> int:
    return RANK.get(kind, len(RANK))


def annotations_of(manifest: Manifest) -> Mapping[str, str]:
    """The annotations, {} where there are none or one of them is no text: Argo CD then sees none of them."""
    found = (manifest.get("metadata") or {}).get("annotations") or {}
    return found if all(isinstance(value, str) for value in found.values()) else {}


def listed(text: str) -> tuple[str, ...]:
    """The items of a comma-separated annotation, trimmed, without empty ones."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def wave(manifest: Manifest) -> int:
    """The sync wave: an optionally signed decimal integer of 64 bits; Helm's hook weight where there is none; else 0."""
    notes = annotations_of(manifest)
    for name in (WAVE, HELM_WEIGHT):
        digits = _INTEGER.fullmatch(notes.get(name, ""))
        if digits and -(2**63) <= (number := int("".join(digits.groups()))) < 2**63:
            return number
    return 0


@dataclass(frozen=True, slots=True)
class Role:
    """What an object is in a sync: phases it runs in; `hook` False for an ordinary object (phase Sync).

    A hook without phases is run by no sync: Skip, delete hooks, hooks of unknown types.
    """

    phases: tuple[Phase, ...]
    hook: bool


def role(manifest: Manifest) -> Role:
    """Reads the hook annotations. Valid Argo CD sync types win over Helm's; delete types do not suppress
    them.
    """
    notes = annotations_of(manifest)
    types = listed(notes.get(HOOK, ""))
    valid = [item for item in types if item in _PHASES or item in _OTHER_HOOKS]
    phases = {_PHASES[item] for item in valid if item in _PHASES}
    helm = notes.get(HELM_HOOK, "crd-install")
    if not any(item in _PHASES or item == "Skip" for item in valid):
        phases |= {_HELM_PHASES[item] for item in listed(helm) if item in _HELM_PHASES}
    if phases:
        return Role(tuple(sorted(phases)), True)
    ordinary = HOOK not in notes and helm == "crd-install"
    return Role((Phase.SYNC,), False) if ordinary else Role((), True)


def is_hook(manifest: Manifest) -> bool:
    """Whether an object is a hook of a sync or of a removal, and so made anew each time."""
    part = role(manifest)
    return bool((part.hook and part.phases) or ends(manifest))


def ends(manifest: Manifest) -> tuple[Phase, ...]:
    """The phases of an app's removal that an object is a hook of; either annotation says so (Argo CD's
    `controller/hook.go`)."""
    notes = annotations_of(manifest)
    if HOOK not in notes and HELM_HOOK not in notes:
        return ()
    ours, helm = listed(notes.get(HOOK, "")), listed(notes.get(HELM_HOOK, ""))
    return tuple(phase for phase in ENDINGS if phase.word in ours or _HELM_ENDINGS[phase] in helm)


def ending_tasks(manifests: Iterable[Manifest], destination: str, phase: Phase) -> list[Task]:
    """The sorted hooks of one phase of an app's removal."""
    found = [
        Task(
            phase,
            wave(item),
            _key(item, destination),
            item,
            _namespace(item, destination),
            hook=True,
        )
        for item in manifests
        if phase in ends(item)
    ]
    return sorted(found, key=_order)


def skipped(manifest: Manifest) -> bool:
    """Whether the object says that no sync shall touch it."""
    types = listed(annotations_of(manifest).get(HOOK, ""))
    return [item for item in types if item in _PHASES or item == "Skip"] == ["Skip"]


def delete_policies(manifest: Manifest) -> frozenset[str]:
    """When a hook's object is deleted; Argo CD's default is before the next one is created."""
    notes = annotations_of(manifest)
    ours = {item for item in listed(notes.get(HOOK_DELETE, "")) if item in _HELM_DELETE.values()}
    helm = {_HELM_DELETE[item] for item in listed(notes.get(HELM_HOOK_DELETE, "")) if item in _HELM_DELETE}
    return frozenset(ours | helm) or frozenset({"BeforeHookCreation"})


def tasks(manifests: Iterable[Manifest], destination: str) -> list[Task]:
    """The sorted tasks that apply these objects."""
    found = [task for manifest in manifests for task in _tasks_of(manifest, destination)]
    found.sort(key=_order)
    return _lift(_lift(found, _namespaces_needed), _definitions_needed)


def order(
    manifests: Sequence[Manifest], live: Iterable[Manifest], destination: str, *, prune_last: bool = False
) -> list[Task]:
    """The tasks of a whole sync, prunes included: live objects that `manifests` lack, hooks excepted.

    Of several ordinary manifests with one key the last counts.
    """
    ordinary = [item for item in manifests if not role(item).hook]
    wanted = {_key(item, destination): item for item in ordinary}
    # A sync creates its hooks, so an ordinary object in the place of one goes; what is skipped is left as it is.
    known = {*wanted, *(_key(item, destination) for item in manifests if skipped(item))}
    anywhere = {key._replace(namespace="") for key in known}
    gone = [
        Task(Phase.SYNC, wave(item), _key(item, destination), item, _namespace(item, destination), prune=True)
        for item in live
        if not role(item).hook
        and _key(item, destination) not in known
        # A live object without a namespace lies in none, whatever its manifest says.
        and (item["metadata"].get("namespace") or _key(item, "") not in anywhere)
    ]
    found = [
        task
        for manifest in manifests
        for task in _tasks_of(manifest, destination)
        if task.hook or wanted[task.key] is manifest
    ]
    found.extend(_swap_waves(gone))
    # The last wave is that which objects ask for, not where what others need is lifted to.
    last = max([0, *(task.wave for task in found if task.phase is Phase.SYNC)]) + 1
    found = [
        replace(task, wave=last) if task.prune and (prune_last or _prunes_last(task)) else task
        for task in found
    ]
    found.sort(key=_order)
    return _lift(_lift(found, _namespaces_needed), _definitions_needed)


def _prunes_last(task: Task) -> bool:
    return "PruneLast=true" in listed(annotations_of(task.manifest).get(SYNC_OPTIONS, ""))


def stages(ordered: Iterable[Task]) -> list[tuple[Task, ...]]:
    """Consecutive tasks of one phase and wave: what runs together before anything is waited for."""
    return [tuple(group) for _, group in groupby(ordered, key=lambda task: (task.phase, task.wave))]


def removal_stages(live: Iterable[Manifest]) -> list[tuple[Manifest, ...]]:
    """Objects to delete, grouped by wave, the highest first, and within a wave in reverse order of kinds."""
    turned = sorted(
        live,
        key=lambda item: (wave(item), rank(item["kind"]), item["kind"], item["metadata"]["name"]),
        reverse=True,
    )
    return [tuple(group) for _, group in groupby(turned, key=wave)]


def _tasks_of(manifest: Manifest, destination: str) -> list[Task]:
    part = role(manifest)
    key, where = _key(manifest, destination), _namespace(manifest, destination)
    return [Task(phase, wave(manifest), key, manifest, where, hook=part.hook) for phase in part.phases]


def _namespace(manifest: Manifest, destination: str) -> str:
    return (manifest["metadata"].get("namespace") or "") or destination


def _key(manifest: Manifest, destination: str) -> ObjectKey:
    """The key with the destination for a namespace where there is none; a hook may lack a name as well."""
    metadata = manifest["metadata"]
    group, _ = objects.split_api_version(manifest["apiVersion"])
    name = metadata.get("name") or metadata.get("generateName") or ""
    return ObjectKey(group, manifest["kind"], _namespace(manifest, destination), name)


def _order(task: Task) -> tuple[Any, ...]:
    return task.phase, task.wave, rank(task.key.kind), task.key.name


Needs = Callable[[Task], Callable[[Task], bool] | None]


def _namespaces_needed(task: Task) -> Callable[[Task], bool] | None:
    if task.key.kind != "Namespace" or task.key.group:
        return None
    return lambda other: other.namespace == task.key.name


def _definitions_needed(task: Task) -> Callable[[Task], bool] | None:
    if task.key.kind != "CustomResourceDefinition" or task.key.group != "apiextensions.k8s.io":
        return None
    defined = defined_kind(task.manifest)
    if not all(defined):
        return None
    return lambda other: (other.key.group, other.key.kind) == defined


def defined_kind(definition: Manifest) -> tuple[str, str]:
    """(group, kind) that a CustomResourceDefinition defines; "" for what it does not say."""
    spec = definition.get("spec") or {}
    return spec.get("group") or "", (spec.get("names") or {}).get("kind") or ""


def _lift(found: list[Task], needs: Needs) -> list[Task]:
    """Moves each task that others need in front of the first of them; it takes over that one's phase and wave.

    What is pruned needs nothing any more, and what others need does not itself count among those who need
    something of its sort: a Namespace lies in none.
    """
    out = list(found)
    for task in found:
        needed = None if task.prune else needs(task)
        if needed is None:
            continue
        here = next(index for index, other in enumerate(out) if other is task)
        needy = (
            i
            for i, other in enumerate(out[:here])
            if not other.prune and needs(other) is None and needed(other)
        )
        first = next(needy, None)
        if first is not None:
            del out[here]
            out.insert(first, replace(task, phase=out[first].phase, wave=out[first].wave))
    return out


def _swap_waves(gone: Sequence[Task]) -> list[Task]:
    """The distinct waves in reverse: the highest takes the lowest's turn and so on."""
    waves = sorted({task.wave for task in gone})
    turned = dict(zip(waves, reversed(waves), strict=True))
    return [replace(task, wave=turned[task.wave]) for task in gone]
