"""Where an Application's manifests come from: `spec.source` and `spec.sources` as records.

Names and precedence are Argo CD's (3.6, `application/v1alpha1/types.go`, `reposerver/repository`). What is
not supported is refused here with the field's name.
"""

from __future__ import annotations

import functools
import posixpath
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from argosy import yamlio
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.apps import charts
from hub.core.schema import app_fields, schema
from hub.core.tree import Tree
from hub.core.types import NAMESPACE

DIRECTORY, KUSTOMIZE, HELM, PLUGIN = "directory", "kustomize", "helm", "plugin"
BLOCKS = (DIRECTORY, KUSTOMIZE, HELM, PLUGIN)
PREFIXED = "\t"
"""Between a prefix of tags and a revision; Git has it in neither."""
_OVERRIDES = ".argocd-source"
_VARIABLE = re.compile(
    r"\$(?:\{(?P<sign>[*#$@!?0-9-])\}|\{(?P<braced>[^}]*)\}|(?P<open>\{)|(?P<special>[*#$@!?0-9-])|(?P<plain>[A-Za-z_]\w*))",
    re.ASCII,
)
"""As Go's `os.Expand` reads them: a single sign or digit is a name, `${}` and an open `${` go."""
_REF = re.compile(r"[a-zA-Z0-9_-]+\Z")
_TELLING = {
    DIRECTORY: ("recurse", "include", "exclude", "disableExtensionFilter"),
    KUSTOMIZE: (
        *("namePrefix", "nameSuffix", "version", "namespace", "images", "replicas", "commonLabels"),
        *(
            "commonAnnotations",
            "patches",
            "components",
            "kubeVersion",
            "apiVersions",
            "ignoreMissingComponents",
        ),
    ),
    HELM: (
        *(
            "version",
            "releaseName",
            "valueFiles",
            "parameters",
            "fileParameters",
            "values",
            "passCredentials",
        ),
        *("ignoreMissingValueFiles", "skipCrds", "skipTests", "skipSchemaValidation", "kubeVersion"),
        *("apiVersions", "namespace"),
    ),
}
"""The fields of a block that make it count; without any of them it says nothing, not even which tool is meant."""
_SHAPES = {
    DIRECTORY: schema.loose(app_fields.DIRECTORY),
    KUSTOMIZE: schema.loose(app_fields.KUSTOMIZE),
    HELM: schema.loose(app_fields.HELM),
    PLUGIN: schema.loose(app_fields.PLUGIN),
}


@dataclass(frozen=True, slots=True)
class Source:
    """One source. `path` is normal and relative, "" for the root of the repository; `revision` "" means HEAD.

    `tool` is "" where the folder's content decides; `options` is the block of that name. `where` is the
    field's name for messages. A source with a `ref` and without a path or a chart renders nothing. `address`
    is what its tree is looked up by: the repository, or a chart of one.
    """

    repo: str
    address: str = ""
    path: str = ""
    chart: str = ""
    revision: str = ""
    tag_prefix: str = ""
    ref: str = ""
    name: str = ""
    tool: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    where: str = "spec.source"

    written: str = ""
    """The path as the user wrote it, which the build environment tells."""
    references: bool = False
    """It has a `ref` and neither path nor chart."""

    @property
    def target(self) -> str:
        """What the tree is looked up by beside `address`: the revision, with the prefix of its tags before it."""
        wanted = self.revision or "HEAD"
        return f"{self.tag_prefix}{PREFIXED}{wanted}" if self.tag_prefix else wanted

    @property
    def renders(self) -> bool:
        return not self.references

    @property
    def several(self) -> bool:
        """It is one of `spec.sources`."""
        return self.where.startswith("spec.sources")


def of(application: Manifest) -> tuple[Source, ...]:
    """The sources of an Application, in order. Raises `Invalid` naming the field."""
    spec = application.get("spec") or {}
    several = spec.get("sources")
    if several:
        if not isinstance(several, Sequence) or isinstance(several, str):
            raise Invalid("spec.sources: a list is expected")
        found = tuple(_source(one, f"spec.sources[{at}]") for at, one in enumerate(several))
        _check_refs(found)
        return found
    one = spec.get("source")
    if spec.get("sourceHydrator"):
        raise Invalid(
            "spec.sourceHydrator is not supported: let the job that writes the hydrated branch run on, and give "
            "that branch as spec.source"
        )
    if not one:
        raise Invalid("spec.source and spec.sources are both missing")
    return (_source(one, "spec.source"),)


