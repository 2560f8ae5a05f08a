"""What a plan's applications would wait for: reads freezes, windows and strategies, and puts them beside each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from argosy import differences
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.holds import freezes, windows
from hub.core.holds.freezes import Subject
from hub.core.plans import holds
from hub.core.plans.compare import Pair
from hub.core.plans.holds import Rules
from hub.core.plans.model import AppPlan
from hub.core.rollout.model import Strategy
from hub.core.served import table
from hub.core.types import NAMESPACE, ClusterFacts
from hub.loops.rollouts import launching
from hub.loops.rollouts.launching import PolicyMissing
from hub.store.base import Tx
from hub.store.plans import limits
from hub.store.resources import Resources


def rules(
    tx: Tx,
    resources: Resources,
    appsets: Iterable[Manifest],
    projects: Mapping[str, Manifest | None],
    now: float,
) -> Rules:
    """Read once for a plan; `appsets` as they would be, and `projects` where they would be others."""
    orders = freezes.orders(resources.list(tx, table.FREEZE), resources.list(tx, table.OVERRIDE), now)
    listed = {item["metadata"]["name"]: item for item in resources.list(tx, table.APP_PROJECT, NAMESPACE)}
    windowed = {
        name: windows.parse((item.get("spec") or {}).get("syncWindows"))
        for name, item in {**listed, **projects}.items()
        if item is not None
    }
    strategies: dict[str, Strategy] = {}
    unreadable: dict[str, str] = {}
    for appset in appsets:
        name = appset["metadata"]["name"]
        try:
            source = launching.source_of(tx, resources, appset)
            if source is not None:
                strategies[name] = source.strategy()
        except PolicyMissing as missing:
            unreadable[name] = f"RolloutPolicy {missing} is not there: nothing new is rolled out"
        except Invalid as error:
            unreadable[name] = error.message
    return Rules(
        orders,
        {name: found for name, found in windowed.items() if found},
        strategies,
        unreadable,
        now,
        limits(tx, resources),
    )


def held(
    plans: Sequence[AppPlan], pairs: Iterable[Pair], clusters: Mapping[str, ClusterFacts], given: Rules
) -> list[AppPlan]:
    """The plans with what each would wait for. `clusters` by name, as they would be or, where they leave, as they are."""
    manifests = {(pair.namespace, pair.name): pair.manifest for pair in pairs}
    coming: list[Subject] = []
    going: list[Subject] = []
    for plan in plans:
        cluster, manifest = clusters.get(plan.cluster), manifests.get((plan.namespace, plan.name))
        if cluster is None or manifest is None or plan.problem:
            continue
        subject = Subject(
            _key(plan),
            plan.name,
            plan.namespace,
            manifest["spec"].get("project") or "default",
            cluster,
            appset=plan.appset,
            manifest=manifest,
            automated=holds.automated(manifest),
        )
        if plan.change == differences.REMOVED:
            going.append(subject)
        elif plan.before != plan.after or plan.moved_from:
            coming.append(subject)
    found = {**holds.of_apps(coming, given), **holds.of_removals(going, given)}
    for plan in plans:
        if plan.change == differences.CHANGED and (plan.namespace, plan.name) in manifests:
            manifest = manifests[plan.namespace, plan.name]
            found[_key(plan)] = (*found.get(_key(plan), ()), *holds.of_prune(plan, manifest, given))
    return [replace(plan, holds=(*plan.holds, *found.get(_key(plan), ()))) for plan in plans]


def _key(plan: AppPlan) -> str:
    return f"{plan.namespace}/{plan.name}"
