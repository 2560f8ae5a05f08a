"""Any history of wanted states, hands in the cluster, requests, faults and restarts ends as wanted, and every step of it
keeps the rules: nothing is deleted that no written removal names, what is not asked for is not written, phases and waves
have their order, and doing it twice does nothing.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pytest
from passes import AUTO, Counting, World, annotated, config_map

from agent.cluster.faults import Effect, Fault
from agent.cluster.memory import MemoryCluster
from agent.sync.sync import Pass
from argosy.bundle import Policy, Removal
from argosy.kinds import Gvk
from argosy.objects import Manifest, ObjectKey
from argosy.status import Health, Sync

RUNS, PER_CASE = 200, 20
EFFECTS: tuple[Effect, ...] = ("unavailable", "lost", "error", "busy", "throttled", "conflict", "forbidden")
VERBS = ("apply", "create", "update", "delete", "get", "kinds")
OPTIONS = "argocd.argoproj.io/sync-options"
GVKS = {"ConfigMap": Gvk("", "v1", "ConfigMap"), "Deployment": Gvk("apps", "v1", "Deployment")}


class Sort(NamedTuple):
    """What an object of the histories is, besides its content."""

    kind: str = "ConfigMap"
    options: str = ""
    frozen: bool = False


SORTS = {
    "a": Sort(),
    "b": Sort(),
    "c": Sort(options="Replace=true"),
    "d": Sort(options="ServerSideApply=false"),
    "e": Sort(options="Force=true", frozen=True),
    "f": Sort(options="Prune=false"),
    "w": Sort("Deployment"),
    "x": Sort("Deployment", options="ServerSideApply=false"),
}
KEPT = "f"
POLICIES = (
    AUTO,
    AUTO,
    replace(AUTO, self_heal=False),
    replace(AUTO, prune=False),
    Policy(automated=False),
    replace(AUTO, retry='{"limit":1,"backoff":{"duration":"5"}}'),
)


class Step(NamedTuple):
    """One write that reached the cluster."""

    verb: str
    key: ObjectKey


class Recording(Counting):
    """Notes every write of objects, in their order."""

    def __init__(self, cluster: MemoryCluster) -> None:
        super().__init__(cluster)
        self.steps: list[Step] = []

    def __getattr__(self, name: str) -> Any:
        target = super().__getattr__(name)
        if name not in ("apply", "create", "update", "delete"):
            return target

        async def call(*args: Any, **options: Any) -> Any:
            if not options.get("dry_run"):
                self.steps.append(Step(name, _key(name, args)))
            return await target(*args, **options)

        return call


def _key(verb: str, args: tuple[Any, ...]) -> ObjectKey:
    if verb == "delete":
        return ObjectKey(args[0].group, args[0].kind, args[1], args[2])
    metadata = args[0]["metadata"]
    group = args[0]["apiVersion"].rpartition("/")[0]
    return ObjectKey(group, args[0]["kind"], metadata.get("namespace", ""), metadata["name"])


def key_of(name: str) -> ObjectKey:
    kind = SORTS[name].kind
    return ObjectKey(GVKS[kind].group, kind, "default", name)


def built(name: str, value: str, wave: int) -> Manifest:
    sort = SORTS[name]
    if sort.kind == "Deployment":
        spec: dict[str, Any] = {
            "replicas": 1,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": f"img:{value}"}]},
            },
        }
        made: Manifest = {"apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}
        made["metadata"] = {"name": name, "namespace": "default"}
    else:
        made = config_map(name, k=value)
        made = {**made, "immutable": True} if sort.frozen else made
    notes = {"wave": str(wave), **({OPTIONS: sort.options} if sort.options else {})}
    return annotated(made, **notes)


def hook(phase: str) -> Manifest:
    spec = {"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "c", "image": "i"}]}}}
    metadata = {"name": f"hook-{phase.lower()}", "namespace": "default"}
    return annotated(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": spec}, hook=phase
    )


@dataclass
class History:
    """One history. `wanted` maps names to (value, wave)."""

    roll: random.Random
    world: World = field(default_factory=World)
    wanted: dict[str, tuple[str, int]] = field(default_factory=dict)
    hooks: tuple[str, ...] = ()
    removals: dict[str, Removal] = field(default_factory=dict)
    policy: Policy = AUTO
    hands: int = 0
    answered: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.api = Recording(self.world.cluster)
        self.world.api = self.api
        self.world.syncer = self.world._syncer()
        self.world.cluster.put(config_map("bystander"))

    # --- what happens

    def want(self) -> None:
        names = self.roll.sample(list(SORTS), self.roll.randint(1, len(SORTS)))
        before = set(self.wanted)
        self.wanted = {name: (str(self.roll.randint(0, 4)), self.roll.randint(-1, 1)) for name in names}
        self.hooks = tuple(each for each in ("PreSync", "PostSync") if self.roll.random() < 0.2)
        for name in before - set(names):
            key = str(key_of(name))
            self.hands += 1
            self.removals[name] = self.world.removal(key, id=f"rm-{name}-{self.hands}")
        for name in names:
            self.removals.pop(name, None)

    def hand(self) -> None:
        """Somebody edits or deletes an object, each time somebody else: a single one would be given way to.

        What pruning leaves may come back after more bundles than are remembered: a value that is another's then is
        left to him and named, so that no hand sets one here.
        """
        here = [name for name in SORTS if self.live(name) is not None]
        if not here:
            return
        name, self.hands = self.roll.choice(here), self.hands + 1
        gvk = GVKS[SORTS[name].kind]
        if self.roll.random() < 0.3:
            self.world.cluster.remove(gvk, "default", name)
            return
        change: dict[str, Any] = {"metadata": {"labels": {"hand": str(self.hands)}}}
        if SORTS[name].kind == "Deployment":
            change["spec"] = {"replicas": self.roll.randint(2, 5)}
        elif not SORTS[name].frozen and name != KEPT:
            change["data"] = {"k": f"hand-{self.hands}", "own": "x"}
        self.world.cluster.edit(gvk, "default", name, change, manager=f"hand-{self.hands}")

    def fault(self) -> None:
        for verb in self.roll.sample(VERBS, 3):
            effect, after = self.roll.choice(EFFECTS), self.roll.randint(0, 3)
            self.world.cluster.faults.inject(Fault(verb, effect, after=after))  # type: ignore[arg-type]

    def change_policy(self) -> None:
        asked = {"sync_request": self.policy.sync_request, "operation": self.policy.operation}
        self.policy = replace(self.roll.choice(POLICIES), **asked)  # type: ignore[arg-type]

    def ask(self) -> None:
        self.hands += 1
        sync: dict[str, Any] = {"prune": self.roll.random() < 0.5, "dryRun": self.roll.random() < 0.3}
        if self.wanted and self.roll.random() < 0.5:
            name = self.roll.choice(list(self.wanted))
            sync["resources"] = [{**key_of(name)._asdict()}]
        operation = json.dumps({"sync": sync})
        self.policy = replace(self.policy, sync_request=f"op-{self.hands}", operation=operation)

    async def restart(self) -> None:
        await self.world.restart()

    def pass_time(self) -> None:
        self.world.now += self.roll.choice((1, 6, 30, 200))

    async def happen(self) -> None:
        what = self.roll.choice(
            (
                self.want,
                self.hand,
                self.hand,
                self.fault,
                self.change_policy,
                self.ask,
                self.restart,
                self.pass_time,
            )
        )
        self.counts[what.__name__] = self.counts.get(what.__name__, 0) + 1
        done = what()
        if done is not None:
            await done

    # --- passes, and what must hold in each

    def live(self, name: str) -> Manifest | None:
        kind = SORTS[name].kind
        return self.world.cluster.objects().get((GVKS[kind].group, kind, "default", name))

    async def sync(self) -> Pass:
        bundle = [built(name, *each) for name, each in self.wanted.items()] + [
            hook(each) for each in self.hooks
        ]
        assignment = self.world.assignment(*bundle, policy=self.policy)
        listed = dict(self.removals)
        self.api.steps.clear()
        done = await self.world.sync(assignment, *listed.values())
        self.judge(list(self.api.steps), listed)
        gone = set(done.status.removed)
        self.removals = {name: one for name, one in self.removals.items() if one.id not in gone}
        if done.status.phase in ("Succeeded", "Failed"):
            self.answered = done.status.operation
        return done

    def judge(self, steps: list[Step], listed: dict[str, Removal]) -> None:
        own = [step for step in steps if step.key.namespace == "default"]
        assert all(step.key.name != "bystander" for step in steps)
        writes = [step for step in own if step.verb != "delete" and step.key.kind != "Job"]
        deletes = [step.key for step in own if step.verb == "delete" and step.key.kind != "Job"]
        forced = {
            key_of(name) for name, sort in SORTS.items() if "Force" in sort.options and name in self.wanted
        }
        asked = json.loads(self.policy.operation or "{}").get("sync", {})
        for key in deletes:
            assert key in forced or str(key) in {one.key for one in listed.values()}, (
                f"{key} was not to be removed"
            )
            assert key in forced or self.policy.prune or asked.get("prune"), f"{key}: nobody wants to prune"
            assert "Prune=false" not in SORTS[key.name].options
        self.judge_order(own, writes, [key for key in deletes if key not in forced])
        if not self.policy.automated:
            assert not own or self.policy.sync_request, "nobody asked for anything"
            if self.policy.sync_request == self.answered:
                assert not writes, "a request is answered once"
            if asked.get("dryRun"):
                assert not own
            if asked.get("resources"):
                chosen = {ObjectKey(**each) for each in asked["resources"]}
                assert {step.key for step in own} <= chosen

    def judge_order(self, own: list[Step], writes: list[Step], deletes: list[ObjectKey]) -> None:
        waves = [self.wanted[step.key.name][1] for step in writes]
        assert waves == sorted(waves), f"waves in the order {waves}"
        places = {step.key.name: number for number, step in enumerate(own) if step.verb != "delete"}
        ordinary = [number for number, step in enumerate(own) if step in writes]
        if ordinary and "hook-presync" in places:
            assert places["hook-presync"] < min(ordinary)
        if ordinary and "hook-postsync" in places:
            assert places["hook-postsync"] > max(ordinary)
        last = max(ordinary, default=-1)
        for key in deletes:
            assert own.index(Step("delete", key)) > last, "pruning is last"

    async def settle(self) -> Pass:
        """No more faults, no more hands: how it ends. Where no try was left, a person asks for another."""
        self.world.cluster.faults.clear()
        self.policy = replace(AUTO, sync_request=self.policy.sync_request, operation=self.policy.operation)
        for _ in range(30):
            done = await self.sync()
            if done.status.phase == "Failed" and done.again is None:
                self.hands += 1
                self.policy = replace(AUTO, sync_request=f"again-{self.hands}")
                continue
            good = done.status.sync is Sync.SYNCED and done.status.health is Health.HEALTHY
            if good and done.status.phase == "Succeeded" and done.again is None:
                return done
            self.world.now += max(done.again or 0.0, 1.0)
        kept = {line.name for line in done.status.resources if line.requires_pruning}
        assert kept == {"f"}, (done.again, done.status)
        return done

    async def check_end(self, done: Pass) -> None:
        for name, (value, _) in self.wanted.items():
            found = self.live(name)
            assert found is not None, f"{name} is missing"
            if SORTS[name].kind == "Deployment":
                assert found["spec"]["template"]["spec"]["containers"][0]["image"] == f"img:{value}"
                assert found["spec"]["replicas"] == 1
            else:
                assert found["data"]["k"] == value, name
        left = {name for name in SORTS if name not in self.wanted and self.live(name) is not None}
        mine = {name for name in left if self.ours(name)}
        assert mine <= {"f"}, f"{mine} should be gone"
        self.world.now += 10
        again = await self.sync()
        assert self.api.steps == [], "doing it twice does nothing"
        same = replace(done.status, healthy_since=again.status.healthy_since, removed=again.status.removed)
        assert again.status == same

    def ours(self, name: str) -> bool:
        found = self.live(name)
        return found is not None and "argosy.dev/tracking" in (found["metadata"].get("annotations") or {})


SOAK = [
    pytest.param(seed, marks=pytest.mark.soak) for seed in range(1000, 1000 + (10_000 - RUNS) // PER_CASE)
]


@pytest.mark.parametrize("seed", [*range(RUNS // PER_CASE), *SOAK])
async def test_any_history_keeps_the_rules_and_ends_as_wanted(seed: int) -> None:
    counts: dict[str, int] = {}
    faults = 0
    for number in range(PER_CASE):
        history = History(random.Random(seed * 1000 + number), counts=counts)
        history.want()
        await history.sync()
        for _ in range(history.roll.randint(3, 10)):
            await history.happen()
            if history.roll.random() < 0.7:
                await history.sync()
        done = await history.settle()
        try:
            await history.check_end(done)
        except AssertionError as error:
            raise AssertionError(f"history {number}: {error}") from error
        faults += sum(history.world.cluster.faults.counts.values())
        await history.world.syncer.close()
    assert faults, "faults were met"
    assert set(counts) == {"want", "hand", "fault", "change_policy", "ask", "restart", "pass_time"}
