"""Which ServiceAccount an Application's objects are written as: its project's `destinationServiceAccounts`.

Argo CD 3.6, `controller/sync.go: deriveServiceAccountToImpersonate`: the first entry whose server and namespace fit
decides, and an Application that none fits is refused. A project without entries leaves the agent its own name, unless
`argocd-cm` says `application.sync.impersonation.enabled: "true"`; with "false" the entries count for nothing.
"""

from __future__ import annotations

from argosy import gobwas
from argosy.objects import Manifest

_NOT_IN_A_NAME = frozenset("!*[]{}\\/")


def of(project: Manifest, app: Manifest, server: str, enabled: bool | None) -> tuple[str, str]:
    """("namespace:name" or "" for the agent itself, why there is none that fits or ""). `enabled` None: not said."""
    entries = (project.get("spec") or {}).get("destinationServiceAccounts") or ()
    if enabled is False or (enabled is None and not entries):
        return "", ""
    namespace = (app["spec"].get("destination") or {}).get("namespace") or ""
    for entry in entries:
        fits = gobwas.match(entry.get("server") or "", server)
        if not fits or not gobwas.match(entry.get("namespace") or "", namespace):
            continue
        name = entry.get("defaultServiceAccount") or ""
        if not name.strip() or _NOT_IN_A_NAME & set(name):
            return "", f"default service account contains invalid chars '{name}'"
        home = namespace or app["metadata"].get("namespace") or ""
        return (name if ":" in name else f"{home}:{name}"), ""
    return "", f"no matching service account found for destination server {server} and namespace {namespace}"
