"""`spec.syncPolicy` and its neighbours -> the `Policy` an agent acts by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy import objects
from argosy.bundle import NAMESPACE_METADATA, Policy

MODE = "argosy.dev/mode"
MODES = ("observe", "release", "adopt", "manage")


def mode_problem(annotations: Mapping[str, str]) -> str:
    """What is wrong with the mode that an Application asks for, "" where nothing is."""
    mode = annotations.get(MODE, "")
    if not mode or mode in MODES:
        return ""
    return f'metadata.annotations["{MODE}"]: one of {", ".join(MODES)} is expected, found {mode!r}'


def of(spec: dict[str, Any], sync_request: str, annotations: Mapping[str, str]) -> Policy:
    """Reads an Application's spec, which admission has already checked. `sync_request` names the newest operation.

    `automated.enabled: false` means manual (Argo CD 3.1); `automated: {}` means automated without prune and self-heal.
    """
    sync_policy = spec.get("syncPolicy") or {}
    automated = sync_policy.get("automated")
    on = automated is not None and automated.get("enabled") is not False
    automated = automated or {}
    return Policy(
        automated=on,
        prune=on and bool(automated.get("prune")),
        self_heal=on and bool(automated.get("selfHeal")),
        allow_empty=bool(automated.get("allowEmpty")),
        sync_options=(*(sync_policy.get("syncOptions") or ()), *_namespace(sync_policy)),
        ignore_differences=objects.canonical(spec.get("ignoreDifferences") or []).decode(),
        sync_request=sync_request,
        mode=annotations.get(MODE, ""),
    )


def _namespace(sync_policy: dict[str, Any]) -> tuple[str, ...]:
    """`managedNamespaceMetadata`, which counts only where the namespace is created (Argo CD 3.6)."""
    given = sync_policy.get("managedNamespaceMetadata") or {}
    wanted = {name: given[name] for name in ("labels", "annotations") if given.get(name)}
    if not wanted or "CreateNamespace=true" not in (sync_policy.get("syncOptions") or ()):
        return ()
    return (f"{NAMESPACE_METADATA}={objects.canonical(wanted).decode()}",)
