"""Single looks at a rollout: who starts, what is waited for, what a failure does."""

from __future__ import annotations

from dataclasses import replace

import pytest

from argosy.errors import Invalid
from hub.core.rollout import rolling
from hub.core.rollout.acting import Act, Result, act
from hub.core.rollout.deciding import decide, over
from hub.core.rollout.model import (
    GateAnswer,
    Hold,
    Member,
    Phase,
    Rollout,
    Seen,
    State,
    Strategy,
    Version,
    gate_key,
)
from hub.core.rollout.policy import parse

OLD, NEW = Version("r1", "old", "c1"), Version("r2", "new", "c2")
HERE = Seen(online=True)
WELL = Seen("r2", "new", time=1e9, synced=True, healthy=True, settled=True)


class Bench:
    """One rollout kept as the hub keeps it. `seen` is what the agents say, `a`, `b`, ... are members by stage."""

    def __init__(self, policy: dict[str, object], *stages: str, now: float = 1000.0) -> None:
        self.now = now
        self.rollout = Rollout("r2", "set", parse(policy), created=now)
        self.members = {
            name: Member(name, name, f"cluster-{name}", at, NEW, OLD, rank=name)
            for at, names in enumerate(stages)
            for name in names
        }
        self.seen = dict.fromkeys(self.members, HERE)
        self.holds: dict[str, Hold] = {}
        self.answers: dict[str, GateAnswer] = {}
        self.assigned: list[str] = []
        self.reverted: list[str] = []

    def look(self, after: float = 0.0, **seen: Seen) -> None:
        self.now += after
        self.seen |= seen
        self.decision = decide(self.rollout, self.members, self.seen, self.holds, self.answers, self.now)
        self.answers = {}
        self.rollout = self.decision.rollout
        self.members |= {member.app: member for member in self.decision.members}
        self.assigned += self.decision.assign
        self.reverted += self.decision.revert

    def press(
        self, verb: str, member: str = "", by: str = "ann", roles: frozenset[str] = frozenset()
    ) -> None:
        result = act(self.rollout, self.members, Act(verb, by, self.now, member, roles=roles))
        self.rollout = result.rollout
        self.members |= {each.app: each for each in result.members}

    def states(self) -> str:
        return " ".join(f"{app}:{member.state}" for app, member in sorted(self.members.items()))


def policy(*stages: dict[str, object], **more: object) -> dict[str, object]:
    return {"stages": [{"name": f"s{at}", **stage} for at, stage in enumerate(stages)], **more}


CANARY = {"selector": {"matchLabels": {"ring": "canary"}}}


def test_a_stage_begins_when_the_one_before_is_applied_and_healthy() -> None:
    bench = Bench(policy(CANARY, {}), "a", "bc")
    bench.look()
    assert bench.assigned == ["a"]
    bench.look(5, a=replace(WELL, settled=False))
    assert bench.assigned == ["a"], "a status of an older generation opens nothing"
    bench.look(5, a=replace(WELL, bundle="old", release="r1"))
    assert bench.assigned == ["a"], "the health of another bundle opens nothing"
    bench.look(5, a=WELL)
    assert bench.assigned == ["a", "b", "c"]
    bench.look(5, b=WELL, c=WELL)
    assert bench.rollout.phase is Phase.COMPLETED
    assert over(bench.rollout, bench.members.values())


def test_deciding_again_changes_nothing() -> None:
    bench = Bench(policy(CANARY, {"maxConcurrent": 1}), "a", "bc")
    bench.look()
    bench.look()
    assert bench.assigned == ["a"]
    assert not bench.decision.members
    assert not bench.decision.notes


def test_the_soak_time_runs_without_a_break() -> None:
    bench = Bench(policy({**CANARY, "soak": "1m"}, {}), "a", "b")
    bench.look()
    bench.look(1, a=WELL)
    assert bench.decision.wake == bench.now + 60
    bench.look(50, a=replace(WELL, healthy=False, degraded=True))
    assert bench.members["a"].state is State.MOVING
    bench.look(5, a=WELL)
    bench.look(59)
    assert bench.assigned == ["a"]
    bench.look(1)
    assert bench.assigned == ["a", "b"]


