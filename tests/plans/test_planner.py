"""What a change would do, asked of a whole hub: what a plan says is what happens when the change is made."""

from __future__ import annotations

import base64
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random
from typing import Any

import hubs
import pytest
from hubs import Repo, config_map

from argosy import bundle
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.plans.model import AppPlan, Plan
from hub.core.plans.upload import UploadedTree
from hub.core.served import table
from hub.store import apps
from hub.store import bundles as bundles_store
from hub.store.base import Tx

START = {
    "apps/web/a.yaml": config_map("web-a"),
    "apps/web/b.yaml": config_map("web-b"),
    "apps/db/a.yaml": config_map("db-a"),
}


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as made:
        made.commit(START)
        yield made


@pytest.fixture
async def hub(tmp_path: Path, repo: Repo) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as started:
        for name in ("one", "two"):
            await hubs.add_cluster(started, name, env="prod")
        await hubs.add_cluster(started, "lab", env="test")
        await hubs.add(started, table.APPLICATION_SET, hubs.appset(repo))
        await settled(started)
        yield started


async def settled(hub: Hub) -> None:
    await hubs.settled(hub)
    await hubs.settled(hub)


def by_name(plan: Plan) -> dict[str, AppPlan]:
    return {app.name: app for app in plan.apps}


def objects(app: AppPlan) -> dict[str, str]:
    return {each.key.name: each.change for each in app.objects}


async def bundles(hub: Hub) -> dict[str, str]:
    found = await hub.store.read(apps.every)
    return {state.name: state.bundle for state in found}


async def test_nothing_changes_nothing(hub: Hub) -> None:
    plan = await hub.planner.plan({})
    assert plan.empty
    assert (plan.sets, plan.renders) == (0, 0)


async def test_a_label_brings_and_takes_applications(hub: Hub) -> None:
    plan = await hub.planner.plan({"labels": [{"cluster": "lab", "set": {"env": "prod"}}]})
    assert {name: (app.change, app.cluster) for name, app in by_name(plan).items()} == {
        "web-lab": ("added", "lab"),
        "db-lab": ("added", "lab"),
    }
    assert objects(by_name(plan)["web-lab"]) == {"web-a": "added", "web-b": "added"}
    assert [(each.kind, each.name, each.change) for each in plan.written] == [("Cluster", "lab", "changed")]
    gone = await hub.planner.plan({"labels": [{"cluster": "two", "remove": ["env"]}]})
    assert {name: app.change for name, app in by_name(gone).items()} == {
        "web-two": "removed",
        "db-two": "removed",
    }
    assert objects(by_name(gone)["web-two"]) == {"web-a": "removed", "web-b": "removed"}
    (removal,) = gone.removals
    assert (removal.apps, removal.clusters, removal.held) == (("db-two", "web-two"), 1, "")
    assert (await hub.planner.plan({"labels": [{"cluster": "lab", "set": {"tier": "x"}}]})).apps == ()


async def test_what_would_go_above_the_cap_is_said_with_its_approval(hub: Hub) -> None:
    plan = await hub.planner.plan({"leaves": ["one", "two"]})
    (removal,) = plan.removals
    assert "no application at all" in removal.held
    plan = await hub.planner.plan(
        {"leaves": ["one", "two"], "joins": [{"name": "new", "labels": {"env": "prod"}}]}
    )
    (removal,) = plan.removals
    assert "more than the cap of 1" in removal.held
    gone = by_name(plan)["web-one"]
    assert (gone.change, gone.cluster) == ("removed", "one")
    assert {each.kept for each in gone.objects} == {"its cluster leaves: the agent lets go of it, it stays"}
    assert plan.summary()["kept"] == plan.summary()["objects"]["removed"] == 6
    assert "argosy.dev/approve-removal=" in removal.held
    assert plan.summary()["applications"] == {"added": 2, "changed": 0, "removed": 4}


