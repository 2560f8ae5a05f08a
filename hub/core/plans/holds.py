"""What a change would wait for: freezes, windows, the stages and gates of its set's rollout, a sync by hand.

Asked of `hub.core.holds.holds` and the rollout's own rules, so that a plan waits for what the change will wait for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from argosy import differences
from argosy.objects import Manifest
from hub.core.holds import holds, windows
from hub.core.holds.freezes import Orders, Subject
from hub.core.holds.windows import Window
from hub.core.plans.model import AppPlan, Hold
from hub.core.removals import caps
from hub.core.removals.caps import NO_CAPS, Caps
from hub.core.rollout import placing, showing
from hub.core.rollout.model import OUTSIDE, Gate, Strategy


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds are decided by. `strategies` are those of sets by name, `unreadable` why a set's cannot be used."""

    orders: Orders
    projects: Mapping[str, Sequence[Window]]
    strategies: Mapping[str, Strategy]
    unreadable: Mapping[str, str]
    now: float
    limits: Caps = NO_CAPS


def of_apps(subjects: Iterable[Subject], rules: Rules) -> dict[str, tuple[Hold, ...]]:
    """By `Subject.id`: what each application that changes would wait for."""
    found: dict[str, list[Hold]] = {}
    by_set: dict[str, list[Subject]] = {}
    for subject in subjects:
        by_set.setdefault(subject.appset, []).append(subject)
    for appset, members in by_set.items():
        strategy = rules.strategies.get(appset)
        policy = windows.parse_policy(strategy.windows) if strategy else ()
        held = holds.of(members, rules.orders, rules.projects, rules.now, policy).by_app
        for subject in members:
            mine = found.setdefault(subject.id, [])
            if (hold := held.get(subject.id)) is not None:
                mine.append(Hold("Freeze" if hold.reason.startswith("frozen") else "Window", hold.reason))
            if not subject.automated:
                mine.append(
                    Hold(
                        "ManualSync", "syncs when somebody asks for it: spec.syncPolicy.automated is not set"
                    )
                )
            if reason := rules.unreadable.get(appset):
                mine.append(Hold("Rollout", reason))
            elif strategy is not None and (stage := _stage(subject, strategy)):
                mine.append(Hold("Rollout", stage))
    return {app: tuple(mine) for app, mine in found.items()}


def of_prune(plan: AppPlan, manifest: Manifest, rules: Rules) -> tuple[Hold, ...]:
    """Whether what an application would lose by it has to be approved first."""
    gone = sum(each.change == differences.REMOVED and not each.kept for each in plan.objects)
    notes = manifest["metadata"].get("annotations") or {}
    why = caps.over_prune(gone, plan.had, notes, rules.limits) if gone else ""
    return (Hold("Prune", f"waits for an approval: {why}"),) if why else ()


def of_removals(subjects: Iterable[Subject], rules: Rules) -> dict[str, tuple[Hold, ...]]:
    """By `Subject.id`: freezes hold removals, windows are for syncs."""
    held = holds.of(subjects, rules.orders, {}, rules.now).by_app
    return {app: (Hold("Freeze", hold.reason),) for app, hold in held.items()}


def automated(app: Manifest) -> bool:
    """Whether an Application syncs by itself."""
    policy = ((app.get("spec") or {}).get("syncPolicy") or {}).get("automated")
    return policy is not None and policy.get("enabled") is not False


def _stage(subject: Subject, strategy: Strategy) -> str:
    """What the application waits for in its rollout, "" where it goes first and through no gate."""
    manifest = subject.manifest or {}
    own = (manifest.get("metadata") or {}).get("labels") or {}
    at = placing.place(strategy, own if strategy.over_apps else subject.cluster.labels)
    stages = strategy.stages
    if at == OUTSIDE:
        return showing.BY_HAND
    gates = [*_gates(at, stages[at].before, "before")]
    for earlier in range(at):
        gates += [
            *_gates(earlier, stages[earlier].before, "before"),
            *_gates(earlier, stages[earlier].after, "after"),
        ]
    parts = [f"stage {at + 1} of {len(stages)} ({stages[at].name})"] if at or gates else []
    if at:
        parts.append(f"after {stages[at - 1].name}")
    if gates:
        parts.append(f"gates: {', '.join(gates)}")
    return "; ".join(parts)


def _gates(at: int, gates: Sequence[Gate], when: str) -> Iterable[str]:
    return (f"{gate.name} ({gate.kind}) {when} stage {at + 1}" for gate in gates)
