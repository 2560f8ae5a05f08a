"""From a bundle to tasks: namespaces settled by the kinds' scopes, marks put on, everything in its order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent.core import exclusions, marks, outside
from agent.core import options as sync_options
from agent.core.marks import Wanted
from argosy import objects, stages
from argosy.bundle import NAMESPACE_METADATA, Assignment
from argosy.kinds import CRD, Gvk, Kinds, by_name, gvk_of
from argosy.objects import Manifest, ObjectKey
from argosy.stages import Phase, Task

DEFAULT_NAMESPACE = "default"


@dataclass(frozen=True, slots=True)
class Prepared:
    """One bundle for one assignment. `stages` hold ordinary objects and hooks of a sync, `after_failure` the hooks of
    phase SyncFail. `defines` are the (group, kind) pairs that CRDs of the bundle bring."""

    stages: tuple[tuple[Task, ...], ...] = ()
    wanted: Mapping[ObjectKey, Wanted] = field(default_factory=dict)
    after_failure: tuple[Task, ...] = ()
    hooks: frozenset[ObjectKey] = frozenset()
    defines: frozenset[tuple[str, str]] = frozenset()
    problems: tuple[str, ...] = ()
    creates_namespace: bool = False
    warnings: tuple[str, ...] = ()
    """Sync options that have no effect, in words."""
    excluded: tuple[ObjectKey, ...] = ()
    """Objects that are left alone, for their kind is excluded."""
    namespace_metadata: str = ""
    """Labels and annotations of the namespace that is created, as JSON; "" leaves them alone."""

    @property
    def gvks(self) -> frozenset[Gvk]:
        """All kinds that occur."""
        tasks = (task for stage in self.stages for task in stage)
        return frozenset(gvk_of(task.manifest) for task in tasks)


def prepare(manifests: Sequence[Any], assignment: Assignment, kinds: Kinds) -> Prepared:
    """The tasks of a bundle. Objects that cannot be objects at all are named in `problems` and left out."""
    good: list[Manifest] = []
    problems = []
    for number, manifest in enumerate(manifests):
        problem = _problem(manifest)
        if problem:
            problems.append(f"object {number + 1} of the bundle {problem}")
        else:
            good.append(manifest)
    scopes = _defined_scopes(good)
    destination = assignment.destination_namespace or DEFAULT_NAMESPACE
    settled = [_settle(manifest, kinds, scopes, destination) for manifest in good]
    tasks = [_named(task) for task in stages.tasks(settled, destination)]
    options = assignment.policy.sync_options
    shut = [task.key for task in tasks if exclusions.excluded(options, task.key)]
    tasks = [task for task in tasks if task.key not in shut] if shut else tasks
    barred = {task.key for task in tasks if outside.refused(options, task.key)}
    tasks = [task for task in tasks if task.key not in barred] if barred else tasks
    problems += [_barred(key, assignment.project) for key in sorted(barred)]
    wanted = {
        task.key: marks.marked(task.manifest, task.key, assignment.id, options=options)
        for task in tasks
        if not task.hook
    }
    # Of two objects with one key the last one wins, as in Argo CD; it keeps the place of the last one.
    last = {task.key: task for task in tasks if not task.hook}
    kept = [task for task in tasks if task.hook or last[task.key] is task]
    namespaces = {task.key.name for task in kept if (task.key.group, task.key.kind) == ("", "Namespace")}
    return Prepared(
        stages=tuple(stages.stages(task for task in kept if task.phase is not Phase.SYNC_FAIL)),
        wanted=wanted,
        after_failure=tuple(task for task in kept if task.phase is Phase.SYNC_FAIL),
        hooks=frozenset(task.key for task in kept if task.hook),
        defines=frozenset(scopes),
        problems=tuple(problems),
        warnings=sync_options.problems(options, ((task.key, task.manifest) for task in kept)),
        excluded=tuple(shut),
        creates_namespace="CreateNamespace=true" in options
        and bool(assignment.destination_namespace)
        and assignment.destination_namespace not in namespaces,
        namespace_metadata=sync_options.value(options, NAMESPACE_METADATA),
    )


def endings(
    manifests: Sequence[Any], destination: str, kinds: Kinds, phase: Phase, options: Sequence[str] = ()
) -> tuple[tuple[Task, ...], ...]:
    """The hooks of one phase of an app's removal, a wave at a time, as far as its sync options permit them."""
    good = [manifest for manifest in manifests if not _problem(manifest)]
    scopes = _defined_scopes(good)
    destination = destination or DEFAULT_NAMESPACE
    found = stages.ending_tasks(
        (_settle(manifest, kinds, scopes, destination) for manifest in good), destination, phase
    )
    tasks = map(_named, found)
    return tuple(stages.stages(task for task in tasks if not outside.refused(options, task.key)))