def test_a_link_that_blinks_neither_ends_nor_restarts_the_soak_time() -> None:
    bench = Bench(policy({**CANARY, "soak": "1m"}, {}), "a", "b")
    bench.look()
    bench.look(0, a=WELL)
    bench.look(50, a=replace(WELL, online=False, offline_since=bench.now + 50))
    bench.look(20)
    assert bench.assigned == ["a"]
    bench.look(1, a=WELL)
    assert bench.assigned == ["a", "b"]


def test_no_more_than_max_concurrent_are_on_their_way() -> None:
    bench = Bench(policy({"maxConcurrent": "50%"}), "abcd")
    bench.look()
    assert bench.assigned == ["a", "b"]
    bench.look(1, a=WELL)
    assert bench.assigned == ["a", "b", "c"]


def test_percentages_are_of_all_members_of_the_set() -> None:
    bench = Bench(policy({"maxConcurrent": "50%"}), "abcd")
    bench.rollout = replace(bench.rollout, totals=(8,))
    bench.look()
    assert len(bench.assigned) == 4


def test_starts_are_spread_over_time() -> None:
    bench = Bench(policy({"startsPerMinute": 6}), "abc")
    bench.look()
    assert bench.assigned == ["a"]
    assert bench.decision.wake == bench.now + 10
    bench.look(9)
    assert bench.assigned == ["a"]
    bench.look(1)
    assert bench.assigned == ["a", "b"]


def test_a_failure_over_budget_halts_and_says_why() -> None:
    bench = Bench(policy({**CANARY, "deadline": "30s"}, {}), "a", "b")
    bench.look()
    bench.look(30, a=replace(HERE, waiting="Deployment web: 0 of 1 ready"))
    assert bench.rollout.phase is Phase.HALTED
    assert bench.members["a"].blocker == "not healthy within 30 s: Deployment web: 0 of 1 ready"
    bench.look(1000)
    assert bench.assigned == ["a"]


def test_a_failure_within_budget_holds_nobody_up() -> None:
    bench = Bench(policy({**CANARY, "deadline": "30s", "failureBudget": 1}, {}), "ab", "c")
    bench.look()
    bench.look(30, a=WELL)
    assert bench.assigned == ["a", "b", "c"]


def test_the_budget_of_the_whole_rollout_counts_all_stages() -> None:
    stage = {"failureBudget": 5}
    bench = Bench(policy({**CANARY, **stage}, stage, failureBudget=1), "ab", "cd")
    bench.look()
    bad = replace(WELL, healthy=False, failed="image not found")
    bench.look(1, a=bad, b=WELL)
    assert bench.rollout.phase is Phase.PROGRESSING
    bench.look(1, c=bad)
    assert bench.rollout.phase is Phase.HALTED


def test_a_rollback_sends_back_whom_the_release_reached_and_nobody_else() -> None:
    bench = Bench(policy(CANARY, {}, onFailure="rollback"), "ab", "c")
    bench.members["b"] = replace(bench.members["b"], before=Version())
    bench.look()
    bench.look(1, a=replace(WELL, healthy=False, failed="image not found"))
    assert bench.rollout.phase is Phase.ROLLING_BACK
    assert bench.rollout.bad
    assert bench.reverted == ["a"]
    assert bench.members["b"].blocker == "had nothing before: keeps what it has"
    bench.look(1, a=Seen("r1", "old", synced=True))
    assert bench.rollout.phase is Phase.ROLLED_BACK
    assert "c" not in bench.assigned
    assert over(bench.rollout, bench.members.values())


def test_a_stage_alone_is_rolled_back_where_the_policy_says_so() -> None:
    bench = Bench(policy(CANARY, {}, onFailure="rollback-stage"), "a", "b")
    bench.look()
    bench.look(1, a=WELL)
    bench.look(1, b=replace(WELL, healthy=False, failed="no"))
    assert bench.reverted == ["b"]
    assert bench.members["a"].state is State.DONE


