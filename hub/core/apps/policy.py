"""`spec.syncPolicy` and its neighbours -> the `Policy` an agent acts by."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from argosy import objects, windows
from argosy.bundle import MIGRATION_MANAGER, NAMESPACE_METADATA, STAGE_TIMEOUT, Policy, users
from argosy.errors import Invalid
from hub.core.apps import operations

APPROVED = "argocd.argoproj.io/deletion-approved"
STAGE_TIMEOUT_ANNOTATION = "argosy.dev/stage-timeout"
MIGRATION_ANNOTATION = "argocd.argoproj.io/client-side-apply-migration-manager"

MODE = "argosy.dev/mode"
MODES = ("observe", "release", "adopt", "manage")


def mode_problem(annotations: Mapping[str, str]) -> str:
    """What is wrong with the mode that an Application asks for, "" where nothing is."""
    mode = annotations.get(MODE, "")
    if not mode or mode in MODES:
        return ""
    return f'metadata.annotations["{MODE}"]: one of {", ".join(MODES)} is expected, found {mode!r}'


@dataclass(frozen=True, slots=True)
class Asked:
    """What users asked for beside the spec: the newest operation's id and text, and the sync that was ended."""

    request: str = ""
    operation: str = ""
    terminate: str = ""


def of(spec: dict[str, Any], asked: Asked, annotations: Mapping[str, str]) -> Policy:
    """Reads an Application's spec, which admission has already checked.

    `automated.enabled: false` means manual (Argo CD 3.1); `automated: {}` means automated without prune and self-heal.
    Raises `Invalid` for what admission does not look at: durations and annotations.
    """
    sync_policy = spec.get("syncPolicy") or {}
    automated = sync_policy.get("automated")
    on = automated is not None and automated.get("enabled") is not False
    automated = automated or {}
    again = operations.retry(sync_policy.get("retry"), "spec.syncPolicy.retry")
    return Policy(
        automated=on,
        prune=on and bool(automated.get("prune")),
        self_heal=on and bool(automated.get("selfHeal")),
        allow_empty=bool(automated.get("allowEmpty")),
        sync_options=(
            *users(sync_policy.get("syncOptions") or ()),
            *_namespace(sync_policy),
            *_stage_timeout(annotations),
            *_migration(annotations),
        ),
        ignore_differences=objects.canonical(spec.get("ignoreDifferences") or []).decode(),
        sync_request=asked.request,
        operation=asked.operation,
        terminate=asked.terminate,
        retry=objects.canonical(again).decode() if again is not None else "",
        deletion_approved=approved(annotations),
        mode=annotations.get(MODE, ""),
    )


def approved(annotations: Mapping[str, str]) -> float:
    """Unix seconds of `deletion-approved`, 0 where there is none or it is no time: then nothing is approved."""
    try:
        moment = datetime.datetime.fromisoformat(annotations.get(APPROVED, ""))
        return moment.timestamp() if moment.tzinfo is not None else 0.0
    except (ValueError, OverflowError, OSError):
        return 0.0


def _migration(annotations: Mapping[str, str]) -> tuple[str, ...]:
    manager = annotations.get(MIGRATION_ANNOTATION, "")
    return (f"{MIGRATION_MANAGER}={manager}",) if manager else ()


def _stage_timeout(annotations: Mapping[str, str]) -> tuple[str, ...]:
    """How long one stage of a sync may take to become healthy; without it, as long as it takes (as Argo CD)."""
    text = annotations.get(STAGE_TIMEOUT_ANNOTATION, "")
    if not text:
        return ()
    try:
        return (f"{STAGE_TIMEOUT}={float(windows.seconds(text)):g}",)
    except Invalid as error:
        raise Invalid(f"metadata.annotations[{STAGE_TIMEOUT_ANNOTATION}]: {error.message}") from None


def _namespace(sync_policy: dict[str, Any]) -> tuple[str, ...]:
    """`managedNamespaceMetadata`, which counts only where the namespace is created (Argo CD 3.6)."""
    given = sync_policy.get("managedNamespaceMetadata") or {}
    wanted = {name: given[name] for name in ("labels", "annotations") if given.get(name)}
    if not wanted or "CreateNamespace=true" not in (sync_policy.get("syncOptions") or ()):
        return ()
    return (f"{NAMESPACE_METADATA}={objects.canonical(wanted).decode()}",)
