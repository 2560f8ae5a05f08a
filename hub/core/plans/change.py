"""What somebody thinks of changing, read from JSON: the question that a plan answers.

The form is that of a Kubernetes object's `spec`, see `docs/plan.md`. Everything is bounded here, so that the rest need
not ask again.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from argosy import objects
from argosy.errors import Invalid
from argosy.machinery import structural
from argosy.objects import Manifest
from hub.core import repos, settings
from hub.core.access import rbac
from hub.core.fleet import Move
from hub.core.plans.limits import (
    DEFAULT_PATIENCE,
    DEFAULT_RENDERS,
    MOST_BYTES,
    MOST_FILES,
    MOST_OBJECTS,
    MOST_PATIENCE,
    MOST_RENDERS,
)
from hub.core.plans.upload import UploadedTree
from hub.core.schema.app_fields import GROUP_VERSION
from hub.core.served import argo
from hub.core.types import NAMESPACE, ClusterFacts

KINDS = {
    "ApplicationSet": GROUP_VERSION,
    "Application": GROUP_VERSION,
    "AppProject": GROUP_VERSION,
    "ConfigMap": "v1",
}
"""Kind -> apiVersion of what may be written."""
SCHEMAS = {
    served.kind.kind: served.kind.structural
    for served in (argo.APPLICATION_SET, argo.APPLICATION, argo.APP_PROJECT)
}
CONFIG_MAPS = (settings.CONFIG_MAP, rbac.CONFIG_MAP)
"""The ConfigMaps that may be: what others hold is seen only once it is there."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A repository as if the branches that its sources follow were at `revision`. `onto` restricts that to sources that
    follow one branch, "" to none; `repo` "" is the one in use that has it. `merged`: what a merge of it into each of these
    branches would give.
    """

    repo: str
    revision: str
    onto: str = ""
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """A repository as if the branches that its sources follow held these files."""

    repo: str
    tree: UploadedTree
    onto: str = ""


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of one cluster to be set, and keys to be taken away."""

    cluster: str
    put: Mapping[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Join:
    """A cluster that is not there yet. `server` "" is a placeholder: its address is decided when it joins."""

    name: str
    labels: Mapping[str, str] = field(default_factory=dict)
    server: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """All of it happens together. `written` are whole objects as they shall be, `deleted` are (kind, namespace, name).

    `renders` bounds how many applications are rendered to show their objects. `digest` names exactly this question.
    """

    written: tuple[Manifest, ...] = ()
    deleted: tuple[tuple[str, str, str], ...] = ()
    revisions: tuple[Revision, ...] = ()
    folders: tuple[Folder, ...] = ()
    labels: tuple[Labels, ...] = ()
    joins: tuple[Join, ...] = ()
    leaves: tuple[str, ...] = ()
    renders: int = DEFAULT_RENDERS
    patience: float = 0.0
    """Seconds for which clusters are asked for dry runs, 0 to ask none."""
    digest: str = ""

    @property
    def repositories(self) -> tuple[Revision | Folder, ...]:
        """What stands in the place of branches, each of another repository."""
        return (*self.revisions, *self.folders)


def parse(spec: Any) -> Change:
    """Raises `Invalid`, naming the field."""
    given = _mapping(spec, "spec")
    known = ("objects", "deletions", "revisions", "folders", "labels", "joins", "leaves", "renders", "dryRun")
    if unknown := sorted(set(given) - set(known)):
        raise Invalid(f"spec.{unknown[0]}: no such field; expected {', '.join(known)}")
    files = [_folder(one, where) for one, where in _list(given, "folders")]
    if sum(len(one.tree.read(path)) for one in files for path in one.tree.paths()) > MOST_BYTES:
        raise Invalid(f"spec.folders: more than {MOST_BYTES >> 20} MiB of files")
    renders = given.get("renders", DEFAULT_RENDERS)
    if not isinstance(renders, int) or isinstance(renders, bool) or not 0 <= renders <= MOST_RENDERS:
        raise Invalid(f"spec.renders: found {renders!r}, expected a number from 0 to {MOST_RENDERS}")
    dry = _mapping(given.get("dryRun") or {}, "spec.dryRun")
    patience = dry.get("seconds", DEFAULT_PATIENCE) if dry.get("on") == "clusters" else 0
    if dry and dry.get("on") != "clusters":
        raise Invalid(f'spec.dryRun.on: found {dry.get("on")!r}, expected "clusters"')
    if not isinstance(patience, int | float) or not 0 <= patience <= MOST_PATIENCE:
        raise Invalid(f"spec.dryRun.seconds: found {patience!r}, expected a number up to {MOST_PATIENCE:g}")
    change = Change(
        patience=float(patience),
        written=tuple(_written(one, where) for one, where in _list(given, "objects")),
        deleted=tuple(_deleted(one, where) for one, where in _list(given, "deletions")),
        revisions=tuple(_revision(one, where) for one, where in _list(given, "revisions")),
        folders=tuple(files),
        labels=tuple(_labels(one, where) for one, where in _list(given, "labels")),
        joins=tuple(_join(one, where) for one, where in _list(given, "joins")),
        leaves=tuple(_name(one, where) for one, where in _list(given, "leaves")),
        renders=renders,
        digest=objects.digest(objects.canonical({k: v for k, v in given.items() if k != "dryRun"})),
    )
    _check_twice([repos.identity(one.repo) for one in change.repositories if one.repo], "repository")
    _check_twice([*(one.name for one in change.joins), *change.leaves], "cluster")
    return change


def moves(change: Change, clusters: Mapping[str, ClusterFacts]) -> list[Move]:
    """What the change does to the fleet. `clusters` are those that there are, by name. Raises `Invalid`."""
    found: list[Move] = []
    now: dict[str, ClusterFacts | None] = {}
    for at, one in enumerate(change.labels):
        old = now.get(one.cluster) or clusters.get(one.cluster)
        if old is None:
            raise Invalid(f"spec.labels[{at}].cluster: there is no cluster {one.cluster!r}")
        labels = {key: text for key, text in {**old.labels, **one.put}.items() if key not in one.drop}
        new = ClusterFacts(old.name, old.server, labels, old.annotations, old.project, old.id)
        found.append(Move(old, new))
        now[one.cluster] = new
    for at, join in enumerate(change.joins):
        if join.name in clusters:
            raise Invalid(f"spec.joins[{at}].name: there is a cluster {join.name!r} already")
        server = join.server or f"https://{join.name}"
        found.append(
            Move(None, ClusterFacts(join.name, server, dict(join.labels), id=f"planned:{join.name}"))
        )
    for at, name in enumerate(change.leaves):
        if (old := now.get(name) or clusters.get(name)) is None:
            raise Invalid(f"spec.leaves[{at}]: there is no cluster {name!r}")
        found.append(Move(old, None))
    return found


def edited(live: Manifest | None, written: Manifest) -> Manifest:
    """The object as it would be: the spec (or data) that was written in place of the live one; labels and annotations that were
    written beside those that kubectl and the hub itself keep.
    """
    if live is None:
        return written
    metadata = {**live["metadata"], "labels": written["metadata"].get("labels") or {}}
    own = written["metadata"].get("annotations") or {}
    kept = {
        key: text
        for key, text in (live["metadata"].get("annotations") or {}).items()
        if key.startswith(("kubectl.kubernetes.io/", "argosy.dev/approve-", "argocd.argoproj.io/refresh"))
    }
    metadata["annotations"] = {**kept, **own}
    for name in ("labels", "annotations"):
        if not metadata[name]:
            del metadata[name]
    parts: Manifest = {name: written[name] for name in ("spec", "data") if name in written}
    whole: Manifest = {name: value for name, value in live.items() if name != "data"}
    return {**whole, "metadata": metadata, **parts}


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid(f"{where}: expected a mapping, found {type(value).__name__}")
    return value


def _list(spec: dict[str, Any], name: str) -> Iterable[tuple[Any, str]]:
    found = spec.get(name) or []
    if not isinstance(found, list):
        raise Invalid(f"spec.{name}: expected a list, found {type(found).__name__}")
    if len(found) > MOST_OBJECTS:
        raise Invalid(f"spec.{name}: {len(found)} entries, at most {MOST_OBJECTS} are looked at")
    return [(one, f"spec.{name}[{at}]") for at, one in enumerate(found)]


def _name(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise Invalid(f"{where}: expected a text, found {value!r}")
    return value


def _text(given: dict[str, Any], name: str, where: str) -> str:
    value = given.get(name) or ""
    if not isinstance(value, str):
        raise Invalid(f"{where}.{name}: expected a text, found {value!r}")
    return value


def _texts(given: dict[str, Any], name: str, where: str) -> dict[str, str]:
    found = _mapping(given.get(name) or {}, f"{where}.{name}")
    for key, value in found.items():
        if not isinstance(value, str):
            raise Invalid(f"{where}.{name}.{key}: expected a text, found {value!r}")
    return found


def _written(value: Any, where: str) -> Manifest:
    given = _mapping(value, where)
    _kind(given, where)
    metadata = _mapping(given.get("metadata"), f"{where}.metadata")
    name = _name(metadata.get("name"), f"{where}.metadata.name")
    if given["kind"] == "ConfigMap":
        _config_map(name, _text(metadata, "namespace", f"{where}.metadata"), where)
        _texts(given, "data", where)
    else:
        _mapping(given.get("spec"), f"{where}.spec")
        _known(given, where)
    return given


def _known(given: Manifest, where: str) -> None:
    """That the API would take every field: what it drops or refuses must not look as if it were planned."""
    schema = SCHEMAS[given["kind"]]
    unknown = structural.prune(given, schema)[1] if schema is not None else []
    if unknown:
        fields = ", ".join(unknown[:5]) + (f" and {len(unknown) - 5} more" if len(unknown) > 5 else "")
        raise Invalid(f"{where}: {given['kind']} {given['metadata']['name']}: unknown field {fields}")


def _config_map(name: str, namespace: str, where: str) -> None:
    if name not in CONFIG_MAPS or namespace not in ("", NAMESPACE):
        raise Invalid(
            f"{where}: found ConfigMap {namespace}/{name}, expected {' or '.join(CONFIG_MAPS)} in argocd"
        )


def _kind(given: dict[str, Any], where: str) -> str:
    kind = given.get("kind")
    version = given.get("apiVersion", KINDS.get(str(kind), GROUP_VERSION))
    if kind not in KINDS or version != KINDS[kind]:
        raise Invalid(
            f"{where}: found {version} {kind}, expected an ApplicationSet, an Application or an AppProject of "
            f"{GROUP_VERSION}, or a ConfigMap of v1"
        )
    return str(kind)


def _deleted(value: Any, where: str) -> tuple[str, str, str]:
    given = _mapping(value, where)
    kind, name = _kind(given, where), _name(given.get("name"), f"{where}.name")
    namespace = _text(given, "namespace", where) or NAMESPACE
    if kind == "ConfigMap":
        _config_map(name, namespace, where)
    return kind, namespace, name


def _repo(given: dict[str, Any], where: str) -> str:
    repo = _name(given.get("repo"), f"{where}.repo")
    try:
        repos.identity(repo)
    except Invalid as error:
        raise Invalid(f"{where}.repo: {error.message}") from None
    return repo


def _revision(value: Any, where: str) -> Revision:
    given = _mapping(value, where)
    revision = _name(given.get("revision"), f"{where}.revision")
    repo = _repo(given, where) if given.get("repo") else ""
    return Revision(repo, revision, _text(given, "onto", where), bool(given.get("merged")))


def _folder(value: Any, where: str) -> Folder:
    given = _mapping(value, where)
    encoded = _texts(given, "files", where)
    if len(encoded) > MOST_FILES:
        raise Invalid(f"{where}.files: {len(encoded)} files, at most {MOST_FILES} are taken")
    files: dict[str, bytes] = {}
    for path, text in encoded.items():
        if path.startswith("/") or any(part in ("", ".", "..") for part in path.split("/")):
            raise Invalid(f"{where}.files: {path!r} is no path inside a repository")
        try:
            files[path] = base64.b64decode(text, validate=True)
        except binascii.Error:
            raise Invalid(f"{where}.files.{path}: the content is not base64") from None
    named = {name: given.get(name) or [] for name in ("links", "executables")}
    for name, paths in named.items():
        if not isinstance(paths, list) or any(path not in files for path in paths):
            raise Invalid(f"{where}.{name}: expected a list of paths that are in files")
    for path in files:
        parent = path.rpartition("/")[0]
        if parent in files:
            raise Invalid(f"{where}.files: {parent!r} is a file and a folder")
    tree = UploadedTree(files, frozenset(named["links"]), frozenset(named["executables"]))
    return Folder(_repo(given, where), tree, _text(given, "onto", where))


def _labels(value: Any, where: str) -> Labels:
    given = _mapping(value, where)
    drop = given.get("remove") or []
    if not isinstance(drop, list) or not all(isinstance(key, str) for key in drop):
        raise Invalid(f"{where}.remove: expected a list of label keys")
    cluster = _name(given.get("cluster"), f"{where}.cluster")
    return Labels(cluster, _texts(given, "set", where), tuple(drop))


def _join(value: Any, where: str) -> Join:
    given = _mapping(value, where)
    name = _name(given.get("name"), f"{where}.name")
    return Join(name, _texts(given, "labels", where), _text(given, "server", where))


def _check_twice(names: Sequence[str], what: str) -> None:
    for name in names:
        if names.count(name) > 1:
            raise Invalid(f"spec: the {what} {name} is named twice")
