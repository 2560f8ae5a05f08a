"""Support for tests of whole passes: an in-memory cluster, bundles in a dictionary, a clock that is told the time."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from agent.cluster.memory import MemoryCluster
from agent.core import localpolicy
from agent.core.epoch import Held
from agent.sops.keys import KeyRing
from agent.state.notes import Notes
from agent.sync.sync import Pass, Syncer
from argosy import bundle
from argosy.bundle import Assignment, Desired, Policy, Removal, Restraint
from argosy.kinds import Gvk
from argosy.objects import Manifest

CONFIG_MAP = Gvk("", "v1", "ConfigMap")
AUTO = Policy(automated=True, prune=True, self_heal=True)


def config_map(name: str, namespace: str = "default", **data: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data or {"k": "1"},
    }


def annotated(manifest: Manifest, **notes: str) -> Manifest:
    """With annotations; `wave` and `hook` are short for Argo CD's, others have `_` for `/` never: pass full names."""
    short = {"wave": "argocd.argoproj.io/sync-wave", "hook": "argocd.argoproj.io/hook"}
    found = {short.get(name, name): value for name, value in notes.items()}
    metadata = {
        **manifest["metadata"],
        "annotations": {**manifest["metadata"].get("annotations", {}), **found},
    }
    return {**manifest, "metadata": metadata}


class NoKeeper:
    """What a ledger holds, kept nowhere."""

    def load(self) -> tuple[Held, Desired | None]:
        return Held(), None

    def save(self, held: Held, desired: Desired | None) -> None: ...


class Crash(BaseException):
    """The agent dies here."""


class Counting:
    """A cluster that counts calls, and dies at the call number `dies_at`, or at the write number `dies_at_write`
    (before or after it took effect)."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self.cluster = cluster
        self.calls: Counter[str] = Counter()
        self.dies_at = 0
        self.dies_at_write = 0
        self.dies_after = False
        self.total = 0
        self.writes = 0

    def __getattr__(self, name: str) -> Any:
        target = getattr(self.cluster, name)
        if name not in ("identity", "kinds", "get", "list", "apply", "create", "update", "delete"):
            return target

        async def call(*args: Any, **kwargs: Any) -> Any:
            label = "dry run" if kwargs.get("dry_run") else name
            self.calls[label] += 1
            self.total += 1
            writes = label in ("apply", "create", "update", "delete")
            self.writes += writes
            dies = self.total == self.dies_at or (writes and self.writes == self.dies_at_write)
            if dies and not self.dies_after:
                raise Crash
            answer = await target(*args, **kwargs)
            if dies:
                raise Crash
            return answer

        return call


class World:
    """One cluster with one agent. `restart` is a new agent process on the same cluster."""

    def __init__(self) -> None:
        self.now = 1_000_000.0
        self.cluster = MemoryCluster(clock=lambda: self.now)
        self.api = Counting(self.cluster)
        self.bundles: dict[str, list[Manifest]] = {}
        self.changed: set[str] = set()
        self.policy = localpolicy.OPEN
        self.folder: Path | None = None
        """Where the agent keeps its notes; None: a new process remembers nothing."""
        self.keys = KeyRing(None)
        self.restraints: list[Restraint] = []
        self.syncer = self._syncer()

    def _syncer(self) -> Syncer:
        return Syncer(
            self.api,
            self,
            changed=self.changed.add,
            clock=lambda: self.now,
            sleep=lambda _: asyncio.sleep(0),
            policy=lambda: self.policy,
            notes=Notes(self.folder),
            keys=self.keys,
        )

    def load(self, digest: str) -> list[Manifest] | None:
        return self.bundles.get(digest)

    def assignment(self, *manifests: Manifest, policy: Policy = AUTO, **changes: Any) -> Assignment:
        digest, _ = bundle.pack(manifests)
        self.bundles[digest] = list(manifests)
        made = Assignment("id-1", "shop", "argocd", "default", "default", digest, "r1", "abc1234567", policy)
        return replace(made, **changes)

    async def sync(self, assignment: Assignment, *removals: Removal, holding: str = "") -> Pass:
        self.syncer.know([assignment], self.restraints)
        await self.quiet()
        return await self.syncer.sync(assignment, removals, holding=holding)

    async def quiet(self) -> None:
        """Lets the watches catch up."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def restart(self) -> None:
        await self.syncer.close()
        self.api.dies_at = self.api.dies_at_write = 0
        self.syncer = self._syncer()

    def removal(self, key: str, **changes: Any) -> Removal:
        made = Removal(f"rm-{key}", "id-1", key, True, "gone from git", "hub", self.now, self.now + 3600)
        return replace(made, **changes)

    def live(self, namespace: str = "default") -> dict[str, Manifest]:
        """Names of ConfigMaps in a namespace -> object."""
        return {
            item["metadata"]["name"]: item
            for item in self.cluster.objects().values()
            if item["kind"] == "ConfigMap" and item["metadata"]["namespace"] == namespace
        }
