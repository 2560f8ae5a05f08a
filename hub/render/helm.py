"""Helm sources: a chart and its value files, exported to a private place and rendered by the real helm (4).

What is rendered, and with which flags, is what Argo CD 3.6 does (`util/helm`, `reposerver/repository`). Charts
that a chart depends on are in its tree already when it comes here; helm itself has no network.
"""

from __future__ import annotations

import functools
import os
import posixpath
import re
import shutil
import sys
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

from argosy import objects, yamlio
from argosy.errors import Invalid, Unavailable
from argosy.objects import Manifest
from hub.core.apps.sources import Source
from hub.core.matching import semver
from hub.core.tree import Tree
from hub.render import directory, export, files, values
from hub.render.base import Asks, Kube, Renderer
from hub.render.sandbox import Sandbox, private_folder

_VERSION = re.compile(rb"v\d+\.\d+\.\d+[\w.+-]*")
_CHART = "Chart.yaml"
_LONGEST_RELEASE = 53
_CAPABILITIES = re.compile(rb"\.Capabilities\b(?!\.(?:KubeVersion|HelmVersion)\b)")
_ANY_CAPABILITIES = b".Capabilities"
_CONSTRAINT = b"kubeVersion"
_EXPORTED = re.compile(r"\b(?:values-\d+\.yaml|file-\d+|values-own\.yaml)\b")
_versions: dict[str, str] = {}


def inputs(source: Source, tree: Tree) -> Collection[str]:
    """The chart's folder, the files that links in it lead to, and the value files outside it.

    Raises `Invalid` for a folder without a chart and for files that are not there or not in a tree.
    """
    folder = _folder(source, tree)
    outside = {real for _, real in export.followed(tree, folder) if not _within(real, folder)}
    named = [*values.value_files(source, tree), *(path for _, path in values.file_parameters(source, tree))]
    values.parameters(source)
    return {folder} | outside | {path for path in named if not _within(path, folder)}


def settled(source: Source, release: str, namespace: str, kube: Kube, asks: Asks) -> Source:
    """The source with what it takes from its Application and its cluster, where it does not say so itself.

    Raises `Invalid` where the cluster's APIs decide and nobody knows them: without them a chart leaves objects out.
    """
    options: dict[str, Any] = dict(source.options)
    options["releaseName"] = options.get("releaseName") or release
    options["namespace"] = options.get("namespace") or namespace
    if asks:
        options["kubeVersion"] = options.get("kubeVersion") or kube.version
    if options.get("kubeVersion"):
        options["kubeVersion"] = semver.generic(
            str(options["kubeVersion"]), f"{source.where}.helm.kubeVersion"
        )
    if asks is Asks.APIS and not options.get("apiVersions"):
        if kube.apis is None:
            raise Invalid(
                f"{source.where}: the chart asks which APIs its cluster serves, and the cluster's agent has not told "
                "them yet; helm.apiVersions would say them instead"
            )
        options["apiVersions"] = list(kube.apis)
    for unused in ("version", "passCredentials"):
        options.pop(unused, None)
    return replace(source, options=options)


def asks(source: Source, tree: Tree) -> Asks:
    """What the chart's output may depend on: it speaks of capabilities, or holds archives of charts that may."""
    folder = files.real(tree, source.path, f"{source.where}.path")
    charts = f"{folder}/charts/" if folder else "charts/"
    links = tree.symlinks()
    found = Asks.NOTHING
    for path in files.below(tree, folder):
        if path.endswith(".tgz") and path.startswith(charts):
            return Asks.APIS
        if path.endswith((".yaml", ".tpl", ".yml", ".txt", ".json")) and path not in links:
            data = tree.read(path)
            if _CAPABILITIES.search(data):
                return Asks.APIS
            constrains = (path.endswith(f"/{_CHART}") or path == _CHART) and _CONSTRAINT in data
            if constrains or _ANY_CAPABILITIES in data:
                found = Asks.VERSION
    return found


async def render(source: Source, tree: Tree, sandbox: Sandbox) -> list[Manifest]:
    """Exports and renders. Raises `Invalid` with helm's own words where it fails."""
    program = find()
    what = f"helm template {source.chart or source.path or '.'}"
    with private_folder() as folder:
        flags, names = await sandbox.call(functools.partial(_export, source, tree, Path(folder)))
        try:
            out = await sandbox.run([program, "template", "chart", *flags], folder=folder, what=what)
        except Invalid as error:
            raise Invalid(_EXPORTED.sub(lambda found: names.get(found[0], found[0]), error.message)) from None
    return await sandbox.call(functools.partial(_read, out, what))