def test_one_that_falls_ill_after_it_was_done_counts() -> None:
    bench = Bench(policy(CANARY, {"maxConcurrent": 1}, onFailure="rollback"), "a", "bc")
    bench.look()
    bench.look(1, a=WELL)
    bench.look(1, a=replace(WELL, healthy=False, degraded=True))
    assert bench.rollout.phase is Phase.ROLLING_BACK
    assert sorted(bench.reverted) == ["a", "b"]


def test_an_offline_cluster_delays_nobody_and_catches_up_on_its_return() -> None:
    bench = Bench(policy(CANARY, {}), "ab", "c")
    bench.look(0, b=Seen(online=False, offline_since=0.0))
    assert bench.members["b"].state is State.DEFERRED
    bench.look(1, a=WELL)
    bench.look(1, c=WELL)
    assert bench.rollout.phase is Phase.COMPLETED
    assert not over(bench.rollout, bench.members.values())
    bench.holds["b"] = Hold("window closed", until=bench.now + 100)
    bench.look(10, b=HERE)
    bench.look()
    assert bench.assigned == ["a", "c"], "through the same windows"
    bench.holds.clear()
    bench.look(100)
    assert bench.assigned == ["a", "c", "b"]
    bench.look(1, b=WELL)
    assert over(bench.rollout, bench.members.values())


@pytest.mark.parametrize(("rule", "expected"), [("wait", State.MOVING), ("fail", State.FAILED)])
def test_offline_as_the_policy_says(rule: str, expected: State) -> None:
    bench = Bench(policy({"deadline": "10s", "failureBudget": 1}, offline=rule), "ab")
    bench.look()
    bench.look(300, a=Seen(online=False, offline_since=bench.now), b=WELL)
    bench.look(100)
    assert bench.members["a"].state is expected


def test_a_member_that_waited_offline_gets_its_time_on_its_return() -> None:
    bench = Bench(policy({"deadline": "10s"}, offline="wait"), "a")
    bench.look()
    bench.look(100, a=Seen(online=False, offline_since=bench.now))
    bench.look(100, a=HERE)
    assert bench.members["a"].state is State.MOVING
    bench.look(10)
    assert bench.members["a"].state is State.FAILED


def test_a_hold_is_named_and_ends_by_itself() -> None:
    bench = Bench(policy({}), "ab")
    bench.holds["a"] = Hold("frozen by ann: audit", until=bench.now + 50)
    bench.look()
    assert bench.assigned == ["b"]
    assert bench.members["a"].blocker == "frozen by ann: audit"
    assert bench.decision.wake == bench.now + 50
    bench.holds.clear()
    bench.look(50)
    assert bench.assigned == ["b", "a"]


APPROVAL = {"name": "go", "approval": {"roles": ["ops"]}, "count": 2}
METRIC = {
    "name": "errors",
    "prometheus": {"url": "http://p", "query": "q", "below": 1},
    "count": 2,
    "every": "10s",
}


def test_an_approval_needs_different_people_of_the_role() -> None:
    bench = Bench(policy({"gates": {"before": [APPROVAL]}}), "a")
    bench.look()
    assert bench.rollout.reason == "gate go: 0 of 2 approvals of ops"
    for by, roles in (("ann", {"ops"}), ("ann", {"ops"}), ("eve", {"dev"})):
        bench.press("approve", by=by, roles=frozenset(roles))
        bench.look()
    assert bench.assigned == []
    bench.press("approve", by="bob", roles=frozenset({"ops"}))
    bench.look()
    assert bench.assigned == ["a"]


def test_a_gate_that_is_not_there_cannot_be_approved() -> None:
    bench = Bench(policy({"gates": {"before": [APPROVAL]}}), "a")
    with pytest.raises(Invalid, match="gate 'og': no gate of this rollout has that name; it has go"):
        act(bench.rollout, bench.members, Act("approve", "ann", 0.0, gate="og"))


