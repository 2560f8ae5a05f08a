"""Rendered objects -> what is assigned: checked, put into their namespaces, marked as the Application's.

A mistake in one object is a problem that names it; any problem means that the app keeps its last good bundle.
What Argo CD only warns of is a warning here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from argosy import objects, stages
from argosy.annotations import INSTALLATION_ID, INSTANCE_LABEL, TRACKING_ID
from argosy.errors import Problem
from argosy.objects import Manifest, ObjectKey
from hub.core import scopes

ANNOTATION, LABEL, BOTH, NONE = "annotation", "label", "annotation+label", "none"
METHODS = (ANNOTATION, LABEL, BOTH, NONE)
"""Argo CD's `application.resourceTrackingMethod`; "none" leaves the objects as they are."""
_LABEL_LENGTH = 63
_OLD_LABEL = "applications.argoproj.io/app-name"
_WITH_PODS = frozenset(
    [("batch", "Job"), *(("apps", kind) for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet"))]
)


@dataclass(frozen=True, slots=True)
class Target:
    """For whom objects are finished. `app` is `sources.instance_name`; leave it "" with method "none", so
    that equal sources of many Applications share one bundle.
    """

    namespace: str = ""
    app: str = ""
    method: str = ANNOTATION
    instance_label: str = INSTANCE_LABEL
    installation: str = ""


@dataclass(frozen=True, slots=True)
class Limits:
    """The largest object in bytes of JSON (an API server takes 3 MiB), the number of objects, and bytes in
    all.
    """

    object_bytes: int = 3 * 1024 * 1024
    count: int = 20_000
    total_bytes: int = 128 * 1024 * 1024


LIMITS = Limits()


@dataclass(frozen=True, slots=True)
class Finished:
    """`objects` is good for a bundle only where there are no `problems`."""

    objects: list[Manifest]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


def finish(rendered: Sequence[Any], target: Target, limits: Limits = LIMITS) -> Finished:
    """`rendered` is what the sources gave, in their order: of two objects with one key the later wins, with a
    warning.

    The given objects are not changed.
    """
    if len(rendered) > limits.count:
        return Finished([], (Problem("", f"{len(rendered)} objects, at most {limits.count} are accepted"),))
    problems = [problem for at, each in enumerate(rendered) for problem in _check(each, at)]
    if problems:
        return Finished([], tuple(problems))
    outside = scopes.cluster_scoped(rendered)
    found: dict[ObjectKey, Manifest] = {}
    warnings: list[Problem] = []
    size = 0
    for each in rendered:
        group = objects.split_api_version(each["apiVersion"])[0]
        namespaced = (group, each["kind"]) not in outside
        manifest = _placed(each, target.namespace if namespaced else None)
        key = objects.key_of(manifest)
        if namespaced and not key.namespace:
            problems.append(
                Problem(_shown(key), "has no namespace, and spec.destination.namespace is not set")
            )
            continue
        if not _defines(key) or each["metadata"].get("namespace"):
            manifest = _tracked(manifest, key, target)
        try:
            length = len(objects.canonical(manifest))
        except TypeError as error:
            problems.append(Problem(_shown(key), f"cannot be written as JSON: {error}"))
            continue
        size += length
        if length > limits.object_bytes:
            problems.append(
                Problem(_shown(key), f"{length} bytes, at most {limits.object_bytes} are accepted")
            )
        if key in found:
            warnings.append(Problem(_shown(key), "appears more than once; the last one is used"))
            del found[key]
        found[key] = manifest
    if size > limits.total_bytes:
        problems.append(Problem("", f"{size} bytes in all, at most {limits.total_bytes} are accepted"))
    return Finished([] if problems else list(found.values()), tuple(problems), tuple(warnings))


def _check(manifest: Any, at: int) -> Iterable[Problem]:
    """What every API server would refuse, said before anything is sent."""
    where = f"object {at + 1}"
    if not isinstance(manifest, dict):
        yield Problem(where, f"a mapping is expected, found {type(manifest).__name__}")
        return
    for required in ("apiVersion", "kind"):
        if not isinstance(manifest.get(required), str) or not manifest[required]:
            yield Problem(where, f"{required} is missing")
            return
    metadata = manifest.get("metadata")
    where = f"{manifest['kind']} ({where})"
    if not isinstance(metadata, dict):
        yield Problem(where, "metadata is missing")
        return
    name = metadata.get("name")
    if not name and metadata.get("generateName"):
        if not isinstance(metadata["generateName"], str):
            yield Problem(where, f"metadata.generateName: {metadata['generateName']!r} is no text")
            return
        if not isinstance(metadata.get("annotations"), dict) or not stages.is_hook(manifest):
            yield Problem(where, "metadata.generateName without metadata.name is for hooks only")
            return
        name = metadata["generateName"]
    if not isinstance(name, str) or not name:
        yield Problem(
            where, "metadata.name is missing" if not name else f"metadata.name: {name!r} is no text"
        )
        return
    where = f"{manifest['kind']} {name}"
    namespace = metadata.get("namespace")
    if namespace is not None and not isinstance(namespace, str):
        yield Problem(where, f"metadata.namespace: {namespace!r} is no text")
    for field in ("labels", "annotations"):
        yield from _check_texts(metadata.get(field), f"metadata.{field}", where)


def _check_texts(values: Any, path: str, where: str) -> Iterable[Problem]:
    if values is None:
        return
    if not isinstance(values, dict):
        yield Problem(where, f"{path}: a mapping is expected")
        return
    for key, value in values.items():
        if value is not None and not isinstance(value, str):
            yield Problem(where, f"{path}.{key}: {value!r} is no text; write it in quotes")


def _placed(manifest: Manifest, namespace: str | None) -> Manifest:
    """A copy of what changes, in `namespace` where it has none of its own; None takes it out of any
    namespace.
    """
    metadata = {
        key: value for key, value in manifest["metadata"].items() if key not in ("managedFields", "namespace")
    }
    if metadata.get("creationTimestamp", "") is None:
        del metadata["creationTimestamp"]
    wanted = "" if namespace is None else manifest["metadata"].get("namespace") or namespace
    if wanted:
        metadata["namespace"] = wanted
    return {**manifest, "metadata": metadata}


def _defines(key: ObjectKey) -> bool:
    """Argo CD does not mark definitions of kinds, but for those that it has to take out of a namespace."""
    return (key.group, key.kind) == scopes.CRD


def _tracked(manifest: Manifest, key: ObjectKey, target: Target) -> Manifest:
    """Argo CD's marks (`util/argo/resource_tracking.go`)."""
    if target.method == NONE:
        return manifest
    metadata = dict(manifest["metadata"])
    if target.method in (ANNOTATION, BOTH):
        annotations = dict(metadata.get("annotations") or {})
        annotations[TRACKING_ID] = tracking_id(key, target)
        if target.installation:
            annotations[INSTALLATION_ID] = target.installation
        else:
            annotations.pop(INSTALLATION_ID, None)
        metadata["annotations"] = annotations
    if target.method in (LABEL, BOTH):
        labels = dict(metadata.get("labels") or {})
        labels[target.instance_label] = _label(target.app)
        metadata["labels"] = labels
        if target.instance_label == _OLD_LABEL:
            manifest = _template_marked(manifest, key, _label(target.app))
    return {**manifest, "metadata": metadata}


def _label(app: str) -> str:
    """A name as the value of a label: not too long, and with a letter or digit at its end."""
    return app if len(app) <= _LABEL_LENGTH else app[:_LABEL_LENGTH].rstrip("-._")


def _template_marked(manifest: Manifest, key: ObjectKey, app: str) -> Manifest:
    """The label of Argo CD's first versions is put on the Pods of workloads as well."""
    spec = manifest.get("spec")
    if (key.group, key.kind) not in _WITH_PODS or not isinstance(spec, dict):
        return manifest
    template = _mapping(spec.get("template"))
    metadata = _mapping(template.get("metadata"))
    labels = {**_mapping(metadata.get("labels")), _OLD_LABEL: app}
    return {
        **manifest,
        "spec": {**spec, "template": {**template, "metadata": {**metadata, "labels": labels}}},
    }


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def tracking_id(key: ObjectKey, target: Target) -> str:
    """`app:group/Kind:namespace/name`; an object outside namespaces has the app's own namespace in its
    place.
    """
    return f"{target.app}:{key.group}/{key.kind}:{key.namespace or target.namespace}/{key.name}"


def _shown(key: ObjectKey) -> str:
    place = f"{key.namespace}/{key.name}" if key.namespace else key.name
    return f"{key.kind} {place}"
