"""An Application's `kustomize` block put into a kustomization, as `kustomize edit` would do it for Argo CD
(3.6).

Argo CD changes the kustomization of the source's folder and builds that; an overlay on top would give other
results (a prefix would be added to the one that is there, not replace it). The given kustomization is not
changed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from argosy.errors import Invalid
from hub.core.matching import semver

_IMAGE = re.compile(r"(?:(?P<name>[^=]+)=)?(?P<image>.+)\Z")
BUILD_OPTIONS = "buildOptions"
"""Beside the block's own fields: the flags of `kustomize build`, from argocd-cm's `kustomize.buildOptions`."""
_PARTS, _KEEP = ("newName", "newTag", "digest"), "*"
_FLAGS = {
    "--load-restrictor": ("LoadRestrictionsNone", "LoadRestrictionsRootOnly"),
    "--load_restrictor": ("LoadRestrictionsNone", "LoadRestrictionsRootOnly", "none", "rootOnly"),
    "--reorder": ("legacy", "none"),
    "--enable-managedby-label": ("", "true", "false"),
    "--as-current-user": ("", "true", "false"),
}


def check(options: Mapping[str, Any], where: str) -> None:
    """Raises `Invalid` for fields that are not supported. `kubeVersion` and `apiVersions` only matter to Helm
    charts inside a kustomization, and those are refused where they stand.
    """
    if options.get("kubeVersion"):
        semver.generic(str(options["kubeVersion"]), f"{where}.kustomize.kubeVersion")
    if options.get("version"):
        raise Invalid(
            f"{where}.kustomize.version is not supported: the hub's own kustomize builds everything; leave it out"
        )


def build_options(text: str) -> tuple[str, ...]:
    """The flags of `kustomize.buildOptions`. Raises `Invalid` for those that would let a build reach out."""
    words, found = text.split(), []
    while words:
        flag, sign, value = words.pop(0).partition("=")
        allowed = _FLAGS.get(flag)
        if allowed is None:
            raise Invalid(f"kustomize.buildOptions: {flag} is not supported")
        if not sign and "" not in allowed and words:
            value = words.pop(0)
        if value not in allowed:
            raise Invalid(
                f"kustomize.buildOptions: {flag}: {value!r} is none of {', '.join(filter(None, allowed))}"
            )
        name = flag.replace("_", "-")
        found.append(f"{name}={value}" if value else name)
    return tuple(found)


def applied(kustomization: Mapping[str, Any], options: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The kustomization with everything set that the options ask for; components are put in by
    `with_components`.

    Raises `Invalid` where a label or annotation is there already and is not to be forced, or an option is
    malformed.
    """
    result = dict(kustomization)
    for name in ("namePrefix", "nameSuffix", "namespace"):
        if options.get(name):
            result[name] = options[name]
    if options.get("images"):
        result["images"] = _images(result.get("images"), options["images"], f"{where}.kustomize.images")
    if options.get("replicas"):
        result["replicas"] = _replicas(
            result.get("replicas"), options["replicas"], f"{where}.kustomize.replicas"
        )
    _labels(result, options, f"{where}.kustomize.commonLabels")
    if options.get("commonAnnotations"):
        result["commonAnnotations"] = _added(
            result.get("commonAnnotations"),
            options["commonAnnotations"],
            bool(options.get("forceCommonAnnotations")),
            f"{where}.kustomize.commonAnnotations",
        )
    if options.get("patches"):
        result["patches"] = [*(result.get("patches") or []), *options["patches"]]
    return result


def with_components(kustomization: Mapping[str, Any], components: list[str]) -> dict[str, Any]:
    """Components that are not listed yet, after those that are."""
    listed = list(kustomization.get("components") or [])
    return {
        **kustomization,
        "components": listed + [name for name in dict.fromkeys(components) if name not in listed],
    }


def image(text: str) -> dict[str, str]:
    """`[old=]new[:tag][@digest]` as an entry of `images`. Raises `ValueError` where it says nothing."""
    found = _IMAGE.match(text)
    if not found:
        raise ValueError(f"{text!r} is no image")
    whole, _, digest = found["image"].partition("@")
    slash = whole.rfind("/")
    colon = whole.find(":", slash + 1)
    repository, tag = (whole[:colon], whole[colon + 1 :]) if colon >= 0 else (whole, "")
    entry = {"name": found["name"] or repository}
    if found["name"] and repository:
        entry["newName"] = repository
    if tag:
        entry["newTag"] = tag
    if digest:
        entry["digest"] = digest
    if len(entry) == 1:
        raise ValueError(f"{text!r} sets neither name nor tag nor digest")
    return entry


def _images(known: Any, wanted: Any, where: str) -> list[dict[str, Any]]:
    """Of one name the last entry of the Application counts, else the first of the kustomization; `*` is what that has
    there, or nothing.
    """
    new: dict[str, dict[str, str]] = {}
    for at, text in enumerate(wanted):
        try:
            entry = image(str(text))
        except ValueError as error:
            raise Invalid(f"{where}[{at}]: {error}") from None
        new[entry["name"]] = entry
    kept: dict[str, dict[str, Any]] = {}
    for entry in known or []:
        name = str(entry.get("name")) if isinstance(entry, dict) else ""
        if name not in new:
            kept.setdefault(name, entry)
            continue
        for part in _PARTS:
            if new[name].get(part) == _KEEP:
                new[name][part] = entry.get(part) or ""
    for entry in new.values():
        for part in _PARTS:
            if entry.get(part) in ("", _KEEP):
                entry.pop(part, None)
    return sorted([*kept.values(), *new.values()], key=lambda entry: str(entry.get("name")))


def _replicas(known: Any, wanted: Any, where: str) -> list[dict[str, Any]]:
    new: dict[str, dict[str, Any]] = {}
    for at, entry in enumerate(wanted):
        try:
            new[str(entry["name"])] = {"name": str(entry["name"]), "count": int(entry["count"])}
        except (KeyError, TypeError, ValueError):
            raise Invalid(f"{where}[{at}]: name and count (a whole number) are expected") from None
    kept = [entry for entry in known or [] if not (isinstance(entry, dict) and entry.get("name") in new)]
    return sorted([*kept, *new.values()], key=lambda entry: str(entry.get("name")))


def _labels(result: dict[str, Any], options: Mapping[str, Any], where: str) -> None:
    wanted, force = options.get("commonLabels"), bool(options.get("forceCommonLabels"))
    if not wanted:
        return
    if not options.get("labelWithoutSelector"):
        if options.get("labelIncludeTemplates"):
            raise Invalid(f"{where}: labelIncludeTemplates needs labelWithoutSelector")
        result["commonLabels"] = _added(result.get("commonLabels"), wanted, force, where)
        return
    listed = [dict(entry) for entry in result.get("labels") or []]
    templates = bool(options.get("labelIncludeTemplates"))
    for entry in listed:
        same = bool(entry.get("includeTemplates")) == templates
        if same and not entry.get("includeSelectors"):
            entry["pairs"] = _added(entry.get("pairs"), wanted, force, where)
            break
    else:
        listed.append({"pairs": _added(None, wanted, force, where), "includeTemplates": templates})
    result["labels"] = listed


def _added(known: Any, wanted: Any, force: bool, where: str) -> dict[str, str]:
    result = dict(known or {})
    for key, value in wanted.items():
        if key in result and not force:
            raise Invalid(f"{where}: {key} is already in the kustomization; the force field replaces it")
        result[key] = _unquoted(str(value))
    return result


def _unquoted(value: str) -> str:
    """`kustomize edit` takes one pair of quotes for the shell's."""
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] == '"' else value