async def test_a_plan_of_a_branch_is_what_the_merge_does(hub: Hub, repo: Repo) -> None:
    before = await bundles(hub)
    repo.git("checkout", "--quiet", "-b", "feature")
    (repo.work / "apps/web/a.yaml").write_text(config_map("web-a", "2"))
    (repo.work / "apps/web/b.yaml").unlink()
    (repo.work / "apps/new").mkdir()
    (repo.work / "apps/new/a.yaml").write_text(config_map("new-a"))
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "feature")
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "feature")
    plan = await hub.planner.plan({"revisions": [{"repo": repo.url, "revision": "feature"}]})
    found = by_name(plan)
    assert set(found) == {"web-one", "web-two", "new-one", "new-two"}
    assert objects(found["web-one"]) == {"web-a": "changed", "web-b": "removed"}
    (changed,) = (each for each in found["web-one"].objects if each.change == "changed")
    assert [(each.path, each.before, each.after) for each in changed.difference.fields] == [
        ("data.value", "1", "2")
    ]
    assert objects(found["new-two"]) == {"new-a": "added"}
    assert await bundles(hub) == before, "a plan writes nothing"
    assert plan.commits == ((repo.url, "main", repo.git("rev-parse", "feature").strip()),)
    repo.git("checkout", "--quiet", "main")
    repo.git("merge", "--quiet", "feature")
    repo.commit({})
    hub.poller.ask(lambda url: True)
    await settled(hub)
    now = await bundles(hub)
    assert {name for name in now if now[name] != before.get(name)} == set(found)
    assert (await hub.planner.plan({"revisions": [{"repo": repo.url, "revision": "feature"}]})).empty


async def test_a_pull_request_is_planned_as_merged_and_conflicts_are_told(hub: Hub, repo: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "theirs")
    (repo.work / "apps/db/a.yaml").write_text(config_map("db-a", "9"))
    repo.git("commit", "--quiet", "--all", "--message", "theirs")
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "HEAD:refs/pull/7/head")
    repo.git("checkout", "--quiet", "main")
    repo.commit({"apps/web/a.yaml": config_map("web-a", "5")})
    hub.poller.ask(lambda url: True)
    await settled(hub)
    asked = {"repo": repo.url, "revision": "pull/7"}
    alone = await hub.planner.plan({"revisions": [asked]})
    assert {"web-one", "db-one"} <= set(by_name(alone)), (
        "without the merge, main's newer commit would be undone"
    )
    merged = await hub.planner.plan({"revisions": [{**asked, "merged": True}]})
    assert set(by_name(merged)) == {"db-one", "db-two"}
    repo.commit({"apps/db/a.yaml": config_map("db-a", "4")})
    hub.poller.ask(lambda url: True)
    await settled(hub)
    conflict = await hub.planner.plan({"revisions": [{**asked, "merged": True}]})
    assert any("conflicts in apps/db/a.yaml" in text for text in conflict.problems)
    assert conflict.failed


async def test_a_folder_costs_only_what_differs_from_git(hub: Hub, repo: Repo) -> None:
    def folder(**changed: str) -> dict[str, Any]:
        files = {**START, **{f"apps/{key.replace('_', '/')}.yaml": text for key, text in changed.items()}}
        encoded = {path: base64.b64encode(text.encode()).decode() for path, text in files.items()}
        return {"folders": [{"repo": repo.url, "files": encoded}]}

    same = await hub.planner.plan(folder())
    assert (same.empty, same.renders) == (True, 0)
    plan = await hub.planner.plan(folder(web_c=config_map("web-c")))
    assert set(by_name(plan)) == {"web-one", "web-two"}
    assert objects(by_name(plan)["web-one"]) == {"web-c": "added"}
    assert plan.renders == 2


def test_an_uploaded_folder_has_the_ids_that_git_gives_it(repo: Repo) -> None:
    (repo.work / "apps/run.sh").write_text("#!/bin/sh\n")
    (repo.work / "apps/run.sh").chmod(0o755)
    (repo.work / "apps.txt").write_text("sorted before the folder of that name\n")
    (repo.work / "link").symlink_to("apps/web")
    repo.commit({})
    files = repo.git("ls-files").split()
    links, run = frozenset({"link"}), frozenset({"apps/run.sh"})
    content = {path: b"apps/web" if path == "link" else (repo.work / path).read_bytes() for path in files}
    tree = UploadedTree(content, links, run)
    for path in ("", "apps", "apps/web", "apps/run.sh", "link"):
        assert tree.tree_id(path) == repo.git("rev-parse", f"HEAD:{path}").strip(), path
    assert tree.tree_id("nothing") is None


