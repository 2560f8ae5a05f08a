"""Admission: is this an ApplicationSet or an Application that the API server would take, and what is in it.

Raises `errors.Invalid` that names every field that is wrong. Advice on what is merely suspicious is elsewhere
(`hub/core/apps/advice.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from argosy.errors import Invalid, Problem
from argosy.objects import Manifest
from hub.core.schema import app_fields, appset_fields
from hub.core.schema.schema import Struct, check, decode, described
from hub.core.types import NAMESPACE

MAX_SHOWN = 20


@dataclass(frozen=True, slots=True)
class AppSet:
    """An admitted ApplicationSet: `spec` holds only fields that Argo CD knows, with the right types."""

    name: str
    namespace: str
    spec: dict[str, Any]
    annotations: dict[str, str]


def _fits(manifest: Any, kind: str, shape: Struct) -> None:
    if not isinstance(manifest, dict):
        raise Invalid(f"expected an {kind}, found {described(manifest)}")
    found_kind = f"{manifest.get('apiVersion')} {manifest.get('kind')}"
    if found_kind != f"{app_fields.GROUP_VERSION} {kind}":
        raise Invalid(f"expected {app_fields.GROUP_VERSION} {kind}, found {found_kind}")
    problems = check(shape, manifest, "")
    if problems:
        raise Invalid(_listed([Problem(problem.where.lstrip("."), problem.message) for problem in problems]))


def _listed(problems: list[Problem]) -> str:
    shown = [str(problem) for problem in problems[:MAX_SHOWN]]
    if len(problems) > MAX_SHOWN:
        shown.append(f"and {len(problems) - MAX_SHOWN} more")
    return "; ".join(shown)


def application_set(manifest: Any) -> AppSet:
    """Raises `errors.Invalid`, naming every wrong field by its path."""
    _fits(manifest, "ApplicationSet", appset_fields.APPLICATION_SET)
    decoded = decode(appset_fields.APPLICATION_SET, manifest)
    metadata = decoded["metadata"]
    if not metadata.get("name"):
        raise Invalid("metadata.name: required field is missing")
    return AppSet(
        metadata["name"],
        metadata.get("namespace") or NAMESPACE,
        decoded["spec"],
        metadata.get("annotations") or {},
    )


def application(manifest: Any) -> Manifest:
    """An Application as Argo CD's types keep it. Raises as `check_application`."""
    check_application(manifest)
    decoded: Manifest = decode(app_fields.APPLICATION, manifest)
    return decoded


def check_application(manifest: Any) -> None:
    """Raises `errors.Invalid` where it is no Application, naming every wrong field by its path."""
    _fits(manifest, "Application", app_fields.APPLICATION)
