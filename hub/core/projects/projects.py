"""What an AppProject permits (Argo CD 3.6, `app_project_types.go`): sources, destinations, kinds, namespaces.

Pure questions of one project's manifest. The rules are Argo CD's to the letter, its oddities too: they are a
security boundary that people have tested their projects against.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from argosy import gobwas
from argosy.objects import Manifest, split_api_version
from hub.core import expressions, scopes
from hub.core.matching import globs, gourl

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as projects know it. Either may be ""."""

    server: str
    name: str


@dataclass(frozen=True, slots=True)
class Resource:
    """An object as far as a project looks at it. `namespace` is "" for one outside namespaces."""

    group: str
    kind: str
    name: str
    namespace: str
    namespaced: bool


def permits_source(project: Manifest, address: str) -> bool:
    """May an application of the project use this repository? A denial beats everything; one that does not hit
    counts as a permission."""
    asked = gourl.normalized(address)
    permitted = False
    for pattern in _spec(project).get("sourceRepos") or ():
        if pattern.startswith("!"):
            if gobwas.match(gourl.normalized(pattern[1:]), asked, "/"):
                return False
            permitted = True
        elif _glob(gourl.normalized(pattern), asked, "/"):
            permitted = True
    return permitted


def permits_destination(
    project: Manifest, cluster: Cluster, namespace: str, project_clusters: Iterable[Cluster] = ()
) -> bool:
    """May applications go there? `project_clusters` are those that belong to the project, of which the cluster must
    be one where it says `permitOnlyProjectScopedClusters`."""
    if not _matches_destination(project, cluster, namespace):
        return False
    if not _spec(project).get("permitOnlyProjectScopedClusters"):
        return True
    return any(own.name == cluster.name or own.server == cluster.server for own in project_clusters)


def _matches_destination(project: Manifest, cluster: Cluster, namespace: str) -> bool:
    permitted = False
    for item in _spec(project).get("destinations") or ():
        name, server = item.get("name") or "", item.get("server") or ""
        place = item.get("namespace") or ""
        by_name = cluster.name != "" and _glob_or_denial(name, cluster.name)
        by_server = cluster.server != "" and _glob_or_denial(server, cluster.server)
        by_namespace = _glob_or_denial(place, namespace)
        if (by_name or by_server) and by_namespace:
            permitted = True
            continue
        cluster_denied = (not by_name and _denies(name)) or (not by_server and _denies(server))
        if (by_namespace and cluster_denied) or (not by_namespace and _denies(place) and by_server):
            return False
    return permitted


def permits_kind(project: Manifest, group: str, kind: str, name: str, namespaced: bool) -> bool:
    """May the project's applications manage such an object? Namespaced kinds are permitted where no whitelist is
    there (an empty one permits none), others only by a whitelist."""
    spec = _spec(project)
    if namespaced:
        white, black = spec.get("namespaceResourceWhitelist"), spec.get("namespaceResourceBlacklist") or ()
        listed = white is None or _listed(white, group, kind, None)
        return listed and not _listed(black, group, kind, None)
    white, black = spec.get("clusterResourceWhitelist") or (), spec.get("clusterResourceBlacklist") or ()
    return _listed(white, group, kind, name) and not _listed(black, group, kind, name)


def permits_namespace(project: Manifest, namespace: str, controller: str) -> bool:
    """May an Application of the project live in this namespace? The controller's own always does."""
    if namespace in ("", controller):
        return True
    return any(
        _expression(pattern, namespace) or gobwas.match(pattern, namespace)
        for pattern in _spec(project).get("sourceNamespaces") or ()
    )


def permits_everything(project: Manifest) -> bool:
    """Whether no object whatever can be refused where the destination itself is permitted, so that nobody needs to
    look at them."""
    spec = _spec(project)
    lists = ("namespaceResourceBlacklist", "clusterResourceBlacklist")
    destinations = spec.get("destinations") or ()
    return (
        spec.get("namespaceResourceWhitelist") is None
        and not any(spec.get(key) for key in lists)
        and {"group": "*", "kind": "*"} in (spec.get("clusterResourceWhitelist") or ())
        and any(item.get("server") == "*" and item.get("namespace") == "*" for item in destinations)
        and not any(_denies(str(value)) for item in destinations for value in item.values())
    )


