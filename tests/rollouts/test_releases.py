"""Releases: why they were made, what they change, and going back to one."""

from __future__ import annotations

import json
import time
from pathlib import Path

import hubs
import rolling
from commands import argosy, said
from hubs import Repo, config_map
from obedient import Obedient
from rolling import STAGES, appset, policy, push, reaches, stage

from hub.assembly import Hub
from hub.core.served import table
from hub.store import desired


async def given(hub: Hub, fleet: Obedient, cluster: str) -> str:
    found = await hub.store.read(lambda tx: desired.assignments(tx, fleet.clusters[cluster]))
    return found[0].bundle


async def test_a_release_says_what_made_it(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*STAGES))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    await push(hub, repo, "2")
    await reaches(hub, "fleet-2", phase="Completed")
    labels = {"kustomize": {"commonLabels": {"tier": "{{.metadata.labels.ring}}"}}}
    repo.commit({"apps/web/kustomization.yaml": "resources: [web.yaml]\n"})
    hub.poller.ask(lambda url: True)
    await hubs.settled(hub)
    await hubs.settled(hub)
    change = {"spec": {"template": {"spec": {"source": labels}}}}
    await hubs.patch(hub, table.APPLICATION_SET, "fleet", change)
    await reaches(hub, "fleet-3", phase="Completed")
    await hubs.patch(hub, table.CLUSTER, "z1", {"metadata": {"labels": {"ring": "later"}}}, "")
    await reaches(hub, "fleet-4", phase="Completed", total=1)
    await fleet.join("z9", env="prod", ring="late")
    await reaches(hub, "fleet-5", phase="Completed", total=1)
    found = await hubs.listed(hub, table.RELEASE)
    reasons = [found[f"fleet-{number}"]["spec"]["reason"] for number in range(1, 6)]
    assert reasons == ["first", "commit", "commit and edit", "labels", "join"]


async def test_the_difference_of_two_releases_counts_and_names_objects(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(stage("all")))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", phase="Completed")
    secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: web}\nstringData: {key: s3cret}\n"
    repo.commit({"apps/web/web.yaml": config_map("web", "2"), "apps/web/secret.yaml": secret})
    hub.poller.ask(lambda url: True)
    await reaches(hub, "fleet-2", phase="Completed")
    repo.commit(
        {"apps/web/web.yaml": config_map("web"), "apps/web/secret.yaml": secret.replace("s3cret", "other")}
    )
    hub.poller.ask(lambda url: True)
    await reaches(hub, "fleet-3", phase="Completed")

    whole = json.loads(await said(hub, "release", "diff", "fleet-2", "-o", "json"))
    assert whole["counts"] == {"applications": 6, "added": 6, "changed": 6}
    assert whole["applications"][0]["name"] == "web-c1"
    objects = {one["kind"]: one for one in whole["applications"][0]["objects"]}
    (field,) = objects["ConfigMap"]["fields"]
    assert (field["path"], field["before"], field["after"]) == ("data.value", "1", "2")
    both = json.loads(await said(hub, "release", "diff", "fleet-1", "fleet-3", "-o", "json"))
    assert both["counts"] == {"applications": 6, "added": 6}
    back = json.loads(await said(hub, "release", "diff", "fleet-3", "fleet-1", "-o", "json"))
    assert back["counts"] == {"applications": 6, "removed": 6}
    shown = await said(hub, "release", "diff", "fleet-2", "fleet-3", "-o", "wide")
    assert "~ Secret default/web" in shown
    assert "s3cret" not in shown
    wrong = await argosy(hub, "release", "diff", "nothing", "fleet-3")
    assert wrong.returncode == 1
    assert "nothing" in wrong.stderr