def _check_refs(found: Sequence[Source]) -> None:
    names = [source.ref for source in found if source.ref]
    for at, name in enumerate(names):
        if name in names[:at]:
            raise Invalid(f"spec.sources: the ref {name!r} is given twice")


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

    They are JSON merge patches, but nulls have no effect outside `valuesObject`; repoURL, path, targetRevision and chart in
    them have none either. `app` is the name as `instance_name` gives it. A block in them says which tool is meant, also
    an empty one. Raises `Invalid` where such a file is no mapping or what it makes is no source.
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
            if patch.get(block) is not None:
                blocks[block] = _merged(blocks.get(block), patch[block])
        tool, options = _block(blocks, path)
        if tool and (wrong := schema.check(_SHAPES[tool], options, tool)):
            raise Invalid(f"{path}: {wrong[0]}")
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
    return name if namespace in ("", NAMESPACE) else f"{namespace}_{name}"


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
        # A chart from a repository has no path there.
        "ARGOCD_APP_SOURCE_PATH": "" if source.chart else source.written or source.path or ".",
        "ARGOCD_APP_SOURCE_REPO_URL": source.repo,
        "ARGOCD_APP_SOURCE_TARGET_REVISION": source.revision,
    }


def substituted(source: Source, variables: Mapping[str, str], refs: Collection[str] = ()) -> Source:
    """The source with the build environment put in where Argo CD does: kustomize's images and common labels,
    its common annotations where `commonAnnotationsEnvsubst` says so, Helm's parameters and names of files, variables of
    Jsonnet.
    Done before the recipe, so that a recipe depends only on what is used. `refs` are the names that `$name/…`
    may begin with.
    """
    options = dict(source.options)
    if source.tool == KUSTOMIZE:
        fields = ["commonLabels"] + (
            ["commonAnnotations"] if options.get("commonAnnotationsEnvsubst") else []
        )
        for name in fields:
            if isinstance(options.get(name), dict):
                options[name] = {key: expand(str(value), variables) for key, value in options[name].items()}
        if isinstance(options.get("images"), list):
            options["images"] = [expand(str(image), variables) for image in options["images"]]
    elif source.tool == HELM:
        _substitute_helm(source, options, variables, refs)
    elif isinstance(options.get("jsonnet"), dict):
        options["jsonnet"] = _substituted_jsonnet(options["jsonnet"], variables)
    else:
        return source
    return replace(source, options=options)


def _substitute_helm(
    source: Source, options: dict[str, Any], variables: Mapping[str, str], refs: Collection[str]
) -> None:
    def expanded(path: str, field: str) -> str:
        """The name of a reference stays at the beginning; what follows it is expanded."""
        name, slash, rest = path.partition("/")
        if name.startswith("$") and name[1:] in refs:
            return f"{name}{slash}{expand(rest, variables)}"
        first = _VARIABLE.match(path)
        if source.several and first and not _value(variables, first):
            known = ", ".join(sorted(refs)) or "none has a ref"
            raise Invalid(
                f"{source.where}.helm.{field}: {path}: no source has the ref {name[1:]!r} ({known})"
            )
        return expand(path, variables)

    if isinstance(options.get("valueFiles"), list):
        options["valueFiles"] = [expanded(str(path), "valueFiles") for path in options["valueFiles"]]
    for name, key in (("parameters", "value"), ("fileParameters", "path")):
        if not isinstance(options.get(name), list):
            continue
        entries = [dict(entry) for entry in options[name] if isinstance(entry, dict)]
        for entry in entries:
            text = str(entry.get(key) or "")
            entry[key] = expanded(text, name) if key == "path" else expand(text, variables)
        options[name] = entries


