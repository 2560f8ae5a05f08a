"""`status.conditions` in Argo CD's shape: what an evaluation says of its set, what a render says of its Application."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from hub.core.types import Answer, Failed, Partial, SetProblem

Condition = dict[str, Any]

STALE = "Stale"
"""Ours: the last evaluation was not complete, so the set keeps its last good applications."""
REMOVAL_HELD = "RemovalHeld"
"""Ours: applications would go, and something has to be decided first."""

_DONE = "ApplicationSetUpToDate"
_ALL = "All applications have been generated successfully"


def of_set(
    problems: Sequence[SetProblem],
    completeness: Answer[None],
    blocked: str,
    before: Iterable[Mapping[str, Any]],
    now: str,
) -> list[Condition]:
    """The conditions of an ApplicationSet after one evaluation. `now` is RFC 3339; times move only with the status."""
    shown = problems[0] if problems else None
    found = [
        _condition("ErrorOccurred", "True", shown.reason, _listed(problems))
        if shown
        else _condition("ErrorOccurred", "False", _DONE, _ALL),
        _condition("ParametersGenerated", "False", "ErrorOccurred", _listed(problems))
        if shown and isinstance(completeness, Failed)
        else _condition(
            "ParametersGenerated",
            "True",
            "ParametersGenerated",
            "All parameters have been generated successfully",
        ),
        _condition("ResourcesUpToDate", "False", "ErrorOccurred", _listed(problems))
        if shown
        else _condition("ResourcesUpToDate", "True", _DONE, _ALL),
    ]
    if isinstance(completeness, Failed):
        found.append(_condition(STALE, "True", "EvaluationFailed", completeness.reason))
    elif isinstance(completeness, Partial):
        found.append(_condition(STALE, "True", "EvaluationPartial", completeness.reason))
    if blocked:
        found.append(_condition(REMOVAL_HELD, "True", "RemovalHeld", blocked))
    return _timed(found, before, now)


def health_of_set(conditions: Iterable[Mapping[str, Any]]) -> dict[str, str] | None:
    """`status.health` of an ApplicationSet, None where it has no conditions yet (Argo CD 3.6, `CalculateHealth`)."""
    known = list(conditions)
    true = {
        str(one.get("type")): str(one.get("message") or "") for one in known if one.get("status") == "True"
    }
    for kind, status in _HEALTH:
        if kind in true:
            return {"status": status, "message": true[kind]}
    return {"status": "Unknown", "message": "Waiting for health status to be determined"} if known else None


_HEALTH = (
    ("ErrorOccurred", "Degraded"),
    ("RolloutProgressing", "Progressing"),
    ("ResourcesUpToDate", "Healthy"),
)


def of_app(
    problem: str,
    before: Iterable[Mapping[str, Any]],
    now: str,
    warnings: Iterable[tuple[str, str | None]] = (),
) -> list[Condition]:
    """The hub's own conditions of an Application: where its source or destination cannot be used, and what is worth
    a warning. `warnings` are (type, message); "" is none, None means that nothing new is known of it.
    """
    known = {str(old.get("type")): old for old in before}
    wanted = [problem.partition(": ")[::2]] if problem else []
    for kind, message in warnings:
        text = str((known.get(kind) or {}).get("message") or "") if message is None else message
        if text:
            wanted.append((kind, text))
    found = []
    for kind, text in wanted:
        old = known.get(kind) or {}
        since = old.get("lastTransitionTime", now) if old.get("message") == text else now
        found.append({"type": kind, "message": text, "lastTransitionTime": since})
    return found


def _condition(kind: str, status: str, reason: str, message: str) -> Condition:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def _listed(problems: Sequence[SetProblem], most: int = 5) -> str:
    # A mistake in a template is told once for each set of parameters.
    found = list(dict.fromkeys(str(problem) for problem in problems))
    text = "; ".join(found[:most])
    return text + (f"; and {len(found) - most} more" if len(found) > most else "")


def _timed(found: list[Condition], before: Iterable[Mapping[str, Any]], now: str) -> list[Condition]:
    known = {old.get("type"): old for old in before}
    for condition in found:
        old = known.get(condition["type"]) or {}
        same = old.get("status") == condition["status"] and old.get("reason") == condition["reason"]
        condition["lastTransitionTime"] = old.get("lastTransitionTime", now) if same else now
    return found
