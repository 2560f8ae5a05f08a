"""Whether nothing of an Application ever came to a cluster that has it, as far as that is known for sure. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.bundle import Assignment
from argosy.status import Health

_MANAGED = ("", "manage")


def untouched(assigned: Assignment, told: Mapping[str, Any]) -> bool:
    """True where the agent was told to look only, and nobody asked for a sync, and it says (`argosy.status.AppStatus`) that
    it never did one and that none of the objects is there. What is taken over without a sync (`adopt`) is there."""
    policy = assigned.policy
    if policy.automated or policy.sync_request or policy.mode not in _MANAGED:
        return False
    if told.get("bundle") != assigned.bundle or told.get("phase") or told.get("token"):
        return False
    return all(each.get("health") == Health.MISSING for each in told.get("resources") or ())
