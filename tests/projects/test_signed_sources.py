"""Projects that want their sources signed, in a whole hub: what is deployed and what is said."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import hubs
import pytest
from hubs import Repo
from signers import Key, Signers

from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.plans import text
from hub.core.plans.model import Plan
from hub.core.served import table
from hub.store import apps

pytestmark = pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as repo:
        yield repo


@pytest.fixture
async def hub(tmp_path: Path) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as hub:
        await hubs.add_cluster(hub, "red", env="prod")
        yield hub


def commit(repo: Repo, value: str, key: Key | None = None) -> str:
    repo.git("config", "commit.gpgsign", "true" if key else "false")
    repo.git("config", "user.signingkey", key.fingerprint if key else "none")
    return repo.commit({"apps/web/a.yaml": hubs.config_map("a", value)})


async def add_project(hub: Hub, **spec: Any) -> None:
    free = {
        "sourceRepos": ["*"],
        "destinations": [{"server": "*", "namespace": "*"}],
        "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
    }
    project = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "AppProject",
        "metadata": {"name": "shop", "namespace": "argocd"},
        "spec": {**free, **spec},
    }
    await hubs.add(hub, table.APP_PROJECT, project)


async def add_keys(hub: Hub, people: Signers, *keys: Key) -> None:
    keyring = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "argocd-gpg-keys-cm", "namespace": "argocd"},
        "data": {key.id: people.public(key) for key in keys},
    }
    await hubs.add(hub, table.CONFIG_MAP, keyring)


def app(repo: Repo, name: str = "web") -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "shop",
            "source": {"repoURL": repo.url, "targetRevision": "main", "path": "apps/web"},
            "destination": {"name": "red", "namespace": "default"},
            "syncPolicy": {"automated": {}},
        },
    }


async def rendered(hub: Hub, name: str) -> str:
    """The bundle that an Application's cluster is to have."""
    uid = (await hubs.apps(hub))[name]["metadata"]["uid"]
    state = await hub.store.read(lambda tx: {one.app: one for one in apps.every(tx)}.get(uid))
    return state.bundle if state else ""


async def said(hub: Hub, name: str) -> str:
    return str(hubs.condition((await hubs.apps(hub))[name], "ComparisonError").get("message") or "")


async def refreshed(hub: Hub, name: str = "web") -> None:
    note = {"metadata": {"annotations": {"argocd.argoproj.io/refresh": "normal"}}}
    await hubs.patch(hub, table.APPLICATION, name, note)
    await hubs.settled(hub)


async def test_only_what_an_allowed_key_signed_is_deployed(hub: Hub, repo: Repo, people: Signers) -> None:
    ann, bob = people.key("ann"), people.key("bob")
    await add_keys(hub, people, ann, bob)
    await add_project(hub, signatureKeys=[{"keyID": ann.id}])
    unsigned = commit(repo, "1")
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.settled(hub)
    assert await rendered(hub, "web") == ""
    assert await said(hub, "web") == (
        f"GIT/GPG: Failed verifying revision {unsigned} by 'Test <test@example.com>': unsigned (key_id=)"
    )
    commit(repo, "1", ann)
    await refreshed(hub)
    good = await rendered(hub, "web")
    assert (bool(good), await said(hub, "web")) == (True, "")
    # Somebody whose key is known, but not to this project: the last good release stays.
    commit(repo, "2", bob)
    await refreshed(hub)
    assert await rendered(hub, "web") == good
    assert f"signed with unallowed key (key_id={bob.id})" in await said(hub, "web")
    await hubs.patch(
        hub, table.APP_PROJECT, "shop", {"spec": {"signatureKeys": [{"keyID": ann.id}, {"keyID": bob.id}]}}
    )
    await hubs.settled(hub)
    assert (await rendered(hub, "web") != good, await said(hub, "web")) == (True, "")


