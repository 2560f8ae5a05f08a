"""Who may hold API tokens: local accounts of `argocd-cm` and roles of AppProjects, as in Argo CD 3.6.

`accounts.NAME: apiKey` makes an account, `accounts.NAME.enabled: "false"` shuts it out; a role of a project is called
`proj:PROJECT:ROLE`, as policies call it. Neither is in any group of its own: `policy.csv` says what it may do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.objects import Manifest

API_KEY = "apiKey"
_ROLE = "proj:"


def project_of(holder: str) -> str:
    """The project whose role it is, "" for a local account."""
    parts = holder.split(":")
    return parts[1] if holder.startswith(_ROLE) and len(parts) == 3 else ""


def problem(holder: str, settings: Mapping[str, Any], project: Manifest | None) -> str:
    """Why there is no such holder of tokens (any more), "" where there is. `settings` is what `argocd-cm` holds, `project`
    that of `project_of`, None where it is not there.
    """
    if holder.startswith(_ROLE):
        name, role = project_of(holder), holder.rpartition(":")[2]
        if not name:
            return f'account "{holder}": expected proj:PROJECT:ROLE'
        if project is None:
            return f"project {name} does not exist"
        known = [each.get("name") for each in (project.get("spec") or {}).get("roles") or ()]
        return "" if role in known else f"project {name} has no role {role}"
    said = settings.get(f"accounts.{holder}")
    if said is None:
        return f"account {holder} does not exist: argocd-cm has no key accounts.{holder}"
    if API_KEY not in [part.strip() for part in str(said).split(",")]:
        return f"account {holder} may have no tokens: argocd-cm says accounts.{holder}: {said}, without {API_KEY}"
    if str(settings.get(f"accounts.{holder}.enabled", "true")).lower() == "false":
        return f"account {holder} is disabled: argocd-cm says accounts.{holder}.enabled: false"
    return ""