async def version(sandbox: Sandbox) -> str:
    """helm's version, asked once per program. Raises `Unavailable` where there is none."""
    program = find()
    if program not in _versions:
        with private_folder() as folder:
            out = await sandbox.run([program, "version", "--short"], folder=folder, what="helm version")
        found = _VERSION.search(out)
        _versions[program] = found[0].decode() if found else "unknown"
    return _versions[program]


def find() -> str:
    """The program: beside our Python, or on the PATH. Raises `Unavailable` where there is none."""
    for place in (os.path.join(sys.prefix, "bin"), None):
        path = shutil.which("helm", path=place)
        if path:
            return path
    raise Unavailable("helm is not installed; Helm sources need helm 4 on the PATH")


def _folder(source: Source, tree: Tree) -> str:
    folder = files.real(tree, source.path, f"{source.where}.path")
    if not files.is_file(tree, posixpath.join(folder, _CHART)):
        raise Invalid(f"{source.where}.path: {source.path or '.'}: no {_CHART} there")
    return folder


def _within(path: str, folder: str) -> bool:
    return not path.startswith("$") and (not folder or path.startswith(f"{folder}/"))


def _export(source: Source, tree: Tree, folder: Path) -> tuple[list[str], dict[str, str]]:
    """Writes chart and values, read-only. Gives helm's flags, in Argo CD's order of precedence, and what the user calls the
    files that were written.
    """
    names: dict[str, str] = {}
    options, budget = source.options, export.Budget()
    release = str(options.get("releaseName") or "")
    if len(release) > _LONGEST_RELEASE:
        raise Invalid(
            f"{source.where}.helm.releaseName: {release!r} has more than {_LONGEST_RELEASE} characters; "
            "without a releaseName the Application's name is taken"
        )
    export.write(tree, export.followed(tree, _folder(source, tree)), folder / "chart", budget)
    flags = [f"--name-template={release}"]
    if options.get("namespace"):
        flags.append(f"--namespace={options['namespace']}")
    if options.get("kubeVersion"):
        flags.append(f"--kube-version={options['kubeVersion']}")
    plain, texts = values.parameters(source)
    for flag, pairs in (("--set", plain), ("--set-string", texts)):
        for name, value in pairs:
            flags += [flag, f"{name}={value}"]
    for at, (name, path) in enumerate(values.file_parameters(source, tree)):
        export.write(tree, [(f"file-{at}", path)], folder, budget)
        flags += ["--set-file", f"{name}=file-{at}"]
        names[f"file-{at}"] = path
    for at, path in enumerate(values.value_files(source, tree)):
        export.write(tree, [(f"values-{at}.yaml", path)], folder, budget)
        flags += ["--values", f"values-{at}.yaml"]
        names[f"values-{at}.yaml"] = path
    own = _own_values(source)
    if own is not None:
        (folder / "values-own.yaml").write_bytes(own)
        flags += ["--values", "values-own.yaml"]
        field = "values" if options.get("valuesObject") is None else "valuesObject"
        names["values-own.yaml"] = f"{source.where}.helm.{field}"
    flags += [f"--api-versions={one}" for one in options.get("apiVersions") or ()]
    if not options.get("skipCrds"):
        flags.append("--include-crds")
    if options.get("skipSchemaValidation"):
        flags.append("--skip-schema-validation")
    if options.get("skipTests"):
        flags.append("--skip-tests")
    export.read_only(folder)
    return flags, names


def _own_values(source: Source) -> bytes | None:
    """`valuesObject`, else `values`, None where neither is given."""
    given = source.options.get("valuesObject")
    if given is not None:
        if not isinstance(given, dict):
            raise Invalid(f"{source.where}.helm.valuesObject: a mapping is expected")
        return objects.canonical(given)
    text = source.options.get("values")
    return str(text).encode() if text else None


def _read(out: bytes, what: str) -> list[Manifest]:
    """Charts of others repeat keys, and everybody takes the last of them; so do we here."""
    found: list[Manifest] = []
    for number, document in enumerate(yamlio.load_all(out, source=what, duplicates="last"), start=1):
        if document != {}:
            found.extend(directory.flatten(document, f"{what}: document {number}"))
    return found


HELM = Renderer("helm", inputs, render, version)