async def test_an_edited_set_shows_what_differs_of_its_applications(hub: Hub, repo: Repo) -> None:
    edited = hubs.appset(repo)
    edited["spec"]["template"]["spec"]["destination"]["namespace"] = "shop"
    plan = await hub.planner.plan({"objects": [edited]})
    found = by_name(plan)
    assert set(found) == {"web-one", "web-two", "db-one", "db-two"}
    paths = [each.path for each in found["web-one"].fields.fields]
    assert paths == ["spec.destination.namespace"]
    assert plan.written[0].fields.fields[0].path == "spec.template.spec.destination.namespace"
    new = hubs.appset(repo, "other", path="apps/db")
    new["spec"]["template"]["metadata"]["name"] = "other-{{.name}}"
    plan = await hub.planner.plan({"objects": [new]})
    assert {app.change for app in plan.apps} == {"added"}
    clash = await hub.planner.plan({"objects": [hubs.appset(repo, "other")]})
    assert any("belongs to another ApplicationSet" in text for text in clash.problems)


async def test_problems_of_the_change_are_told_apart_from_those_that_stand(hub: Hub, repo: Repo) -> None:
    broken = hubs.appset(repo)
    broken["spec"]["template"]["spec"]["source"]["path"] = "{{.path.nothing}}"
    plan = await hub.planner.plan({"objects": [broken]})
    assert plan.failed
    assert any("nothing" in text for text in plan.problems)
    assert plan.apps == ()
    await hubs.patch(hub, table.APPLICATION_SET, "fleet", {"spec": broken["spec"]})
    await settled(hub)
    again = await hub.planner.plan({"labels": [{"cluster": "lab", "set": {"env": "prod"}}]})
    assert again.standing
    assert set(again.standing).isdisjoint(again.problems)


async def test_an_application_that_would_not_render_is_a_problem_of_its_own(hub: Hub, repo: Repo) -> None:
    encoded = {path: base64.b64encode(text.encode()).decode() for path, text in START.items()}
    encoded["apps/web/a.yaml"] = base64.b64encode(b"apiVersion: v1\nkind: ConfigMap\nmetadata: [").decode()
    plan = await hub.planner.plan({"folders": [{"repo": repo.url, "files": encoded}]})
    assert plan.failed
    assert "apps/web/a.yaml" in by_name(plan)["web-one"].problem


async def test_windows_hold_and_manual_syncs_are_said(hub: Hub, repo: Repo) -> None:
    closed = [{"kind": "deny", "schedule": "* * * * *", "duration": "1h", "applications": ["*"]}]
    await hubs.patch(hub, table.APP_PROJECT, "default", {"spec": {"syncWindows": closed}})
    edited = hubs.appset(repo)
    edited["spec"]["template"]["metadata"]["name"] = "by-hand-{{.path.basename}}-{{.name}}"
    for kind in ("Window", "ManualSync"):
        plan = await hub.planner.plan({"objects": [edited]})
        added = next(app for app in plan.apps if app.change == "added")
        assert [hold.kind for hold in added.holds] == [kind], "windows are for what syncs by itself"
        edited["spec"]["template"]["spec"].pop("syncPolicy", None)


async def test_freezes_hold_changes_and_removals_and_stages_are_said(hub: Hub, repo: Repo) -> None:
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    freeze = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Freeze",
        "metadata": {"name": "peak"},
        "spec": {"reason": "sale", "expiresAt": until, "clusters": ["two"]},
    }
    await hubs.add(hub, table.FREEZE, freeze)
    edited = hubs.appset(repo)
    edited["spec"]["template"]["spec"]["source"]["path"] = "apps/db"
    edited["spec"]["template"]["metadata"]["labels"] = {"cluster": "{{.name}}"}
    steps = [
        {"matchExpressions": [{"key": "cluster", "operator": "In", "values": [name]}]}
        for name in ("one", "two")
    ]
    edited["spec"]["strategy"] = {"type": "RollingSync", "rollingSync": {"steps": steps}}
    found = by_name(await hub.planner.plan({"objects": [edited]}))
    assert found["web-one"].holds == ()
    frozen, stage = found["web-two"].holds
    assert (frozen.kind, stage.kind) == ("Freeze", "Rollout")
    assert "sale" in frozen.message
    assert stage.message == "stage 2 of 2 (step-2); after step-1"
    gone = by_name(await hub.planner.plan({"labels": [{"cluster": "two", "remove": ["env"]}]}))
    assert [hold.kind for hold in gone["web-two"].holds] == ["Freeze"]


