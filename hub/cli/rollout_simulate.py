"""`argosy rollout simulate`: what a set's strategy would do with what is observed over time, without a hub."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from argosy.errors import Invalid
from hub.cli import questions

if TYPE_CHECKING:
    from hub.core.rollout.rollingsync import Observed


def simulate(file: str) -> int:
    """Prints for each scenario a list of what follows at each tick: of `{strategy, apps, ticks}`, a RollingSync, who may
    sync, the steps and statuses; of `{policy, members, ticks}` what `policy_simulate.ticks` says."""
    return questions.answer(file, _scenario)


def _scenario(scenario: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "policy" in scenario:
        from hub.cli import policy_simulate

        return policy_simulate.ticks(scenario)
    return _ticks(scenario)


def _ticks(scenario: Mapping[str, Any]) -> list[dict[str, Any]]:
    from hub.core.rollout import rollingsync

    steps = rollingsync.steps_of(questions.mapping(scenario, "strategy"))
    apps = _apps(scenario)
    entries: tuple[rollingsync.Entry, ...] = ()
    answers = []
    for tick in questions.listed(scenario, "ticks"):
        if tick.get("apps") is not None:
            apps = _apps(tick)
        plan = rollingsync.plan(steps, apps)
        names = {name for name, _ in apps}
        live = [_observed(each, names) for each in questions.listed(tick, "observed")]
        outcome = rollingsync.advance(entries, live, plan, questions.now(tick))
        entries = outcome.entries
        answers.append(
            {
                "maySync": list(outcome.may_sync),
                "step": {entry.name: entry.step for entry in entries},
                "status": {entry.name: str(entry.status) for entry in entries},
            }
        )
    return answers


def _apps(holder: Mapping[str, Any]) -> list[tuple[str, dict[str, str]]]:
    return [
        (str(app["name"]), {str(key): str(value) for key, value in (app.get("labels") or {}).items()})
        for app in questions.listed(holder, "apps")
    ]


def _observed(one: Mapping[str, Any], generated: set[str]) -> Observed:
    from hub.core.rollout.rollingsync import Observed

    name = str(one.get("app") or "")
    if not name:
        raise Invalid("observed.app: the name of an Application is expected")
    revision = one.get("revision")
    revisions = one.get("revisions") or ([revision] if revision else [])
    conditions = one.get("conditions") or ()
    return Observed(
        name=name,
        sync=str(one.get("sync") or ""),
        health=str(one.get("health") or ""),
        revisions=tuple(map(str, revisions)),
        reconciled_at=questions.time(one, "reconciledAt"),
        operation_phase=str(one.get("operationPhase") or ""),
        operation_started_at=questions.time(one, "operationStartedAt"),
        conditions=frozenset(each if isinstance(each, str) else str(each["type"]) for each in conditions),
        spec_differs=bool(one.get("specDiffers")) and name in generated,
    )