async def test_an_application_goes_back_to_a_release_and_stays_there_until_git_moves(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    made = hubs.appset(repo)
    await hubs.add(hub, table.APPLICATION_SET, made)

    async def everybody_but(before: dict[str, str]) -> bool:
        now = await rolling.bundles(hub, fleet)
        return len(now) == 6 and not set(now.values()) & set(before.values())

    await hubs.until(lambda: everybody_but({}), "the first release")
    first = await rolling.bundles(hub, fleet)
    await push(hub, repo, "2")
    await hubs.until(lambda: everybody_but(first), "the second")
    second = await rolling.bundles(hub, fleet)

    history = await said(hub, "app", "history", "web-z1")
    assert [line.split()[0] for line in history.splitlines()[1:]] == ["fleet-2", "fleet-1"]
    assert "Assigned" in history.splitlines()[1]
    answer = await said(hub, "app", "rollback", "web-z1")
    assert answer == "web-z1 goes back to what release fleet-1 gave it, as fleet-3\n"
    assert await rolling.bundles(hub, fleet) == {**second, "z1": first["z1"]}
    release = (await hubs.listed(hub, table.RELEASE))["fleet-3"]["spec"]
    assert (release["reason"], release["by"]) == ("operator", "admin")
    hub.renderer.again()
    for _ in range(2):
        await hubs.settled(hub)
    assert await rolling.bundles(hub, fleet) == {**second, "z1": first["z1"]}
    assert "admin went back to release fleet-1" in await said(hub, "app", "history", "web-z1")

    assert "what Git says" in await said(hub, "app", "rollback", "web-z1", "fleet-2")
    for _ in range(2):
        await hubs.settled(hub)
    assert await rolling.bundles(hub, fleet) == second
    wrong = await argosy(hub, "app", "rollback", "web-z1", "fleet-99")
    assert wrong.returncode == 1
    assert "fleet-99" in wrong.stderr


async def test_a_release_names_the_commits_of_all_sources(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    first = repo.git("rev-parse", "HEAD").strip()
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "HEAD:refs/heads/stable")
    second = repo.commit({"more/more.yaml": config_map("more")})
    made = hubs.appset(repo)
    spec = made["spec"]["template"]["spec"]
    spec["sources"] = [
        {"repoURL": repo.url, "targetRevision": "stable", "path": "apps/web"},
        {"repoURL": repo.url, "targetRevision": "main", "path": "more"},
    ]
    del spec["source"]
    await hubs.add(hub, table.APPLICATION_SET, made)

    async def released() -> bool:
        return "fleet-1" in await hubs.listed(hub, table.RELEASE)

    await hubs.until(released, "the first release")
    commits = (await hubs.listed(hub, table.RELEASE))["fleet-1"]["spec"]["commits"]
    assert {(one["revision"], one["commit"]) for one in commits} == {("stable", first), ("main", second)}


async def test_what_may_be_gone_back_to_is_kept_and_what_nobody_owns_goes(tmp_path: Path, repo: Repo) -> None:
    ahead = 0.0
    async with hubs.running(tmp_path / "aged", clock=lambda: time.time() + ahead) as hub:
        fleet = Obedient(hub)
        for name, ring in rolling.RINGS.items():
            await fleet.join(name, env="prod", ring=ring)
        fleet.start()
        await hubs.add(hub, table.ROLLOUT_POLICY, policy(stage("all")))
        await hubs.add(hub, table.APPLICATION_SET, appset(repo))
        await reaches(hub, "fleet-1", phase="Completed")
        await push(hub, repo, "2")
        await reaches(hub, "fleet-2", phase="Completed")
        ahead = 8 * 86400.0
        (sweeper,) = [loop for loop in hub.loops if loop.name == "sweeper"]

        async def swept() -> None:
            runs = sweeper.record.runs
            sweeper.wake.set()
            await hubs.until(lambda: sweeper.record.runs > runs, "swept")

        await swept()
        assert len(await hub.store.read(lambda tx: tx.all("SELECT digest FROM bundles"))) == 12
        await rolling.act(hub, "fleet-2", "rollback")
        await reaches(hub, "fleet-2", phase="RolledBack")
        await hubs.patch(
            hub,
            table.APPLICATION_SET,
            "fleet",
            {"metadata": {"annotations": {"argosy.dev/removal-cap": "99"}}},
        )
        await hubs.delete(hub, table.APPLICATION_SET, "fleet")

        async def empty() -> bool:
            return not await hubs.listed(hub, table.APPLICATION_SET)

        await hubs.until(empty, "the set is gone", seconds=60)
        await swept()
        assert await hubs.listed(hub, table.RELEASE) == await hubs.listed(hub, table.ROLLOUT) == {}
        assert await hub.store.read(lambda tx: tx.all("SELECT id FROM rollouts")) == []
        assert await hub.store.read(lambda tx: tx.all("SELECT app FROM refused")) == []
        await fleet.stop()
