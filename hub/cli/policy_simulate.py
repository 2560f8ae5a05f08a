"""`argosy rollout simulate` for a RolloutPolicy: one tick is one look of the hub at a rollout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.errors import Invalid
from hub.cli import questions
from hub.core.rollout import placing, policy, showing
from hub.core.rollout.acting import Act, act
from hub.core.rollout.deciding import decide
from hub.core.rollout.model import (
    OUTSIDE,
    GateAnswer,
    Hold,
    Member,
    Rollout,
    Seen,
    Strategy,
    Version,
    gate_key,
)

_BEFORE, _AFTER = Version("before", "before"), Version("this", "this")


def ticks(scenario: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The answers to `{policy, members, ticks}`.

    A member is `{name, cluster, labels, new}` (`new`: it has nothing yet). A tick has `now`; `observed`, what agents
    say, which stays until they say something else: `{app, applied: this|before, sync, health, failed, online}`; `holds`
    of this tick: `{app, reason, until}`; answers of `gates`: `{stage, when, gate, good, said}`; and what people `press`:
    `{verb, by, app, roles}`. An answer says who is assigned the release, who is reverted, the phase, the stage, each
    member's state and what it waits for.
    """
    strategy = policy.parse(questions.mapping(scenario, "policy"), "policy")
    members = {member.app: member for member in _members(strategy, questions.listed(scenario, "members"))}
    seen = {app: Seen(online=True) for app in members}
    rollout: Rollout | None = None
    answers = []
    for tick in questions.listed(scenario, "ticks"):
        now = questions.now(tick).timestamp()
        rollout = rollout or Rollout("this", "", strategy, created=now)
        seen |= {_known(each, members): _seen(each, now) for each in questions.listed(tick, "observed")}
        for asked in questions.listed(tick, "press"):
            result = act(rollout, members, _act(asked, now))
            rollout = result.rollout
            members |= {member.app: member for member in result.members}
        holds = {_known(each, members): _hold(each) for each in questions.listed(tick, "holds")}
        gates = dict(_answer(strategy, each, now) for each in questions.listed(tick, "gates"))
        decision = decide(rollout, members, seen, holds, gates, now)
        rollout = decision.rollout
        members |= {member.app: member for member in decision.members}
        answers.append(
            {
                "assign": list(decision.assign),
                "revert": list(decision.revert),
                "phase": str(rollout.phase),
                "reason": rollout.reason,
                "stage": strategy.stages[rollout.stage].name,
                "state": {app: str(member.state) for app, member in members.items()},
                "waits": {
                    app: why for app, member in members.items() if (why := showing.why(rollout, member))
                },
            }
        )
    return answers


def _members(strategy: Strategy, entries: list[Any]) -> list[Member]:
    found = []
    for entry in entries:
        name = str(entry["name"])
        labels = {str(key): str(value) for key, value in (entry.get("labels") or {}).items()}
        stage = placing.place(strategy, labels)
        rank = (
            "" if stage == OUTSIDE else placing.rank(strategy.stages[stage], strategy.seed, name, labels, 0.0)
        )
        before = Version() if entry.get("new") else _BEFORE
        cluster = str(entry.get("cluster") or name)
        found.append(Member(name, name, cluster, stage, _AFTER, before, rank=rank))
    return found


def _known(entry: Mapping[str, Any], members: Mapping[str, Member]) -> str:
    name = str(entry.get("app") or "")
    if name not in members:
        raise Invalid(f"app: the name of a member is expected, found {name!r}")
    return name


def _seen(entry: Mapping[str, Any], now: float) -> Seen:
    applied = {"this": _AFTER, "before": _BEFORE}.get(str(entry.get("applied") or ""), Version())
    online = bool(entry.get("online", True))
    health = str(entry.get("health") or "")
    return Seen(
        release=applied.release,
        bundle=applied.bundle,
        time=now + 1e-3,
        synced=entry.get("sync", "Synced") == "Synced",
        healthy=health == "Healthy",
        settled=True,
        degraded=health == "Degraded",
        failed=str(entry.get("failed") or ""),
        waiting=str(entry.get("waiting") or ""),
        online=online,
        offline_since=now if online else float("-inf"),
    )


def _hold(entry: Mapping[str, Any]) -> Hold:
    until = questions.time(entry, "until")
    return Hold(str(entry.get("reason") or "held"), until.timestamp() if until else 0.0)


def _answer(strategy: Strategy, entry: Mapping[str, Any], now: float) -> tuple[str, GateAnswer]:
    names = [stage.name for stage in strategy.stages]
    if entry.get("stage") not in names:
        raise Invalid(f"gates.stage: expected one of {', '.join(names)}, found {entry.get('stage')!r}")
    key = gate_key(
        names.index(entry["stage"]), str(entry.get("when") or "after"), str(entry.get("gate") or "")
    )
    return key, GateAnswer(bool(entry.get("good")), str(entry.get("said") or ""), now)


def _act(entry: Mapping[str, Any], now: float) -> Act:
    roles = frozenset(map(str, entry.get("roles") or ()))
    return Act(
        str(entry.get("verb") or ""),
        str(entry.get("by") or "somebody"),
        now,
        str(entry.get("app") or ""),
        str(entry.get("gate") or ""),
        roles,
    )