async def test_renders_are_bounded_and_what_is_not_shown_is_counted(hub: Hub, repo: Repo) -> None:
    spec = {"labels": [{"cluster": "lab", "set": {"env": "prod"}}], "renders": 1}
    plan = await hub.planner.plan(spec)
    assert plan.renders == 1
    assert plan.unshown == 1
    assert plan.summary()["notShown"] == 1


async def test_the_digest_names_what_would_be_done(hub: Hub, repo: Repo) -> None:
    spec: Manifest = {"labels": [{"cluster": "lab", "set": {"env": "prod"}}]}
    first = await hub.planner.plan(spec)
    assert first.digest == (await hub.planner.plan(spec)).digest
    repo.commit({"apps/web/a.yaml": config_map("web-a", "2")})
    hub.poller.ask(lambda url: True)
    await settled(hub)
    assert first.digest != (await hub.planner.plan(spec)).digest


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ([], "spec: expected a mapping"),
        ({"label": []}, "spec.label: no such field"),
        ({"labels": [{"cluster": "nowhere", "set": {"a": "b"}}]}, "there is no cluster 'nowhere'"),
        ({"labels": [{"cluster": "one", "set": {"a": 1}}]}, "spec.labels[0].set.a: expected a text"),
        ({"joins": [{"name": "one"}]}, "there is a cluster 'one' already"),
        ({"objects": [{"kind": "Secret"}]}, "expected an ApplicationSet, an Application or an AppProject"),
        ({"deletions": [{"kind": "Application", "name": "none"}]}, "there is no Application argocd/none"),
        ({"folders": [{"repo": "https://x/y", "files": {"../a": ""}}]}, "no path inside a repository"),
        ({"folders": [{"repo": "https://x/y", "files": {"a": "%"}}]}, "not base64"),
        ({"renders": -1}, "spec.renders"),
        ({"revisions": [{"repo": "https://x/y", "revision": "a"}] * 2}, "named twice"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_by_its_field(
    hub: Hub, spec: Any, words: str
) -> None:
    with pytest.raises(Invalid) as refused:
        await hub.planner.plan(spec)
    assert words in refused.value.message


def lone(repo: Repo, cluster: str, name: str = "solo") -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {"repoURL": repo.url, "targetRevision": "main", "path": "apps/db"},
            "destination": {"name": cluster, "namespace": "default"},
            "syncPolicy": {"automated": {}},
        },
    }


async def test_lone_applications_are_planned_edited_and_displaced(hub: Hub, repo: Repo) -> None:
    found = by_name(await hub.planner.plan({"objects": [lone(repo, "lab")]}))
    assert objects(found["solo"]) == {"db-a": "added"}
    await hubs.add(hub, table.APPLICATION, lone(repo, "lab"))
    await settled(hub)
    edited = lone(repo, "lab")
    edited["spec"]["source"]["path"] = "apps/web"
    found = by_name(await hub.planner.plan({"objects": [edited]}))
    assert objects(found["solo"]) == {"db-a": "removed", "web-a": "added", "web-b": "added"}
    assert {each.kept for each in found["solo"].objects if each.change == "removed"} == {
        "prune is off: it stays until somebody syncs with prune"
    }
    gone = await hub.planner.plan({"leaves": ["lab"]})
    assert "there are no clusters with this name: lab" in by_name(gone)["solo"].problem
    deleted = by_name(await hub.planner.plan({"deletions": [{"kind": "Application", "name": "solo"}]}))
    assert deleted["solo"].change == "removed"
    assert "no resources-finalizer" in deleted["solo"].objects[0].kept
    owned = (await hubs.apps(hub))["web-one"]
    owned = {**owned, "spec": {**owned["spec"], "project": "default", "info": [{"name": "a", "value": "b"}]}}
    plan = await hub.planner.plan({"objects": [owned]})
    assert any("ApplicationSet fleet writes it" in text for text in plan.problems)


async def test_a_cluster_that_joins_is_what_some_waited_for(hub: Hub, repo: Repo) -> None:
    await hubs.add(hub, table.APPLICATION, lone(repo, "later"))
    await settled(hub)
    found = by_name(await hub.planner.plan({"joins": [{"name": "later"}]}))
    assert objects(found["solo"]) == {"db-a": "added"}
    assert found["solo"].cluster == "later"