def test_a_gate_of_a_later_stage_cannot_be_approved_early() -> None:
    bench = Bench(policy(CANARY, {"gates": {"before": [APPROVAL]}}), "a", "b")
    bench.look()
    bench.press("approve", by="ann", roles=frozenset({"ops"}))
    bench.press("approve", by="bob", roles=frozenset({"ops"}))
    bench.look(1, a=WELL)
    assert bench.assigned == ["a"]


def test_a_gate_after_a_stage_cannot_be_approved_before_its_members_are_through() -> None:
    bench = Bench(policy({**CANARY, "gates": {"after": [APPROVAL]}}, {}), "a", "b")
    bench.look()
    bench.press("approve", by="ann", roles=frozenset({"ops"}))
    bench.press("approve", by="bob", roles=frozenset({"ops"}))
    bench.look(1, a=WELL)
    assert bench.assigned == ["a"]
    assert bench.rollout.reason == "gate go: 0 of 2 approvals of ops"


def test_a_gate_after_a_stage_is_approved_by_nobody_while_its_members_soak() -> None:
    gates = {"after": [{"name": "go", "approval": {}}, {"name": "tests", "webhook": {}}]}
    bench = Bench(policy({**CANARY, "soak": "60s", "gates": gates}, {}), "a", "b")
    bench.look()
    bench.look(1, a=WELL)
    assert bench.members["a"].state is State.SOAKING

    def said(verb: str, **more: str) -> Result:
        asked = Act(verb, "ann", bench.now, **more)
        return act(bench.rollout, bench.members, asked)

    early = said("approve")
    assert early.rollout == bench.rollout
    assert early.refused == "gate go after stage s0 is not waited for yet: stage s0 goes on"
    assert said("signal").said, "a pipeline that is called once has its answer when it has it"
    bench.look(60, a=WELL)
    assert bench.assigned == ["a"]
    bench.press("approve", by="ann")
    assert (said("approve").said, said("approve").refused) == ("", ""), "she said so"
    bench.press("signal", by="ci")
    bench.look()
    assert bench.assigned == ["a", "b"]


def test_a_metric_must_be_good_several_times_in_a_row() -> None:
    bench = Bench(policy({**CANARY, "gates": {"after": [METRIC]}}, {}), "a", "b")
    bench.look()
    bench.look(1, a=WELL)
    key = gate_key(0, "after", "errors")
    assert [asked for asked, _ in bench.decision.ask] == [key]
    for good in (True, False, True):
        bench.answers = {key: GateAnswer(good, "0.2", bench.now + 10)}
        bench.look(10)
        assert bench.assigned == ["a"]
        assert [asked for asked, _ in bench.decision.ask] == [key]
    bench.answers = {key: GateAnswer(True, "0.1", bench.now + 10)}
    bench.look(10)
    assert bench.assigned == ["a", "b"]


def test_an_answer_from_before_the_gate_counts_for_nothing() -> None:
    bench = Bench(policy({"gates": {"before": [{**METRIC, "count": 1}]}}), "a")
    bench.answers = {gate_key(0, "before", "errors"): GateAnswer(True, "", bench.now - 1)}
    bench.look()
    assert bench.assigned == []


def test_a_gate_that_is_not_passed_in_time_fails_the_stage() -> None:
    bench = Bench(policy({"gates": {"before": [{**METRIC, "timeout": "1m"}]}}), "a")
    bench.look()
    bench.look(60)
    assert bench.rollout.phase is Phase.HALTED
    assert "gate errors: not passed within 60 s" in bench.rollout.reason
    bench.press("resume")
    bench.look()
    assert bench.rollout.phase is Phase.PROGRESSING
    assert bench.assigned == []


def test_a_paused_rollout_starts_nobody() -> None:
    bench = Bench(policy({"maxConcurrent": 1}), "ab")
    bench.look()
    bench.press("pause")
    bench.look(1, a=WELL)
    assert bench.members["a"].state is State.DONE
    assert bench.assigned == ["a"]
    bench.press("pause")
    bench.press("resume")
    bench.look()
    assert bench.assigned == ["a", "b"]


