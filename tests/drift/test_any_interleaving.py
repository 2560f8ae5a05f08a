"""Whatever meets whatever — edits by hand, new releases, slow and failing answers, watches that end, break or expire, agents
that start again — the cluster ends as wanted and the agent says so.

The agent's own loops run on a clock that jumps, in steps of a sixteenth of a second: what may fall into one moment often
does, and a history of minutes takes a moment.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from passes import AUTO, CONFIG_MAP, NoKeeper, annotated, config_map
from skipping import SkippingLoop

from agent.cluster.faults import Effect, Fault
from agent.cluster.memory import MemoryCluster
from agent.core.epoch import Held
from agent.link.ledger import Ledger
from agent.link.outbox import Outbox
from agent.loops.applier import Applier
from agent.loops.observer import Observer
from agent.state.notes import Notes
from agent.sync.sync import Syncer
from argosy import bundle
from argosy.bundle import Assignment, Desired, Removal
from argosy.errors import Unavailable
from argosy.objects import Manifest
from argosy.status import AppStatus, Health, Sync

RUNS, PER_CASE = 120, 30
TICK = 1 / 16
NAMES = ("a", "b", "c", "d")
OPTIONS = {"c": "ServerSideApply=false", "d": "Replace=true"}
"""Sync options of single objects."""
EFFECTS: tuple[Effect, ...] = ("latency", "unavailable", "lost", "error", "busy", "throttled", "conflict")
VERBS = ("apply", "get", "kinds", "delete", "watch", "any")
PATIENCE = 60.0
"""Seconds from the last fault on."""


WAVES = {"b": "1", "d": "-1"}
HOOKS = ("PreSync", "Sync", "PostSync")


def built(name: str, value: str) -> Manifest:
    options = {"argocd.argoproj.io/sync-options": OPTIONS[name]} if name in OPTIONS else {}
    return annotated(config_map(name, k=value, m="1"), wave=WAVES.get(name, "0"), **options)


def hook(phase: str) -> Manifest:
    spec = {"containers": [{"name": "c", "image": "i"}], "restartPolicy": "Never"}
    made = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": f"hook-{phase.lower()}", "namespace": "default"},
        "spec": {"template": {"spec": spec}},
    }
    policies = {"argocd.argoproj.io/hook-delete-policy": "HookSucceeded"} if phase == "Sync" else {}
    return annotated(made, hook=phase, **policies)


class Blobs:
    """The agent's disk."""

    def __init__(self) -> None:
        self.here: dict[str, bytes] = {}

    def missing(self, digests: list[str]) -> list[str]:
        return [digest for digest in digests if digest not in self.here]

    def put(self, digest: str, blob: bytes) -> None:
        self.here[digest] = blob

    def raw(self, digest: str) -> bytes | None:
        return None

    def load(self, digest: str) -> list[Manifest] | None:
        return bundle.unpack(self.here[digest], digest) if digest in self.here else None


class Telling(Outbox):
    """Keeps what was told last."""

    told: AppStatus | None = None

    def put(self, status: AppStatus) -> None:
        self.told = status
        super().put(status)