def hook(task: Task, assignment: Assignment, operation: str, started: float) -> Wanted:
    """A hook as it is created in one phase of an operation; a nameless one gets Argo CD's name for it."""
    metadata: dict[str, Any] = task.manifest["metadata"]
    name = metadata.get("name") or (
        f"{metadata['generateName']}{assignment.revision[:7]}-{task.phase.word}-{int(started)}".lower()
    )
    manifest = {
        **task.manifest,
        "metadata": {
            **{key: value for key, value in metadata.items() if key != "generateName"},
            "name": name,
        },
    }
    options, mark = assignment.policy.sync_options, f"{operation}.{task.phase.word}"
    return marks.marked(manifest, objects.key_of(manifest), assignment.id, operation=mark, options=options)


def _problem(manifest: Any) -> str:
    """What makes it no Kubernetes object, "" where nothing does."""
    if not isinstance(manifest, dict):
        return f"is {type(manifest).__name__}, expected an object"
    metadata = manifest.get("metadata")
    for name in ("apiVersion", "kind"):
        if not isinstance(manifest.get(name), str) or not manifest[name]:
            return f"has no {name}"
    if not isinstance(metadata, dict):
        return "has no metadata"
    has_name = isinstance(metadata.get("name"), str) and metadata["name"]
    generated = stages.role(manifest).hook and isinstance(metadata.get("generateName"), str)
    if not (has_name or generated):
        return f"({manifest['kind']}) has no metadata.name"
    parts_fit = all(isinstance(metadata.get(part) or {}, dict) for part in ("labels", "annotations"))
    return (
        ""
        if parts_fit
        else f"({manifest['kind']} {metadata.get('name')}) has labels or annotations that are no map"
    )


def _barred(key: ObjectKey, project: str) -> str:
    kind = f"{key.group}/{key.kind}" if key.group else key.kind
    return f"resource {kind} {key.name} is not permitted in project '{project}': this cluster has it outside namespaces"


def _defined_scopes(manifests: Iterable[Manifest]) -> dict[tuple[str, str], bool]:
    """(group, kind) -> namespaced, of the CRDs in a bundle: their kinds are not served yet at the first sync."""
    found = {}
    for manifest in manifests:
        if manifest["kind"] == CRD.kind and objects.split_api_version(manifest["apiVersion"])[0] == CRD.group:
            pair = stages.defined_kind(manifest)
            if all(pair):
                found[pair] = (manifest.get("spec") or {}).get("scope") != "Cluster"
    return found


def _settle(
    manifest: Manifest, kinds: Kinds, scopes: Mapping[tuple[str, str], bool], destination: str
) -> Manifest:
    gvk = gvk_of(manifest)
    known = kinds.get(gvk) or by_name(kinds.values(), gvk.group, gvk.kind)
    namespaced = known.namespaced if known is not None else scopes.get((gvk.group, gvk.kind), True)
    metadata = manifest["metadata"]
    if namespaced:
        if metadata.get("namespace"):
            return manifest
        return {**manifest, "metadata": {**metadata, "namespace": destination}}
    if "namespace" not in metadata:
        return manifest
    return {**manifest, "metadata": {name: value for name, value in metadata.items() if name != "namespace"}}


def _named(task: Task) -> Task:
    """The task under the object's true key: ordering uses the destination as the namespace of cluster-scoped objects."""
    key = ObjectKey(
        task.key.group, task.key.kind, task.manifest["metadata"].get("namespace") or "", task.key.name
    )
    return replace(task, key=key)
