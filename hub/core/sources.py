"""Where an Application's manifests come from: `spec.source` and `spec.sources` as records.

Names and precedence are Argo CD's (3.6, `application/v1alpha1/types.go`, `reposerver/repository`). What is
not supported is refused here with the field's name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from argosy import yamlio
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.tree import Tree

DIRECTORY, KUSTOMIZE, HELM, PLUGIN = "directory", "kustomize", "helm", "plugin"
BLOCKS = (DIRECTORY, KUSTOMIZE, HELM, PLUGIN)
CONTROL_NAMESPACE = "argocd"
_OVERRIDES = ".argocd-source"
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


@dataclass(frozen=True, slots=True)
class Source:
    """One source. `path` is normal and relative, "" for the root of the repository; `revision` "" means HEAD.

    `tool` is "" where the folder's content decides; `options` is the block of that name. `where` is the
    field's name for messages. A source with a `ref` and without a path renders nothing.
    """

    repo: str
    path: str = ""
    revision: str = ""
    tag_prefix: str = ""
    ref: str = ""
    name: str = ""
    tool: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    where: str = "spec.source"

    @property
    def renders(self) -> bool:
        return not (self.ref and not self.path)


def of(application: Manifest) -> tuple[Source, ...]:
    """The sources of an Application, in order. Raises `Invalid` naming the field."""
    spec = application.get("spec") or {}
    several = spec.get("sources")
    if several:
        if not isinstance(several, Sequence) or isinstance(several, str):
            raise Invalid("spec.sources: a list is expected")
        return tuple(_source(one, f"spec.sources[{at}]") for at, one in enumerate(several))
    one = spec.get("source")
    if spec.get("sourceHydrator"):
        raise Invalid("spec.sourceHydrator is not supported")
    if not one:
        raise Invalid("spec.source and spec.sources are both missing")
    return (_source(one, "spec.source"),)


def folder(path: str, where: str) -> str:
    """A path inside the repository in its normal form. Raises `Invalid` for one that leads out of it."""
    if path.startswith("/"):
        raise Invalid(f"{where}: {path!r} is absolute, a path inside the repository is expected")
    normal = posixpath.normpath(path) if path else "."
    if normal == ".." or normal.startswith("../"):
        raise Invalid(f"{where}: {path!r} leads out of the repository")
    return "" if normal == "." else normal


def overridden(source: Source, tree: Tree, app: str) -> Source:
    """The source after the `.argocd-source.yaml` and `.argocd-source-<app>.yaml` of its folder.

    They are JSON merge patches; repoURL, path, targetRevision and chart in them have no effect. `app` is the
    name as `instance_name` gives it. Raises `Invalid` where such a file is no mapping or what it makes is no
    source.
    """
    for path in override_paths(source, app):
        if tree.tree_id(path) is None:
            continue
        patch = yamlio.load_first(tree.read(path), source=path)
        if patch is None:
            continue
        if not isinstance(patch, dict):
            raise Invalid(f"{path}: a mapping is expected")
        blocks: dict[str, Any] = {source.tool: source.options} if source.tool else {}
        for block in BLOCKS:
            if block in patch:
                blocks[block] = _merged(blocks.get(block), patch[block])
        tool, options = _block(blocks, path)
        source = replace(source, tool=tool, options=options)
    return source


def override_start(source: Source) -> str:
    """How the paths of all files begin that may override a source."""
    return posixpath.join(source.path, _OVERRIDES)


def override_paths(source: Source, app: str) -> tuple[str, str]:
    """The files that override a source, for all Applications and for one alone, in the order of their
    effect.
    """
    start = override_start(source)
    return f"{start}.yaml", f"{start}-{app}.yaml"


def with_tool(source: Source, tool: str) -> Source:
    """The source with the tool that its folder's content decided."""
    return source if source.tool == tool else replace(source, tool=tool)


def instance_name(name: str, namespace: str) -> str:
    """The name by which Argo CD tracks an Application: with its namespace when that is not the control
    plane's.
    """
    return name if namespace in ("", CONTROL_NAMESPACE) else f"{namespace}_{name}"


