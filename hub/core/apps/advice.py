"""Mistakes that Argo CD accepts without a word and that people are known to make. Advice, never a refusal."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from argosy.errors import Problem
from argosy.objects import Manifest
from hub.core.apps import hooks

SYNC_OPTIONS = frozenset(
    [
        "ApplyOutOfSyncOnly",
        "ClientSideApplyMigration",
        "CreateNamespace",
        "Delete",
        "FailOnSharedResource",
        "Force",
        "Prune",
        "PruneLast",
        "PrunePropagationPolicy",
        "Replace",
        "RespectIgnoreDifferences",
        "ServerSideApply",
        "SkipDryRunOnMissingResource",
        "Validate",
    ]
)
FINALIZERS = frozenset(
    [
        hooks.CASCADE,
        f"{hooks.CASCADE}/foreground",
        f"{hooks.CASCADE}/background",
        *hooks.FINALIZERS.values(),
        *(f"{hook}/cleanup" for hook in hooks.FINALIZERS.values()),
    ]
)
_GO_ACTION = re.compile(r"\{\{-?\s*(\.[A-Za-z_]|if\b|range\b|with\b|end\b|index\b|printf\b|toYaml\b)")
_OTHER_LANGUAGE = re.compile(r"\{%-?\s*(if|for|set|endif|endfor)\b")


def on_application_set(spec: dict[str, Any]) -> list[Problem]:
    """Advice on a decoded ApplicationSet spec."""
    found = list(_on_generators(spec["generators"]))
    template = spec["template"]
    found += _on_app(template.get("metadata") or {}, template.get("spec") or {}, "spec.template")
    found += _on_texts(template, "spec.template", bool(spec.get("goTemplate")))
    return found


def on_application(app: Manifest) -> list[Problem]:
    """Advice on a decoded Application."""
    found = list(_on_app(app["metadata"], app["spec"], ""))
    destination = app["spec"].get("destination") or {}
    if not destination.get("server") and not destination.get("name"):
        found.append(Problem("spec.destination", "neither server nor name is set"))
    return found


def on_project(spec: Mapping[str, Any]) -> list[Problem]:
    """Advice on the spec of an AppProject: what it asks for and does not get."""
    found = []
    if spec.get("signatureKeys") and spec.get("sourceIntegrity"):
        found.append(
            Problem(
                "spec.signatureKeys", "is asked for beside spec.sourceIntegrity: sources must satisfy both"
            )
        )
    if (spec.get("sourceIntegrity") or {}).get("helm"):
        found.append(Problem("spec.sourceIntegrity.helm", "is not verified: charts are used as they come"))
    if any(role.get("jwtTokens") for role in spec.get("roles") or ()):
        found.append(
            Problem(
                "spec.roles.jwtTokens",
                "let nobody in here: `argosy token create proj:PROJECT:ROLE` makes tokens",
            )
        )
    return found


def _on_generators(generators: list[dict[str, Any]]) -> Iterator[Problem]:
    for index, element in enumerate(generators):
        kinds = [name for name in element if name != "selector"]
        path = f"spec.generators[{index}]"
        if not kinds:
            yield Problem(path, "names no generator, so it generates nothing")
        elif len(kinds) > 1:
            yield Problem(path, f"holds several generators ({', '.join(kinds)}): all of them generate")


def _on_app(metadata: dict[str, Any], spec: dict[str, Any], path: str) -> Iterator[Problem]:
    root = f"{path}." if path else ""
    for name in metadata.get("finalizers") or []:
        if name not in FINALIZERS and ("argocd" in name or "resources-finalizer" in name):
            yield Problem(
                f"{root}metadata.finalizers", f"unknown finalizer {name!r}{_near(name, FINALIZERS)}"
            )
    destination = spec.get("destination") or {}
    if destination.get("server") and destination.get("name"):
        yield Problem(f"{root}spec.destination", "both server and name are set, exactly one may be")
    yield from _on_sync_options(spec, f"{root}spec.syncPolicy.syncOptions")
    yield from _on_sources(spec, f"{root}spec")


def _on_sync_options(spec: dict[str, Any], path: str) -> Iterator[Problem]:
    for option in (spec.get("syncPolicy") or {}).get("syncOptions") or []:
        name = option.partition("=")[0]
        if name not in SYNC_OPTIONS and "{{" not in name:
            yield Problem(
                path, f"unknown sync option {option!r}{_near(name, SYNC_OPTIONS)}; Argo CD ignores it"
            )


def _on_sources(spec: dict[str, Any], path: str) -> Iterator[Problem]:
    single = [(f"{path}.source", spec["source"])] if spec.get("source") else []
    several = [(f"{path}.sources[{index}]", source) for index, source in enumerate(spec.get("sources") or [])]
    refs = {source.get("ref") for _, source in several if source.get("ref")}
    for place, source in several or single:
        if source.get("chart") and source.get("path"):
            yield Problem(place, "both chart and path are set: path is ignored for a chart")
        if source.get("chart") and not source.get("targetRevision"):
            yield Problem(place, "a chart needs targetRevision, the chart's version")
        for file in (source.get("helm") or {}).get("valueFiles") or []:
            name = file[1:].partition("/")[0] if file.startswith("$") else ""
            if name and name not in refs:
                yield Problem(f"{place}.helm.valueFiles", f"{file!r}: no source has ref: {name}")


def _on_texts(value: Any, path: str, go: bool) -> Iterator[Problem]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _on_texts(item, f"{path}.{key}", go)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _on_texts(item, f"{path}[{index}]", go)
    elif isinstance(value, str):
        if not go and _GO_ACTION.search(value):
            yield Problem(
                path, "holds a Go template, but goTemplate is not set: it stays in the text as it is"
            )
        if _OTHER_LANGUAGE.search(value):
            yield Problem(path, "{% %} belongs to another template language: it stays in the text as it is")


def _near(name: str, known: frozenset[str]) -> str:
    by_case = {word.lower(): word for word in known}
    near = by_case.get(name.lower()) or next(iter(difflib.get_close_matches(name, sorted(known), 1, 0.6)), "")
    return f", did you mean {near}?" if near else ""
