"""Random histories: clusters fail, vanish, return, lie, join and leave, people press every button at the worst moment."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from hub.core.rollout import showing
from hub.core.rollout.acting import Act, act, enrol
from hub.core.rollout.deciding import decide, over
from hub.core.rollout.gating import AFTER, BEFORE, of
from hub.core.rollout.model import (
    ASSIGNED,
    FINAL,
    GateAnswer,
    GateKind,
    Hold,
    Member,
    Phase,
    Rollout,
    Seen,
    State,
    Version,
    gate_key,
)
from hub.core.rollout.policy import parse

OLD, NEW = Version("r1", "old", "c1"), Version("r2", "new", "c2")
VERBS = ("promote", "pause", "resume", "abort", "retry", "skip", "rollback", "approve")
SOAK = 20.0


def a_policy(rng: random.Random) -> dict[str, object]:
    gates = [
        {"name": "go", "approval": {}, "count": rng.choice([1, 2])},
        {
            "name": "errors",
            "http": {"url": "http://x"},
            "count": 2,
            "every": "5s",
            "timeout": rng.choice(["0", "2m"]),
        },
    ]
    stages = [
        {
            "name": f"s{at}",
            "maxConcurrent": rng.choice([1, 2, "50%", "100%"]),
            "startsPerMinute": rng.choice([0, 12]),
            "soak": rng.choice(["0", f"{SOAK:g}s"]),
            "deadline": rng.choice(["0", "90s"]),
            "failureBudget": rng.choice([0, 1, "30%"]),
            "gates": {
                "before": rng.sample(gates, rng.choice([0, 0, 1])),
                "after": rng.sample(gates, rng.choice([0, 1])),
            },
            "selector": {"matchLabels": {"ring": str(at)}},
        }
        for at in range(3)
    ]
    return {
        "stages": stages,
        "offline": rng.choice(["defer", "wait", "fail"]),
        "membership": rng.choice(["join", "defer", "abort"]),
        "onFailure": rng.choice(["halt", "rollback", "rollback-stage"]),
        "failureBudget": rng.choice([2, "50%"]),
    }


class World:
    """A fleet, its agents, and the hub that looks at a rollout. It dies and starts again between any two looks, since
    nothing but what is stored goes from one to the next."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.now = 1000.0
        self.rollout = Rollout("r2", "set", parse(a_policy(rng)), created=self.now)
        self.members: dict[str, Member] = {}
        self.has: dict[str, Version] = {}
        """What each cluster is assigned."""
        self.seen: dict[str, Seen] = {}
        self.well_since: dict[str, float] = {}
        self.holds: dict[str, Hold] = {}
        self.answers: dict[str, GateAnswer] = {}
        self.by_hand: set[str] = set()
        """Those whom somebody's verb made done or skipped since the last look."""
        for at in range(3):
            for number in range(rng.randint(0, 4)):
                self.join(f"m{at}-{number}", at)

    def join(self, app: str, stage: int) -> Member:
        member = Member(app, app, f"c-{app}", stage, NEW, self.rng.choice([OLD, OLD, Version()]), rank=app)
        self.members[app] = member
        self.has[app] = member.before
        self.seen[app] = Seen(online=True)
        return member

    # --- what happens ---

    def agent_applies(self) -> None:
        for app in self.some():
            has = self.has[app]
            if has.bundle and self.seen[app].online:
                self.say(
                    app, Seen(has.release, has.bundle, self.now, synced=True, healthy=True, settled=True)
                )

    def agent_fails(self) -> None:
        for app in self.some(2):
            has = self.has[app]
            failed = self.rng.choice(["", "image not found"])
            seen = Seen(
                has.release, has.bundle, self.now, synced=True, degraded=True, settled=True, failed=failed
            )
            self.say(app, seen)

    def agent_lies(self) -> None:
        for app in self.some(2):
            lie = self.rng.choice(["old", "new", "foreign"])
            self.say(
                app,
                Seen(self.rng.choice(["r2", "r9"]), lie, self.now, synced=True, healthy=True, settled=True),
            )

    def link_drops(self) -> None:
        for app in self.some(2):
            self.say(app, replace(self.seen[app], online=False, offline_since=self.now))

    def link_returns(self) -> None:
        for app in self.some():
            self.say(app, replace(self.seen[app], online=True))

    def say(self, app: str, seen: Seen) -> None:
        self.seen[app] = seen
        well = (
            seen.bundle == NEW.bundle
            and seen.release == "r2"
            and seen.healthy
            and seen.settled
            and seen.synced
        )
        if well:
            self.well_since.setdefault(app, self.now)
        else:
            self.well_since.pop(app, None)

    def freeze(self) -> None:
        for app in self.some(2):
            self.holds[app] = Hold("frozen", self.now + 30)

    def thaw(self) -> None:
        self.holds.clear()

    def gates_answer(self) -> None:
        for at in range(3):
            for when in (BEFORE, AFTER):
                for gate in of(self.rollout.strategy.stages[at], when):
                    if gate.kind is GateKind.HTTP and self.rng.random() < 0.8:
                        good = self.rng.random() < 0.8
                        self.answers[gate_key(at, when, gate.name)] = GateAnswer(good, "said", self.now)

    def somebody_presses(self) -> None:
        member = self.rng.choice(["", "", *self.members])
        self.press(self.rng.choice(VERBS), member, by=self.rng.choice(["ann", "bob"]))

    def press(self, verb: str, member: str = "", by: str = "ann") -> None:
        asked = Act(verb, by, self.now, member)
        result = act(self.rollout, self.members, asked)
        self.take(result.rollout, result.members)
        again = act(self.rollout, self.members, asked)
        if verb not in ("approve", "promote"):
            assert (again.rollout, again.members) == (self.rollout, ()), f"{verb} twice is not {verb} once"

    def membership_changes(self) -> None:
        if self.rng.random() < 0.5 and self.members:
            leaver = self.members[self.rng.choice(list(self.members))]
            result = enrol(self.rollout, (), [leaver], self.now)
        else:
            at = self.rng.randrange(3)
            app = f"j{at}-{len(self.members)}"
            joined = self.join(app, at)
            del self.members[app]
            result = enrol(self.rollout, [joined], (), self.now)
        self.take(result.rollout, result.members)

    def time_passes(self) -> None:
        self.now += self.rng.choice([1, 5, 15, 100])

    def take(self, rollout: Rollout, changed: tuple[Member, ...]) -> None:
        for member in changed:
            if member.state in (State.DONE, State.SKIPPED):
                self.by_hand.add(member.app)
        self.rollout = rollout
        self.members |= {member.app: member for member in changed}

    def some(self, most: int = 10) -> list[str]:
        names = list(self.members)
        return self.rng.sample(names, self.rng.randint(0, min(most, len(names))))

    # --- what the hub does, and what must be true of it ---

    def look(self) -> None:
        """Looks until nothing follows any more, which takes a few looks at most."""
        for _ in range(len(self.members) + 5):
            if not self.one_look():
                return
        raise AssertionError("deciding again never ends")

    def one_look(self) -> bool:
        before, members = self.rollout, self.members
        decision = decide(before, members, self.seen, self.holds, self.answers, self.now)
        assert decision == decide(before, members, self.seen, self.holds, self.answers, self.now)
        self.answers = {}
        self.rollout = decision.rollout
        self.members = members | {member.app: member for member in decision.members}
        for app in decision.assign:
            self.has[app] = self.members[app].to
        for app in decision.revert:
            assert self.members[app].before.bundle
            self.has[app] = self.members[app].before
        self.check(before, members, decision.assign)
        self.by_hand.clear()
        return bool(decision.members)

    def check(self, before: Rollout, members: dict[str, Member], assigned: tuple[str, ...]) -> None:
        stages = self.rollout.strategy.stages
        for app in assigned:
            member = self.members[app]
            assert member.stage <= self.rollout.stage, "order violated"
            assert app not in self.holds, "a held member moved"
            assert before.phase in (Phase.PROGRESSING, Phase.COMPLETED)
            busy = sum(m.state in ASSIGNED for m in self.members.values() if m.stage == member.stage)
            total = sum(m.stage == member.stage for m in self.members.values() if m.state is not State.LEFT)
            limit = stages[member.stage].max_concurrent
            assert limit is not None
            assert busy <= limit.of(total), "more than maxConcurrent on their way"
        if self.rollout.phase is Phase.PROGRESSING:
            self.check_budget()
        for at in range(before.stage, self.rollout.stage):
            present = [m for m in self.members.values() if m.stage == at and m.state is not State.LEFT]
            passable = {State.DONE, State.DEFERRED, State.SKIPPED, State.FAILED, State.REVERTED}
            if self.rollout.phase is Phase.ROLLING_BACK:
                passable.add(State.REVERTING)
            assert all(m.state in passable for m in present), "a stage was left before it was through"
            for when in (BEFORE, AFTER):
                for gate in of(stages[at], when) if present else ():
                    assert self.rollout.gates[gate_key(at, when, gate.name)].passed, "a gate was passed early"
        for app, member in self.members.items():
            if (
                member.state is State.DONE
                and members[app].state is not State.DONE
                and app not in self.by_hand
            ):
                assert self.now - self.well_since[app] >= stages[member.stage].soak, "done before it soaked"
            if member.state not in (State.DONE, State.LEFT):
                assert showing.why(self.rollout, member), f"{member.state} without a reason"

    def check_budget(self) -> None:
        for at, stage in enumerate(self.rollout.strategy.stages):
            present = [m for m in self.members.values() if m.stage == at and m.state is not State.LEFT]
            assert stage.budget is not None
            failed = sum(m.state is State.FAILED for m in present)
            assert failed <= stage.budget.of(len(present)), "the failure budget is exceeded"

    def finish(self) -> None:
        """Everything goes well from now on: then the rollout ends."""
        self.holds.clear()
        for _ in range(200):
            if self.rollout.phase in FINAL and over(self.rollout, self.members.values()):
                return
            if self.rollout.phase in (Phase.PAUSED, Phase.HALTED):
                self.press("resume")
            for person in ("ann", "bob"):
                self.press("approve", by=person)
            for app in self.members:
                self.say(app, replace(self.seen[app], online=True))
                has = self.has[app]
                self.say(
                    app, Seen(has.release, has.bundle, self.now, synced=True, healthy=True, settled=True)
                )
            for at in range(3):
                for when in (BEFORE, AFTER):
                    for gate in of(self.rollout.strategy.stages[at], when):
                        self.answers[gate_key(at, when, gate.name)] = GateAnswer(True, "well", self.now)
            self.look()
            self.now += 10
        raise AssertionError(f"never over: {self.rollout.phase} {self.rollout.reason} {self.members}")


def history(seed: int, steps: int = 60) -> None:
    world = World(seed)
    events: list[Callable[[], None]] = [
        *[world.agent_applies] * 4,
        *[world.gates_answer] * 2,
        *[world.link_returns] * 2,
        *(world.agent_fails, world.agent_lies, world.link_drops, world.freeze, world.thaw),
        *(world.somebody_presses, world.membership_changes),
    ]
    for _ in range(steps):
        world.rng.choice(events)()
        world.time_passes()
        world.look()
    world.finish()


@pytest.mark.parametrize("start", range(0, 400, 50))
def test_random_histories(start: int) -> None:
    for seed in range(start, start + 50):
        history(seed)


@pytest.mark.soak
def test_many_random_histories() -> None:
    for seed in range(1000, 21000):
        history(seed)