def test_promote_passes_gates_pauses_and_the_rest_of_the_soak_time() -> None:
    bench = Bench(policy({**CANARY, "soak": "1h", "gates": {"after": [APPROVAL]}}, {}), "a", "b")
    bench.look()
    bench.look(1, a=WELL)
    bench.press("pause")
    bench.press("promote")
    bench.look()
    assert bench.assigned == ["a", "b"]
    assert bench.rollout.gates[gate_key(0, "after", "go")].by == ("ann",)


def test_abort_leaves_everybody_where_they_are_and_retry_goes_on() -> None:
    bench = Bench(policy({"maxConcurrent": 1}), "ab")
    bench.look()
    bench.press("abort")
    bench.look(1, a=WELL)
    assert bench.rollout.phase is Phase.ABORTED
    assert (bench.assigned, bench.reverted) == (["a"], [])
    bench.press("retry")
    bench.look()
    bench.look(1)
    assert bench.assigned == ["a", "b"]


def test_retry_does_not_fail_again_on_what_was_said_before_it() -> None:
    bench = Bench(policy({}), "a")
    bench.look()
    failed = replace(WELL, healthy=False, failed="no", time=bench.now + 1)
    bench.look(1, a=failed)
    assert bench.rollout.phase is Phase.HALTED
    bench.now += 1
    bench.press("retry")
    bench.look()
    bench.look(1)
    assert bench.states() == "a:Moving"
    bench.look(1, a=replace(failed, time=bench.now + 1))
    assert bench.rollout.phase is Phase.HALTED


def test_skip_goes_on_without_the_failed_ones() -> None:
    bench = Bench(policy(CANARY, {}), "a", "b")
    bench.look()
    bench.look(1, a=replace(WELL, healthy=False, failed="no"))
    bench.press("skip")
    bench.look()
    assert bench.assigned == ["a", "b"]
    assert bench.members["a"].blocker == "skipped by ann"


def test_a_rolled_back_release_stays_back_until_somebody_clears_it() -> None:
    bench = Bench(policy({}), "a")
    bench.look()
    bench.look(1, a=WELL)
    bench.press("rollback")
    bench.look()
    bench.look(1, a=Seen("r1", "old", synced=True))
    assert (bench.rollout.phase, bench.rollout.bad) == (Phase.ROLLED_BACK, True)
    bench.look(1000)
    assert bench.assigned == ["a"]
    bench.press("retry")
    bench.look()
    assert bench.assigned == ["a", "a"]
    assert not bench.rollout.bad


def test_a_rollout_that_begins_again_asks_its_gates_again() -> None:
    bench = Bench(policy({"gates": {"before": [{"name": "go", "approval": {}}]}}), "a")
    bench.look()
    bench.press("approve")
    bench.look()
    bench.press("rollback")
    bench.look()
    bench.look(1, a=Seen("r1", "old", synced=True))
    bench.press("retry")
    bench.look()
    assert bench.assigned == ["a"]
    assert bench.rollout.reason == "gate go: 0 of 1 approvals"


def test_the_gates_of_a_stage_without_members_are_not_asked() -> None:
    bench = Bench(policy({**CANARY, "gates": {"before": [APPROVAL]}}, {}), "", "b")
    bench.look()
    assert bench.assigned == ["b"]


def test_rollingsync_waits_on_a_failure_for_ever() -> None:
    step = {"matchExpressions": [{"key": "env", "operator": "In", "values": ["dev"]}], "maxUpdate": 1}
    strategy = rolling.strategy({"type": "RollingSync", "rollingSync": {"steps": [step, {}]}})
    assert isinstance(strategy, Strategy)
    bench = Bench(policy({}), "ab", "c")
    bench.rollout = replace(bench.rollout, strategy=strategy)
    bench.look()
    assert bench.assigned == ["a"]
    bench.look(1, a=replace(WELL, healthy=False, failed="no"))
    bench.look(10**6)
    assert bench.states() == "a:Moving b:Pending c:Pending"
    bench.look(1, a=WELL)
    assert bench.assigned == ["a", "b"]