class History:
    """One seeded history of one app on one cluster."""

    def __init__(self, seed: int) -> None:
        self.roll = random.Random(seed)
        self.loop = asyncio.get_running_loop()
        self.cluster = MemoryCluster(clock=self.now, watch_seconds=self.roll.choice((2, 3, 30)), history=64)
        self.blobs, self.notes, self.offered = Blobs(), Notes(), dict[str, bytes]()
        self.outbox = Telling()
        self.values = {"a": "0"}
        self.hooks: list[str] = []
        self.removals: dict[str, Removal] = {}
        self.generation, self.hands = 0, 0
        self.counts: Counter[str] = Counter()
        """What happened, and which faults were met."""
        self.edits: Counter[str] = Counter()
        """How often an object was edited since its content changed."""
        self.work: asyncio.Task[None] | None = None

    def now(self) -> float:
        return 1_000_000.0 + self.loop.time()

    # --- the agent

    def start(self) -> None:
        self.outbox.told, self.deleted = None, False
        observer = Observer(settle=TICK / 2)
        self.syncer = Syncer(
            self.cluster, self.blobs, changed=observer.changed, clock=self.now, notes=self.notes
        )
        desired = self.desired()
        ledger = Ledger(NoKeeper(), Held(), desired)
        blobs: Any = self.blobs
        self.applier = Applier(self.syncer, blobs, ledger, self.outbox, self.fetch)
        observer.wake = self.applier.wake
        self.applier.adopt(desired)
        self.work = asyncio.create_task(self.applier.run())

    async def stop(self) -> None:
        assert self.work is not None
        self.work.cancel()
        await asyncio.gather(self.work, return_exceptions=True)
        await self.syncer.close()

    async def fetch(self, digest: str, base: object) -> bytes:
        await asyncio.sleep(TICK * self.roll.choice((0, 1, 8, 50)))
        if self.roll.random() < 0.1:
            raise Unavailable("the hub is away")
        return self.offered[digest]

    def desired(self) -> Desired:
        manifests = [built(name, value) for name, value in self.values.items()] + [*map(hook, self.hooks)]
        digest, blob = bundle.pack(manifests)
        self.offered[digest] = blob
        made = Assignment("id-1", "shop", "argocd", "default", "default", digest, "r1", "abc1234567", AUTO)
        self.wanted = replace(made, release=f"r{self.generation}")
        return Desired("epoch", self.generation, (self.wanted,), tuple(self.removals.values()))

    # --- what happens

    def release(self) -> None:
        """A new one: some objects come, go, or change."""
        self.generation += 1
        for name in self.roll.sample(NAMES, self.roll.randint(1, 2)):
            if name != "a" and name in self.values and self.roll.random() < 0.3:
                del self.values[name]
                key = f"/ConfigMap/default/{name}"
                until = self.now() + 36_000
                self.removals[name] = Removal(
                    f"rm-{self.generation}", "id-1", key, True, "gone", "hub", self.now(), until
                )
            else:
                self.values[name] = str(self.generation)
                self.removals.pop(name, None)
            self.edits[name] = 0
        self.hooks = [phase for phase in HOOKS if self.roll.random() < 0.2]
        self.applier.adopt(self.desired())

    def edit(self) -> None:
        """By somebody else each time, or by one who does it again and again."""
        name = self.roll.choice(NAMES)
        if self.live(name) is None:
            return
        self.hands += 1
        manager = f"hand-{self.hands}"
        if self.roll.random() < 0.2:
            manager = "kubectl-edit"
        self.edits[name] += 1
        value = self.roll.choice(("drift", "drift", manager))
        drifted: dict[str, Any] = {"data": {"k": value}}
        changes: list[dict[str, Any]] = [drifted, drifted]
        changes += [{"data": each} for each in ({"m": value}, {"k": None}, {"own": value}, None)]
        self.cluster.edit(CONFIG_MAP, "default", name, self.roll.choice(changes), manager=manager)

    def delete(self) -> None:
        self.deleted = True
        self.cluster.remove(CONFIG_MAP, "default", self.roll.choice(NAMES))

    def drop(self) -> None:
        self.cluster.drop_watches()

    def expire(self) -> None:
        self.cluster.expire_watches()

    def fault(self) -> None:
        verb: Any = self.roll.choice(VERBS)
        effect = self.roll.choice(EFFECTS)
        seconds = TICK * self.roll.choice((1, 4, 16, 40))
        after, times = self.roll.randint(0, 3), self.roll.randint(1, 2)
        self.cluster.faults.inject(Fault(verb, effect, after=after, times=times, seconds=seconds))

    async def restart(self) -> None:
        """A new process, but not while a pass is under way after a deletion: of what it made anew the UID may not be written
        down yet.
        """
        if self.applier.idle or not self.deleted:
            await self.stop()
            self.start()

    async def happen(self) -> None:
        edits = (self.edit,) * 5
        what = self.roll.choice(
            (
                *edits,
                self.release,
                self.release,
                self.delete,
                self.drop,
                self.expire,
                self.fault,
                self.fault,
                self.restart,
            )
        )
        self.counts[what.__name__] += 1
        done = what()
        if done is not None:
            await done

    # --- how it ends

    def live(self, name: str) -> Manifest | None:
        return self.cluster.objects().get(("", "ConfigMap", "default", name))

    def wrong(self) -> str:
        """What is not as it has to be, "" where all is."""
        told = self.outbox.told
        if told is None or told.bundle != self.wanted.bundle or told.release != self.wanted.release:
            return f"told of {told and told.release}, wanted {self.wanted.release}"
        if (told.sync, told.health, told.settled) != (Sync.SYNCED, Health.HEALTHY, True):
            return f"told: {told.sync}, {told.health}, {told.message}, {told.waiting}"
        if open_ := {item.id for item in self.removals.values()} - set(told.removed):
            return f"removals {open_} are not told to be done"
        lines = {line.name: line.message for line in told.resources}
        for name in NAMES:
            live = self.live(name)
            data = {} if live is None else live.get("data") or {}
            if live is None or name not in self.values:
                if (live is None) != (name not in self.values):
                    return f"{name} is {data}, wanted {self.values.get(name)}"
                continue
            wrong = [k for k, v in (("k", self.values[name]), ("m", "1")) if data.get(k) != v]
            line = lines.get(name, "")
            given_way = "contested: " in line and ".data" in line
            if wrong and not (given_way and self.edits[name] >= 3):
                return f"{name} is {data}, wanted {self.values[name]}, told: {line}"
        return ""

    async def run(self, steps: int) -> None:
        self.start()
        try:
            for _ in range(steps):
                await self.happen()
                await asyncio.sleep(TICK * self.roll.choice((0, 0, 1, 2, 8, 16, 33)))
            self.cluster.faults.clear()
            until = self.loop.time() + PATIENCE
            while wrong := self.wrong():
                assert self.loop.time() < until, wrong
                await asyncio.sleep(TICK)
        finally:
            await self.stop()


def history(seed: int, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Runs it; what happened in it."""

    async def main() -> Counter[str]:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr("agent.cluster.memory.time", SimpleNamespace(monotonic=loop.time))
        random.seed(seed)
        found = History(seed)
        await found.run(40)
        return found.counts + found.cluster.faults.counts

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(main())


SOAK = [pytest.param(first, marks=pytest.mark.soak) for first in range(1000, 11_000, PER_CASE)]


@pytest.mark.parametrize("first", [*range(0, RUNS, PER_CASE), *SOAK])
def test_every_interleaving_ends_as_wanted(monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    counts: Counter[str] = Counter()
    for seed in range(first, first + PER_CASE):
        try:
            counts += history(seed, monkeypatch)
        except AssertionError as wrong:
            wrong.add_note(f"seed {seed}")
            raise
    happened = ("edit", "release", "delete", "restart", "dropped watch", "expired watch", *EFFECTS)
    assert not [each for each in happened if not counts[each]]