async def test_an_unsigned_commit_is_told_of_that_touches_nothing_of_the_application(
    hub: Hub, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann")
    await add_keys(hub, people, ann)
    await add_project(hub, signatureKeys=[{"keyID": ann.id}])
    commit(repo, "1", ann)
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.settled(hub)
    assert await said(hub, "web") == ""
    repo.git("config", "commit.gpgsign", "false")
    repo.commit({"README": "elsewhere"})
    hub.poller.ask(lambda url: True)
    await hubs.settled(hub)
    assert "unsigned" in await said(hub, "web")


async def test_a_key_that_arrives_later_lets_through_what_waits(
    hub: Hub, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann")
    await add_project(hub, signatureKeys=[{"keyID": ann.id}])
    commit(repo, "1", ann)
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.settled(hub)
    assert f"signed with key not in keyring (key_id={ann.id})" in await said(hub, "web")
    await add_keys(hub, people, ann)

    async def deployed() -> bool:
        return bool(await rendered(hub, "web"))

    await hubs.until(deployed, "what was signed is deployed")
    # A key that is withdrawn stops what comes, and takes nothing away.
    await hubs.patch(hub, table.CONFIG_MAP, "argocd-gpg-keys-cm", {"data": {ann.id: None}})

    async def refused() -> bool:
        return "not in keyring" in await said(hub, "web")

    await hubs.until(refused, "what nobody vouches for any more is refused")
    assert await deployed()


async def test_each_source_is_looked_at_by_the_policy_that_names_it(
    hub: Hub, repo: Repo, people: Signers, tmp_path: Path
) -> None:
    ann = people.key("ann")
    await add_keys(hub, people, ann)
    with hubs.repository(tmp_path, "values") as other:
        policy = {"repos": [{"url": other.url}], "gpg": {"mode": "head", "keys": [ann.id]}}
        await add_project(hub, sourceIntegrity={"git": {"policies": [policy]}})
        commit(repo, "1")
        unsigned = commit(other, "1")
        both = app(repo)
        both["spec"]["sources"] = [
            both["spec"].pop("source"),
            {"repoURL": other.url, "targetRevision": "main", "ref": "values"},
        ]
        await hubs.add(hub, table.APPLICATION, both)
        await hubs.add(hub, table.APPLICATION, app(repo, "alone"))
        await hubs.settled(hub)
        assert (await rendered(hub, "alone") != "", await rendered(hub, "web")) == (True, "")
        assert f"Failed verifying revision {unsigned}" in await said(hub, "web")
        commit(other, "2", ann)
        await refreshed(hub)
        assert (await rendered(hub, "web") != "", await said(hub, "web")) == (True, "")


async def test_generators_of_a_set_read_signed_commits_alone(hub: Hub, repo: Repo, people: Signers) -> None:
    ann = people.key("ann")
    await add_keys(hub, people, ann)
    await add_project(hub, signatureKeys=[{"keyID": ann.id}])
    commit(repo, "1", ann)
    appset = hubs.appset(repo)
    appset["spec"]["template"]["spec"]["project"] = "shop"
    await hubs.add(hub, table.APPLICATION_SET, appset)
    await hubs.settled(hub)
    assert set(await hubs.apps(hub)) == {"web-red"}
    repo.git("config", "commit.gpgsign", "false")
    repo.commit({"apps/evil/a.yaml": hubs.config_map("evil")})
    hub.poller.ask(lambda url: True)
    await hubs.settled(hub)
    assert set(await hubs.apps(hub)) == {"web-red"}
    shown = (await hubs.listed(hub, table.APPLICATION_SET))["fleet"]
    assert "unsigned" in hubs.condition(shown, "Stale")["message"]
    repo.git("config", "commit.gpgsign", "true")
    repo.commit({"apps/evil/a.yaml": hubs.config_map("good")})
    hub.poller.ask(lambda url: True)

    async def read() -> bool:
        return set(await hubs.apps(hub)) == {"web-red", "evil-red"}

    await hubs.until(read, "the signed commit is read")


async def test_an_administrator_may_turn_it_off(
    tmp_path: Path, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARGOCD_GPG_ENABLED", "false")
    async with hubs.running(tmp_path / "off") as hub:
        await hubs.add_cluster(hub, "red")
        await add_project(hub, signatureKeys=[{"keyID": "A" * 16}])
        commit(repo, "1")
        await hubs.add(hub, table.APPLICATION, app(repo))
        await hubs.settled(hub)
        assert await rendered(hub, "web") != ""


async def test_without_gpg_such_a_project_deploys_nothing_and_says_why(
    hub: Hub, repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit(repo, "1")
    monkeypatch.setattr("hub.git.signatures.PROGRAM", "gpg-is-not-here")
    await add_project(hub, signatureKeys=[{"keyID": "A" * 16}])
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.settled(hub)
    assert await rendered(hub, "web") == ""
    assert await said(hub, "web") == "signatures cannot be verified: gpg-is-not-here is not installed"


def branch(repo: Repo, name: str, value: str, key: Key | None = None) -> str:
    """A branch with one commit beyond main, which stays where it is."""
    repo.git("checkout", "--quiet", "-B", name, "main")
    repo.git("config", "commit.gpgsign", "true" if key else "false")
    repo.git("config", "user.signingkey", key.fingerprint if key else "none")
    (repo.work / "apps/web/a.yaml").write_text(hubs.config_map("a", value))
    repo.git("commit", "--quiet", "--all", "--message", name)
    repo.git(
        "push", "--quiet", "--force", str(repo.server.root / "fleet.git"), name, f"{name}:refs/pull/7/head"
    )
    found = repo.git("rev-parse", "HEAD").strip()
    repo.git("checkout", "--quiet", "main")
    return found


async def test_a_plan_says_of_each_application_that_its_project_does_not_take_the_commit(
    hub: Hub, repo: Repo, people: Signers
) -> None:
    ann, bob = people.key("ann"), people.key("bob")
    await add_keys(hub, people, ann, bob)
    await add_project(hub, signatureKeys=[{"keyID": ann.id}])
    commit(repo, "1", ann)
    elsewhere = app(repo, "free")
    elsewhere["spec"]["project"] = "default"
    for one in (app(repo), elsewhere):
        await hubs.add(hub, table.APPLICATION, one)
    await hubs.settled(hub)

    async def planned(name: str, **how: bool) -> Plan:
        return await hub.planner.plan({"revisions": [{"repo": repo.url, "revision": name, **how}]})

    # Another's key, as it is with no key at all: the one application keeps what it has, the other one changes.
    bobs = branch(repo, "bobs", "2", bob)
    plan = await planned("bobs")
    refused, changed = sorted(plan.apps, key=lambda one: one.problem, reverse=True)
    assert (refused.name, refused.objects, changed.name) == ("web", (), "free")
    assert refused.problem == (
        f"GIT/GPG: Failed verifying revision {bobs} by 'Test <test@example.com>': "
        f"signed with unallowed key (key_id={bob.id})"
    )
    assert [each.change for each in changed.objects] == ["changed"]
    assert plan.summary()["applications"] == {"added": 0, "changed": 1, "removed": 0}
    assert plan.summary()["objects"]["changed"] == 1
    assert (plan.failed, plan.changes, plan.summary()["problems"]) == (True, True, 1)
    # What is planned is what happens.
    repo.git("merge", "--quiet", "--ff-only", "bobs")
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "main")
    await refreshed(hub)
    assert await said(hub, "web") == refused.problem
    # Nobody may know better than the project, and whoever may is believed.
    branch(repo, "anns", "3", ann)
    plan = await planned("anns")
    assert {one.name: [each.change for each in one.objects] for one in plan.apps} == {
        "web": ["changed"],
        "free": ["changed"],
    }
    assert (plan.failed, any(one.holds for one in plan.apps)) == (False, False)


async def test_a_plan_refuses_commits_that_touch_nothing_and_changes_nothing_by_them(
    hub: Hub, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann")
    await add_keys(hub, people, ann)
    await add_project(hub, signatureKeys=[{"keyID": ann.id}])
    commit(repo, "1", ann)
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.settled(hub)
    repo.git("checkout", "--quiet", "-B", "words", "main")
    (repo.work / "README").write_text("words")
    repo.git("add", "--all")
    repo.git("-c", "commit.gpgsign=false", "commit", "--quiet", "--message", "words")
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "words")
    plan = await hub.planner.plan({"revisions": [{"repo": repo.url, "revision": "words"}]})
    assert [one.problem.partition(": ")[0] for one in plan.apps] == ["GIT/GPG"]
    assert (plan.failed, plan.changes) == (True, False)
    assert "no application changes; 1 problem" in "\n".join(text.lines(plan.document()))
    assert "GIT/GPG" in text.markdown(plan.document())


async def test_a_plan_of_a_merge_asks_for_its_signature_and_for_that_of_the_history(
    hub: Hub, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann")
    await add_keys(hub, people, ann)
    await add_project(hub, signatureKeys=[{"keyID": ann.id}])
    commit(repo, "1", ann)
    await hubs.add(hub, table.APPLICATION, app(repo))
    await hubs.settled(hub)
    theirs = branch(repo, "theirs", "2")
    merge = {"revisions": [{"repo": repo.url, "revision": "pull/7", "merged": True}]}
    # The merge itself is not made yet: nobody could sign it, and of the head that is all that is asked.
    (planned,) = (await hub.planner.plan(merge)).apps
    assert (planned.problem, [hold.kind for hold in planned.holds]) == ("", ["Signature"])
    # Who wants all of the history signed is told of the commit that will be part of it.
    strict = {"repos": [{"url": "*"}], "gpg": {"mode": "strict", "keys": [ann.id]}}
    spec = {"signatureKeys": None, "sourceIntegrity": {"git": {"policies": [strict]}}}
    await hubs.patch(hub, table.APP_PROJECT, "shop", {"spec": spec})
    await hubs.settled(hub)
    plan = await hub.planner.plan(merge)
    assert [f"revision {theirs}" in one.problem for one in plan.apps] == [True]
    assert plan.failed


async def test_a_plan_reads_generators_and_edited_projects_as_the_hub_does(
    hub: Hub, repo: Repo, people: Signers
) -> None:
    ann = people.key("ann")
    await add_keys(hub, people, ann)
    await add_project(hub, signatureKeys=[{"keyID": ann.id}])
    commit(repo, "1", ann)
    appset = hubs.appset(repo)
    appset["spec"]["template"]["spec"]["project"] = "shop"
    await hubs.add(hub, table.APPLICATION_SET, appset)
    await hubs.settled(hub)
    repo.git("checkout", "--quiet", "-B", "evil", "main")
    (repo.work / "apps/evil").mkdir()
    (repo.work / "apps/evil/a.yaml").write_text(hubs.config_map("evil"))
    repo.git("add", "--all")
    repo.git("-c", "commit.gpgsign=false", "commit", "--quiet", "--message", "evil")
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "evil")
    plan = await hub.planner.plan({"revisions": [{"repo": repo.url, "revision": "evil"}]})
    assert {one.name: one.problem.partition(": ")[0] for one in plan.apps} == {"web-red": "GIT/GPG"}
    assert any("unsigned" in problem for problem in plan.problems)
    assert not plan.changes
    # A project that would want other keys.
    project = (await hubs.listed(hub, table.APP_PROJECT))["shop"]
    edited = {key: project[key] for key in ("apiVersion", "kind", "spec")}
    edited["metadata"] = {"name": "shop", "namespace": "argocd"}
    edited["spec"] = {**project["spec"], "signatureKeys": [{"keyID": "A" * 16}]}
    plan = await hub.planner.plan({"objects": [edited]})
    assert ["unallowed key" in one.problem for one in plan.apps] == [True]
    assert any("unallowed key" in problem for problem in plan.problems)
