"""A rollout as people read it: stages with bars, what is waited for, who is in trouble, when it may be over.

Pure: an object of the API in, lines out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from argosy.objects import Manifest
from hub.core.served import cells

WIDTH = 24
"""Characters of a bar."""
OVER = ("Completed", "RolledBack", "Aborted", "Superseded")
_PARTS = (("done", "█"), ("soaking", "▓"), ("moving", "▒"), ("failed", "!"))
_STATES = (
    "done",
    "soaking",
    "moving",
    "pending",
    "failed",
    "deferred",
    "skipped",
    "reverting",
    "reverted",
)
STAGE_COLUMNS = ("STAGE", "STATE", "PROGRESS", "MEMBERS", "GATES")
BLOCKER_COLUMNS = ("WAITS FOR", "MEMBERS", "SINCE", "FOR EXAMPLE")
MEMBER_COLUMNS = ("APPLICATION", "STAGE", "STATE", "SINCE", "WHY")
TROUBLED = 20
"""Members that are listed."""


def facts(rollout: Manifest, now: float) -> list[tuple[str, str]]:
    """`Label: value` pairs."""
    spec, status = rollout.get("spec") or {}, rollout.get("status") or {}
    owner = spec.get("owner") or {}
    end = cells.seconds(str(status.get("expectedEnd") or ""))
    return [
        ("Name", str(rollout["metadata"]["name"])),
        ("Set", f"{owner.get('name', '')}" if owner.get("kind") == "ApplicationSet" else ""),
        ("Application", f"{owner.get('name', '')}" if owner.get("kind") == "Application" else ""),
        ("Policy", str(spec.get("policy") or (spec.get("strategy") or {}).get("type") or "")),
        ("Phase", str(status.get("phase") or "")),
        ("Reason", str(status.get("message") or "")),
        ("Progress", f"{status.get('done', 0)} of {status.get('total', 0)} applications are done"),
        ("Started", _ago(status.get("startedAt"), now)),
        ("Finished", _ago(status.get("finishedAt"), now)),
        ("Expected", f"in {cells.duration(max(0.0, end - now))}, at the pace so far" if end else ""),
    ]


def stages(rollout: Manifest) -> list[list[str]]:
    """One row for each stage."""
    status = rollout.get("status") or {}
    rows = [_stage(each) for each in status.get("stages") or ()]
    if status.get("outside"):
        rows.append(["(no stage)", "ByHand", "", str(status["outside"]), ""])
    return rows


def _stage(stage: Mapping[str, Any]) -> list[str]:
    counts, total = stage.get("counts") or {}, int(stage.get("total") or 0)
    words = ", ".join(f"{counts[state]} {state}" for state in _STATES if counts.get(state))
    gates = ", ".join(_gate(each) for each in stage.get("gates") or ())
    return [str(stage["name"]), str(stage["state"]), bar(counts, total), words or "none", gates]


def _gate(gate: Mapping[str, Any]) -> str:
    needed = f" {gate.get('good', 0)}/{gate['needed']}" if gate.get("needed", 1) > 1 else ""
    return f"{gate['name']} {str(gate['state']).lower()}{needed}"


def bar(counts: Mapping[str, int], total: int) -> str:
    """How far a stage is, as a bar of `WIDTH` characters; empty for a stage without members."""
    if not total:
        return ""
    drawn, sum_so_far = "", 0
    for state, character in _PARTS:
        sum_so_far += int(counts.get(state, 0))
        # Rounded up, so that the smallest part is seen.
        until = min(WIDTH, -(-sum_so_far * WIDTH // total))
        drawn += character * (until - len(drawn))
    return f"{drawn.ljust(WIDTH, '░')} {100 * int(counts.get('done', 0)) // total:3d}%"


def blockers(rollout: Manifest, now: float) -> list[list[str]]:
    """What is waited for, the rollout's own reason first."""
    status = rollout.get("status") or {}
    return [
        [
            str(each.get("reason") or ""),
            str(each.get("members") or ""),
            _ago(each.get("since"), now),
            str(each.get("example") or ""),
        ]
        for each in status.get("blockers") or ()
    ]


def members(rollout: Manifest, now: float) -> list[list[str]]:
    """Those that are not simply done, those in trouble first."""
    status = rollout.get("status") or {}
    listed: Sequence[Mapping[str, Any]] = status.get("members") or ()
    return [
        [each["name"], each["stage"], each["state"], _ago(each.get("since"), now), each.get("blocker") or ""]
        for each in listed
        if each["state"] not in ("Done", "Pending") or each.get("blocker")
    ][:TROUBLED]


def _ago(stamp: Any, now: float) -> str:
    moment = cells.seconds(str(stamp or ""))
    return f"{cells.duration(max(0.0, now - moment))} ago" if moment is not None else ""
