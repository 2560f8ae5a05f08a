"""Conflicts of an apply: which fields it wants that others have, and what a real API server says of it."""

from __future__ import annotations

from typing import NamedTuple

from argosy.machinery import failure, fields
from argosy.machinery.managed_fields import Manager, identifier


class FieldConflict(NamedTuple):
    """A field an apply wants, and who has it."""

    manager: Manager
    path: fields.Path


class Conflicts(Exception):
    """An apply would take fields from others."""

    def __init__(self, conflicts: list[FieldConflict]) -> None:
        super().__init__(f"{len(conflicts)} conflicts")
        self.conflicts = conflicts


def _manager_text(manager: Manager) -> str:
    text = f'"{manager.name}"'
    if manager.subresource:
        text += f' with subresource "{manager.subresource}"'
    return f"{text} using {manager.version}" if manager.operation == "Update" else text


def refusal(conflicts: list[FieldConflict]) -> failure.ApiFailure:
    """409 with a cause for each field."""
    causes = [
        failure.Cause(
            "FieldManagerConflict",
            f"conflict with {_manager_text(each.manager)}",
            fields.path_text(each.path),
        )
        for each in conflicts
    ]
    if len(conflicts) == 1:
        message = f"Apply failed with 1 conflict: {causes[0].message}: {causes[0].field}"
        return failure.apply_conflict(causes, message)
    lines = []
    by_manager: dict[Manager, list[str]] = {}
    for each in conflicts:
        by_manager.setdefault(each.manager, []).append(fields.path_text(each.path))
    for manager in sorted(by_manager, key=identifier):
        lines.append(f"conflicts with {_manager_text(manager)}:")
        lines += [f"- {path}" for path in by_manager[manager]]
    message = f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)
    return failure.apply_conflict(causes, message)