def environment(application: Manifest, source: Source, commit: str) -> dict[str, str]:
    """Argo CD's build environment of one source."""
    metadata = application.get("metadata") or {}
    spec = application.get("spec") or {}
    return {
        "ARGOCD_APP_NAME": instance_name(metadata.get("name") or "", metadata.get("namespace") or ""),
        "ARGOCD_APP_NAMESPACE": (spec.get("destination") or {}).get("namespace") or "",
        "ARGOCD_APP_PROJECT_NAME": spec.get("project") or "default",
        "ARGOCD_APP_REVISION": commit,
        "ARGOCD_APP_REVISION_SHORT": commit[:7],
        "ARGOCD_APP_REVISION_SHORT_8": commit[:8],
        "ARGOCD_APP_SOURCE_PATH": source.path or ".",
        "ARGOCD_APP_SOURCE_REPO_URL": source.repo,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source.revision,
    }


def substituted(source: Source, variables: Mapping[str, str]) -> Source:
    """The source with the build environment put into kustomize's common labels, and into its common
    annotations where `commonAnnotationsEnvsubst` says so. Done before the recipe, so that a recipe depends
    only on what is used.
    """
    if source.tool != KUSTOMIZE:
        return source
    options = dict(source.options)
    fields = ["commonLabels"] + (["commonAnnotations"] if options.get("commonAnnotationsEnvsubst") else [])
    for name in fields:
        if isinstance(options.get(name), dict):
            options[name] = {key: expand(str(value), variables) for key, value in options[name].items()}
    return replace(source, options=options)


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$NAME` and `${NAME}` replaced, `$$` for a dollar; unknown names become empty."""
    return "$".join(
        _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], ""), part)
        for part in text.split("$$")
    )


def _source(given: Any, where: str) -> Source:
    if not isinstance(given, dict):
        raise Invalid(f"{where}: a mapping is expected")
    texts = dict(_texts(given, where))
    if not texts["repoURL"]:
        raise Invalid(f"{where}.repoURL is missing")
    if texts["chart"]:
        raise Invalid(f"{where}.chart: charts from a registry are not supported")
    if not texts["path"] and not texts["ref"]:
        raise Invalid(f"{where}.path is missing")
    if texts["ref"] and not re.fullmatch(r"[a-zA-Z0-9_-]+", texts["ref"]):
        raise Invalid(f"{where}.ref: {texts['ref']!r} may only have letters, digits, _ and -")
    blocks = {block: given.get(block) for block in BLOCKS if given.get(block)}
    tool, options = _block(blocks, where)
    return Source(
        repo=texts["repoURL"],
        # A reference without a path stays without one; `path: .` renders the root.
        path=folder(texts["path"], f"{where}.path"),
        revision=texts["targetRevision"],
        tag_prefix=texts["tagPrefix"],
        ref=texts["ref"] if not texts["path"] else "",
        name=texts["name"],
        tool=tool,
        options=options,
        where=where,
    )


def _texts(given: Mapping[str, Any], where: str) -> Iterator[tuple[str, str]]:
    for name in ("repoURL", "path", "targetRevision", "chart", "ref", "name", "tagPrefix"):
        value = given.get(name) or ""
        if not isinstance(value, str):
            raise Invalid(f"{where}.{name}: a text is expected, found {value!r}")
        yield name, value


def _block(blocks: Mapping[str, Any], where: str) -> tuple[str, Mapping[str, Any]]:
    found = [(name, options) for name, options in blocks.items() if options]
    if len(found) > 1:
        names = " and ".join(name for name, _ in found)
        raise Invalid(f"{where}: {names} exclude each other: only one kind of source may be given")
    if not found:
        return "", {}
    name, options = found[0]
    if not isinstance(options, dict):
        raise Invalid(f"{where}.{name}: a mapping is expected")
    return name, options


def _merged(target: Any, patch: Any) -> Any:
    """RFC 7386."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), value)
    return result