async def test_sets_and_applications_that_are_not_concerned_cost_nothing(hub: Hub, repo: Repo) -> None:
    for number in range(3):
        other = hubs.appset(repo, f"other-{number}", path="apps/db")
        other["spec"]["generators"] = [{"clusters": {"selector": {"matchLabels": {"ring": str(number)}}}}]
        other["spec"]["template"]["metadata"]["name"] = f"other-{number}-{{{{.name}}}}"
        other["spec"]["template"]["spec"]["source"]["path"] = "apps/db"
        await hubs.add(hub, table.APPLICATION_SET, other)
    await settled(hub)
    plan = await hub.planner.plan({"labels": [{"cluster": "lab", "set": {"ring": "1"}}]})
    assert (plan.sets, set(by_name(plan))) == (1, {"other-1-lab"})
    assert (await hub.planner.plan({"labels": [{"cluster": "lab", "set": {"nobody": "asks"}}]})).sets == 0
    repo.git("checkout", "--quiet", "-b", "words")
    (repo.work / "README.md").write_text("words")
    repo.git("add", "--all")
    repo.git("commit", "--quiet", "--message", "words")
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "words")
    fetches = hub.mirrors.counters.fetches
    plan = await hub.planner.plan({"revisions": [{"repo": repo.url, "revision": "words"}]})
    assert (plan.empty, plan.renders) == (True, 0)
    assert hub.mirrors.counters.fetches == fetches + 1


@pytest.mark.parametrize("seed", range(3))
async def test_what_a_plan_says_is_what_happens(hub: Hub, repo: Repo, seed: int) -> None:
    """Random commits, planned from a branch, then merged: the plan named every object that changed, and no other."""
    roll = Random(seed)
    names = iter(range(1000))
    for _ in range(4):
        repo.git("checkout", "--quiet", "-B", "next")
        for _ in range(3):
            _random_change(repo, roll, names)
        repo.git("add", "--all")
        repo.git("commit", "--quiet", "--allow-empty", "--message", "next")
        repo.git("push", "--quiet", "--force", str(repo.server.root / "fleet.git"), "next")
        before = await _objects(hub)
        plan = await hub.planner.plan({"revisions": [{"repo": repo.url, "revision": "next"}]})
        repo.git("checkout", "--quiet", "main")
        repo.git("merge", "--quiet", "next")
        repo.commit({})
        hub.poller.ask(lambda url: True)
        await settled(hub)
        after = await _objects(hub)
        held = {name for removal in plan.removals if removal.held for name in removal.apps}
        said = {
            (app.name, each.key.name, each.change)
            for app in plan.apps
            for each in app.objects
            if app.name not in held
        }
        assert said == _changes(before, after)
        assert not plan.problems


def _random_change(repo: Repo, roll: Random, names: Iterator[int]) -> None:
    files = sorted(repo.work.glob("apps/*/*.yaml"))
    match roll.choice(("add", "change", "remove", "app")):
        case "add":
            folder = roll.choice(files).parent
            (folder / f"n{next(names)}.yaml").write_text(config_map(f"n{next(names)}-{folder.name}"))
        case "change":
            file = roll.choice(files)
            file.write_text(file.read_text().rstrip() + f"\n  more{next(names)}: x\n")
        case "remove" if len(files) > 3:
            file = roll.choice(files)
            if len(list(file.parent.iterdir())) > 1:
                file.unlink()
        case _:
            folder = repo.work / f"apps/app{next(names)}"
            folder.mkdir()
            (folder / "a.yaml").write_text(config_map(f"a-{folder.name}"))


async def _objects(hub: Hub) -> dict[tuple[str, str], str]:
    """(application, object) -> its content, of what clusters shall have."""

    def read(tx: Tx) -> dict[tuple[str, str], str]:
        return {
            (state.name, item["metadata"]["name"]): repr(item)
            for state in apps.every(tx)
            if not state.deleting and (blob := bundles_store.get(tx, state.bundle)) is not None
            for item in bundle.unpack(blob, state.bundle)
        }

    return await hub.store.read(read)


def _changes(
    before: dict[tuple[str, str], str], after: dict[tuple[str, str], str]
) -> set[tuple[str, str, str]]:
    found = {(*key, "added") for key in after.keys() - before.keys()}
    found |= {(*key, "removed") for key in before.keys() - after.keys()}
    return found | {(*key, "changed") for key in before.keys() & after.keys() if before[key] != after[key]}
