"""What a plan shows as handed over is handed over, and what it shows as removed is removed: on clusters, by uid."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any

import hubs
import pytest
import spokes
from hubs import Repo
from spokes import System, merged

from argosy.objects import Manifest
from hub.core.plans import text
from hub.core.plans.model import Plan
from hub.core.served import table

FIRST = {"web": {"web-a": "1", "web-b": "1"}, "queue": {"queue-a": "1"}}
NAMES = ("one", "two")
FREE = {"argosy.fleetRemovalCap": "100%", "argosy.pruneCap": "100%"}


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with spokes.repository(tmp_path, FIRST) as repo:
        yield repo


@pytest.fixture
async def system(tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[System]:
    """The sets `v1` and `v2` for the clusters with their name as label `track`: all of them are at `v1`."""
    async with spokes.system(tmp_path, monkeypatch) as system:
        for name in NAMES:
            await system.join(name)
            label = {"metadata": {"labels": {"track": "v1"}}}
            await hubs.patch(system.hub, table.CLUSTER, name, label, "")
        settings: Manifest = {"apiVersion": "v1", "kind": "ConfigMap", "data": FREE}
        settings["metadata"] = {"name": "argocd-cm", "namespace": "argocd"}
        await hubs.add(system.hub, table.CONFIG_MAP, settings)
        for name in ("v1", "v2"):
            await hubs.add(system.hub, table.APPLICATION_SET, appset(repo, name, name))
        await system.settles(dict.fromkeys(NAMES, merged(FIRST)))
        await hubs.settled(system.hub)
        yield system


def appset(repo: Repo, name: str, track: str, prefix: str = "") -> Manifest:
    made = hubs.appset(repo, name, removal_cap="100%", allow_empty="true")
    (matrix,) = made["spec"]["generators"]
    matrix["matrix"]["generators"][0] = {"clusters": {"selector": {"matchLabels": {"track": track}}}}
    made["spec"]["template"]["metadata"]["name"] = f"{prefix}{{{{.path.basename}}}}-{{{{.name}}}}"
    return made


async def names(system: System) -> dict[str, str]:
    """Application -> its uid."""
    found = await hubs.listed(system.hub, table.APPLICATION)
    return {name: app["metadata"]["uid"] for name, app in found.items()}


def uids(system: System) -> dict[tuple[str, str], str]:
    return {
        (name, key): uid
        for name, spoke in system.spokes.items()
        for key, (uid, _) in spoke.versions().items()
    }


def told(plan: Plan, change: str) -> set[tuple[str, str]]:
    return {
        (app.cluster, each.key.name) for app in plan.apps for each in app.objects if each.change == change
    }


def nothing(*_: Any) -> None:
    """No audit here."""


async def done(system: System, spec: dict[str, Any]) -> tuple[Plan, set[tuple[str, str]]]:
    """(the plan, the objects whose uid is gone) after the plan was executed and all came to rest."""
    hub = system.hub
    before = uids(system)
    plan = await hub.planner.plan(spec)
    assert not plan.failed, plan.document()
    await hub.executor.execute(plan.digest, spec, nothing)
    await hubs.until(lambda: come_true(system, plan), "the applications that were planned, each its set's")
    await rest(system)
    after = uids(system)
    return plan, {at for at, uid in before.items() if after.get(at) != uid}


async def come_true(system: System, plan: Plan) -> bool:
    """Whether there are the Applications that were planned: before that, nothing may have begun."""
    found = await hubs.listed(system.hub, table.APPLICATION)
    owners = {name: app["metadata"].get("ownerReferences") or [{}] for name, app in found.items()}
    for app in plan.apps:
        if app.change == "removed":
            if app.name in found:
                return False
        elif app.name not in found or app.appset != owners[app.name][0].get("name"):
            return False
    return True


async def rest(system: System) -> None:
    """Waits until nothing goes any more and every agent has what it shall have."""

    async def still() -> bool:
        await hubs.settled(system.hub)
        apps = await hubs.listed(system.hub, table.APPLICATION)
        sets = await hubs.listed(system.hub, table.APPLICATION_SET)
        if any(one["metadata"].get("deletionTimestamp") for one in (*apps.values(), *sets.values())):
            return False
        if await system.removals():
            return False
        reported = [await system.reported(spoke) for spoke in system.spokes.values()]
        return all(one.get("sync") == "Synced" for each in reported for one in each.values()) and (
            await hub_rests(system)
        )

    await hubs.until(still, "everything at rest")


async def hub_rests(system: System) -> bool:
    """Whether no set waits for a second look."""
    rows = await system.read(lambda tx: tx.all("SELECT body FROM evaluations"))
    return not any(b'"names":["' in bytes(row[0]) for row in rows)


async def test_a_set_under_another_name_is_planned_as_a_hand_over(system: System, repo: Repo) -> None:
    apps = await names(system)
    spec = {
        "objects": [appset(repo, "v3", "v1")],
        "deletions": [{"kind": "ApplicationSet", "name": "v1"}],
    }
    plan, gone = await done(system, spec)
    assert {app.name: (app.change, app.taken_from, app.objects) for app in plan.apps} == dict.fromkeys(
        apps, ("handedOver", "v1", ())
    )
    assert plan.summary()["applications"] == {"added": 0, "changed": 0, "removed": 0}
    assert plan.summary()["handedOver"] == {"applications": 4, "objects": 0}
    assert plan.removals == ()
    shown = "\n".join(text.lines(plan.document()))
    assert "> queue-one on one" in shown
    assert "handed over by set v1" in shown
    assert "no application changes; handed over: 4 applications." in shown
    assert "handed over by set v1" in text.markdown(plan.document())
    assert gone == set()
    assert await names(system) == apps


async def test_a_template_with_another_name_hands_its_objects_over(system: System, repo: Repo) -> None:
    plan, gone = await done(system, {"objects": [appset(repo, "v1", "v1", "new-")]})
    assert plan.summary()["applications"] == {"added": 4, "changed": 0, "removed": 4}
    # Each object says by a mark which Application it belongs to.
    assert plan.summary()["objects"] == {"added": 0, "changed": 6, "removed": 0}
    changed = {field.path for app in plan.apps for each in app.objects for field in each.difference.fields}
    assert changed == {"metadata.annotations[argocd.argoproj.io/tracking-id]"}
    assert plan.summary()["handedOver"] == {"applications": 0, "objects": 6}
    web = {each.key.name: each.given_to for app in plan.apps if app.name == "web-one" for each in app.objects}
    assert web == {"web-a": "new-web-one", "web-b": "new-web-one"}
    new = {
        each.key.name: each.taken_from
        for app in plan.apps
        if app.name == "new-web-one"
        for each in app.objects
    }
    assert new == {"web-a": "web-one", "web-b": "web-one"}
    assert "(handed over to new-web-one)" in "\n".join(text.lines(plan.document()))
    assert gone == set()


async def test_an_object_that_another_application_has_anyway_is_no_removal(
    system: System, repo: Repo
) -> None:
    """Two Applications want the same object all the time; one of them goes."""
    lone = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "second", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": repo.url, "targetRevision": "main", "path": "apps/web"},
            "destination": {"name": "one", "namespace": "default"},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }
    await hubs.add(system.hub, table.APPLICATION, lone)

    async def told_of() -> bool:
        return bool((await system.reported(system.spokes["one"])).get("second"))

    await hubs.until(told_of, "the second one knows that the first one has its objects")
    plan, gone = await done(system, {"labels": [{"cluster": "one", "remove": ["track"]}]})
    assert told(plan, "handedOver") == {("one", "web-a"), ("one", "web-b")}
    assert told(plan, "removed") == gone == {("one", "queue-a")}


@pytest.mark.parametrize("seed", range(3))
async def test_what_plans_say_of_objects_is_what_becomes_of_them(
    system: System, repo: Repo, seed: int
) -> None:
    """Sets and templates under other names, labels that move, folders that come and go, in any order and together."""
    roll = Random(seed)
    sets = {name: appset(repo, name, name) for name in ("v1", "v2")}
    tracks = dict.fromkeys(NAMES, "v1")
    for step in range(5):
        spec: dict[str, Any] = {}
        for what in roll.sample(("rename", "template", "label"), roll.choice((1, 1, 2))):
            name = roll.choice(sorted(sets))
            match what:
                case "rename":
                    moved = copy.deepcopy(sets.pop(name))
                    moved["metadata"]["name"] = f"{name}-{step}"
                    sets[f"{name}-{step}"] = moved
                    spec.setdefault("objects", []).append(moved)
                    spec["deletions"] = [{"kind": "ApplicationSet", "name": name}]
                case "template" if not spec.get("deletions"):
                    called = sets[name]["spec"]["template"]["metadata"]
                    called["name"] = (
                        f"{roll.choice(('', 'x-', f's{step}-'))}{{{{.path.basename}}}}-{{{{.name}}}}"
                    )
                    spec.setdefault("objects", []).append(sets[name])
                case "label":
                    cluster = roll.choice(NAMES)
                    tracks[cluster] = roll.choice(
                        [track for track in ("v1", "v2", "none") if track != tracks[cluster]]
                    )
                    spec["labels"] = [{"cluster": cluster, "set": {"track": tracks[cluster]}}]
        if not spec or (await system.hub.planner.plan(spec)).empty:
            continue
        plan, gone = await done(system, spec)
        assert told(plan, "removed") == gone, (seed, step, spec)
        await rest(system)
