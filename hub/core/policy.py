"""`spec.syncPolicy` and its neighbours -> the `Policy` an agent acts by."""

from __future__ import annotations

from typing import Any

from argosy import objects
from argosy.bundle import Policy


def of(spec: dict[str, Any], sync_request: str) -> Policy:
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
        sync_options=tuple(sync_policy.get("syncOptions") or ()),
        ignore_differences=objects.canonical(spec.get("ignoreDifferences") or []).decode(),
        sync_request=sync_request,
    )
