"""Evaluation alone, without a hub around it: full, by what changed, and the naive loop that is its peer."""

from __future__ import annotations

import gc
import time
from collections.abc import Mapping, Sequence
from typing import Any

from argosy import interpreter, objects
from argosy.objects import Manifest
from bench import estate
from bench.roles import talk
from hub import main as program
from hub.core.appsets import increment
from hub.core.appsets.expand import Evaluation, Evaluator
from hub.core.fleet import Fleet, Move
from hub.core.generators.base import ProviderRequest, TreeRequest
from hub.core.matching import labels
from hub.core.matching.labels import Selector
from hub.core.schema.parse import AppSet, application_set
from hub.core.tree import Tree
from hub.core.types import Answer, ClusterFacts


class World:
    """Clusters and nothing else."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet

    def clusters(self) -> Fleet:
        return self.fleet

    def tree(self, request: TreeRequest) -> Answer[Tree] | None:
        return None

    def provided(self, request: ProviderRequest) -> Answer[Sequence[Mapping[str, Any]]] | None:
        return None

    def objects(self, group: str, resource: str, namespace: str) -> Sequence[Manifest]:
        return ()


class Generators:
    def __init__(self, clusters: int, sets: int) -> None:
        self.facts = [_facts(number) for number in range(clusters)]
        self.sets = [application_set(estate.mixed(number)) for number in range(sets)]
        self.selectors = [_selector(one) for one in self.sets]
        self.kept = [Evaluator(one) for one in self.sets]
        self.world = World(Fleet(self.facts))
        self.found: list[Evaluation] = []

    async def full(self, asked: dict[str, Any]) -> dict[str, Any]:
        world = World(Fleet(self.facts))
        gc.collect()
        began = time.process_time()
        applications = 0
        for one in self.sets:
            for app in Evaluator(one).evaluate(world).applications:
                objects.digest(objects.canonical(app))
                applications += 1
        spent = time.process_time() - began
        began = time.process_time()
        for selector in self.selectors:
            world.fleet.select(selector)
        return {"cpu": spent, "applications": applications, "match": time.process_time() - began}

    async def naive(self, asked: dict[str, Any]) -> dict[str, Any]:
        began = time.process_time()
        matches = sum(
            1 for selector in self.selectors for cluster in self.facts if selector.matches(cluster.labels)
        )
        return {"cpu": time.process_time() - began, "matches": matches}

    async def again(self, asked: dict[str, Any]) -> dict[str, Any]:
        """What the hub keeps, evaluated once more though nothing changed."""
        for one in self.kept:
            one.evaluate(self.world)
        began = time.process_time()
        self.found = [one.evaluate(self.world) for one in self.kept]
        spent = time.process_time() - began
        return {"cpu": spent, "applications": sum(len(one.applications) for one in self.found)}

    async def label(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One cluster's group changes."""
        number = asked["cluster"]
        old = self.facts[number]
        tier = "gold" if old.labels["tier"] != "gold" else "iron"
        new = ClusterFacts(old.name, old.server, {**old.labels, "tier": tier}, id=old.id)
        self.facts[number] = new
        return self._moved(Move(old, new))

    async def join(self, asked: dict[str, Any]) -> dict[str, Any]:
        new = _facts(len(self.facts))
        self.facts.append(new)
        return self._moved(Move(None, new))

    def _moved(self, move: Move) -> dict[str, Any]:
        gc.collect()
        gc.disable()
        began = time.process_time()
        self.world.fleet = self.world.fleet.moved([move])
        changed = evaluated = 0
        for number, one in enumerate(self.kept):
            before = self.found[number]
            if not increment.concerns(before.inputs, move):
                continue
            after = self.found[number] = one.evaluate(self.world)
            evaluated += 1
            changed += len({id(app) for app in after.applications} - {id(app) for app in before.applications})
        spent = time.process_time() - began
        gc.enable()
        return {"cpu": spent, "evaluated": evaluated, "changed": changed}

    async def reset(self, asked: dict[str, Any]) -> dict[str, Any]:
        """One set of `apps` applications changes: all of it is rendered anew and hashed."""
        manifest = estate.mixed(0)
        manifest["spec"]["generators"] = [{"clusters": {}}]
        manifest["spec"]["template"]["metadata"]["annotations"] = {"turn": str(asked["turn"])}
        world = World(Fleet(self.facts[: asked["apps"]]))
        appset: AppSet = application_set(manifest)
        Evaluator(application_set(estate.mixed(0))).evaluate(world)
        gc.collect()
        gc.disable()
        began = time.process_time()
        found = Evaluator(appset).evaluate(world)
        for app in found.applications:
            objects.digest(objects.canonical(app))
        spent = time.process_time() - began
        gc.enable()
        return {"cpu": spent, "applications": len(found.applications)}


def _facts(number: int) -> ClusterFacts:
    metadata = estate.labelled(number)
    return ClusterFacts(estate.cluster_name(number), f"https://c{number}", metadata, id=str(number))


def _selector(appset: AppSet) -> Selector:
    (element,) = appset.spec["generators"]
    kind = next(kind for kind in ("clusters", "matrix", "merge") if element.get(kind) is not None)
    spec = element[kind]
    chosen = spec if kind == "clusters" else spec["generators"][0]["clusters"]
    return labels.compile_selector(chosen.get("selector"), any_value=False)


async def main(*, clusters: int, sets: int) -> None:
    work = Generators(clusters, sets)
    interpreter.settle(program.YOUNG)
    await talk.answer(
        {
            "full": work.full,
            "naive": work.naive,
            "again": work.again,
            "label": work.label,
            "join": work.join,
            "reset": work.reset,
        }
    )