def check_app(
    project: Manifest,
    app: Manifest,
    repos: Sequence[str],
    cluster: Cluster,
    project_clusters: Iterable[Cluster],
    controller: str,
) -> str:
    """Why the project does not permit the Application itself, "" where it does. `repos` are its sources' addresses."""
    metadata, called = app["metadata"], project["metadata"]["name"]
    namespace = metadata.get("namespace") or ""
    if not permits_namespace(project, namespace, controller):
        return f"application '{metadata['name']}' in namespace '{namespace}' is not permitted to use project '{called}'"
    refused = [
        f"application repo {repo} is not permitted in project '{called}'"
        for repo in dict.fromkeys(repos)
        if not permits_source(project, repo)
    ]
    destination = app["spec"].get("destination") or {}
    place = destination.get("namespace") or ""
    if not permits_destination(project, cluster, place, project_clusters):
        shown = cluster.name if destination.get("name") else cluster.server
        refused.append(
            f"application destination server '{shown}' and namespace '{place}' do not match any of the allowed "
            f"destinations in project '{called}'"
        )
    return "; ".join(refused)


def check_objects(
    project: Manifest, found: Iterable[Resource], cluster: Cluster, project_clusters: Sequence[Cluster]
) -> str:
    """Why the project does not permit an Application's rendered objects, "" where it permits them all."""
    called = project["metadata"]["name"]
    kinds: dict[str, None] = {}
    for one in found:
        kind = f"{one.group}/{one.kind}" if one.group else one.kind
        if not permits_kind(project, one.group, one.kind, one.name, one.namespaced):
            kinds[f"resource {kind} {one.name} is not permitted in project '{called}'"] = None
        elif one.namespace and not permits_destination(project, cluster, one.namespace, project_clusters):
            kinds[f"namespace {one.namespace} ({kind} {one.name}) is not permitted in project '{called}'"] = (
                None
            )
    shown = list(kinds)[:_SHOWN]
    more = len(kinds) - len(shown)
    return "; ".join([*shown, f"and {more} more"] if more else shown)


def resources(objects: Sequence[Manifest]) -> frozenset[Resource]:
    """What a project looks at in an Application's rendered objects."""
    outside = scopes.cluster_scoped(objects)
    found = set()
    for manifest in objects:
        group, kind = split_api_version(manifest["apiVersion"])[0], manifest["kind"]
        namespaced = (group, kind) not in outside
        metadata = manifest.get("metadata") or {}
        place = (metadata.get("namespace") or "") if namespaced else ""
        found.add(Resource(group, kind, metadata.get("name") or "", place, namespaced))
    return frozenset(found)


def _spec(project: Manifest) -> Mapping[str, Any]:
    return project.get("spec") or {}


def _denies(pattern: str) -> bool:
    return pattern.startswith("!")


def _glob(pattern: str, text: str, separator: str = "") -> bool:
    return pattern == "*" or gobwas.match(pattern, text, separator)


def _glob_or_denial(pattern: str, text: str) -> bool:
    return not gobwas.match(pattern[1:], text) if _denies(pattern) else _glob(pattern, text)


def _listed(items: Iterable[Mapping[str, str]], group: str, kind: str, name: str | None) -> bool:
    return any(
        _shell(item.get("kind") or "", kind)
        and _shell(item.get("group") or "", group)
        and (name is None or not item.get("name") or _shell(item["name"], name))
        for item in items
    )


def _shell(pattern: str, text: str) -> bool:
    matcher = globs.directory(pattern)
    return matcher is not None and matcher(text)


_CLASSES = {"L": "a-zA-Z", "Ll": "a-z", "Lu": "A-Z", "N": "0-9", "Nd": "0-9"}
"""Classes of letters as far as the names of namespaces have any."""


def _expression(pattern: str, text: str) -> bool:
    """A pattern between slashes is a regular expression of .NET's kind that may match anywhere; an empty one is none."""
    if len(pattern) < 3 or not (pattern.startswith("/") and pattern.endswith("/")):
        return False
    expression = pattern[1:-1]
    return expressions.found(expression, text, python=_dialect(expression))


def _dialect(expression: str) -> str:
    """What .NET writes differently, as Python writes it."""
    named = re.sub(r"\(\?<(?![=!])", "(?P<", expression).replace(r"\z", r"\Z")
    named = re.sub(r"\\k<(\w+)>", r"(?P=\1)", named)

    def letters(found: re.Match[str]) -> str:
        inside = named.rfind("[", 0, found.start()) > named.rfind("]", 0, found.start())
        if found[1] == "L" and not inside:
            return r"[^\W\d_]"
        return _CLASSES[found[1]] if inside else f"[{_CLASSES[found[1]]}]"

    return re.sub(r"\\p\{(Ll|Lu|L|Nd|N)\}", letters, named)