def _substituted_jsonnet(given: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """Values of external variables and top-level arguments."""
    out = dict(given)
    for name in ("extVars", "tlas"):
        if isinstance(out.get(name), list):
            entries = [dict(entry) for entry in out[name] if isinstance(entry, dict)]
            out[name] = [{**one, "value": expand(str(one.get("value") or ""), variables)} for one in entries]
    return out


def expand(text: str, variables: Mapping[str, str]) -> str:
    """`$NAME` and `${NAME}` replaced, `$$` for a dollar; unknown names become empty, as Go's `os.Expand` does it."""
    return _VARIABLE.sub(functools.partial(_value, variables), text)


def _value(variables: Mapping[str, str], found: re.Match[str]) -> str:
    name = found["sign"] or found["braced"] or found["special"] or found["plain"] or ""
    return "$" if name == "$" else variables.get(name, "")


def _source(given: Any, where: str) -> Source:
    if not isinstance(given, dict):
        raise Invalid(f"{where}: a mapping is expected")
    texts = dict(_texts(given, where))
    if not texts["repoURL"]:
        raise Invalid(f"{where}.repoURL is missing")
    if texts["ref"] and not _REF.match(texts["ref"]):
        raise Invalid(f"{where}.ref: {texts['ref']!r} may only have letters, digits, _ and -")
    tool, options = _block({name: given.get(name) for name in BLOCKS if _says(name, given.get(name))}, where)
    if tool == PLUGIN:
        raise Invalid(
            f"{where}.plugin: config management plugins are not supported: let CI write the plugin's output to "
            "Git and give that folder as the source"
        )
    address = texts["repoURL"]
    if texts["chart"]:
        if texts["ref"]:
            raise Invalid(
                f"{where}.ref: a chart cannot be a reference; give its repository as a source of its own"
            )
        if not texts["targetRevision"]:
            raise Invalid(f"{where}.targetRevision is missing: a chart needs a version or a range")
        if tool not in ("", HELM):
            raise Invalid(f"{where}.{tool}: a chart is rendered by Helm alone")
        passing = bool(options.get("passCredentials"))
        address = charts.address(address, texts["chart"], where, passing=passing)
        tool = HELM
    elif not texts["path"] and (not texts["ref"] or where == "spec.source"):
        # A reference is for the sources beside it: alone it would render nothing.
        raise Invalid(f"{where}.path is missing")
    return Source(
        repo=texts["repoURL"],
        address=address,
        chart=texts["chart"],
        references=bool(texts["ref"]) and not texts["path"],
        # A reference without a path stays without one; `path: .` renders the root.
        path="" if texts["chart"] else folder(texts["path"], f"{where}.path"),
        written=texts["path"],
        revision=texts["targetRevision"],
        tag_prefix=texts["tagPrefix"],
        ref=texts["ref"],
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


def _says(name: str, options: Any) -> bool:
    """Whether a block of an Application counts: Argo CD drops those that ask for nothing (`NormalizeSource`)."""
    if not isinstance(options, Mapping) or name == PLUGIN:
        return options is not None
    if any(options.get(field) for field in _TELLING[name]):
        return True
    jsonnet = options.get("jsonnet")
    if isinstance(jsonnet, Mapping):
        jsonnet = any(jsonnet.get(field) for field in ("extVars", "tlas", "libs"))
    return bool(jsonnet) or options.get("valuesObject") is not None


def _block(blocks: Mapping[str, Any], where: str) -> tuple[str, Mapping[str, Any]]:
    found = [(name, options) for name, options in blocks.items() if options is not None]
    if len(found) > 1:
        names = " and ".join(name for name, _ in found)
        raise Invalid(f"{where}: {names} exclude each other: only one kind of source may be given")
    if not found:
        return "", {}
    name, options = found[0]
    if not isinstance(options, dict):
        raise Invalid(f"{where}.{name}: a mapping is expected")
    return name, options


def _merged(target: Any, patch: Any, *, raw: bool = False) -> Any:
    """RFC 7386, but a null takes nothing away outside `valuesObject` (`raw`): Argo CD reads the result into the source
    that it has, and what is not in it stays.
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is not None:
            result[key] = _merged(result.get(key), value, raw=raw or key == "valuesObject")
        elif raw:
            result.pop(key, None)
    return result
