"""`argosy plan` and `appset preview` as people type them, against a hub; and applying exactly what was shown."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import hubs
import pytest
from hubs import Repo, config_map

from argosy import yamlio
from hub.assembly import Hub
from hub.core.plans import text
from hub.core.served import table
from hub.store import audit

SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: keys}
stringData: {password: "%s"}
"""
START = {"apps/web/a.yaml": config_map("web-a"), "apps/web/keys.yaml": SECRET % "first-value"}


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@pytest.fixture
def repo(tmp_path: Path) -> Iterator[Repo]:
    with hubs.repository(tmp_path) as made:
        made.commit(START)
        yield made


@pytest.fixture
async def hub(tmp_path: Path, repo: Repo) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as started:
        await hubs.add_cluster(started, "one", env="prod")
        await hubs.add_cluster(started, "lab", env="test")
        await hubs.add(started, table.APPLICATION_SET, hubs.appset(repo))
        await settled(started)
        yield started


async def settled(hub: Hub) -> None:
    await hubs.settled(hub)
    await hubs.settled(hub)


async def argosy(hub: Hub, *arguments: str) -> Said:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "argosy"),
        *arguments,
        env={**os.environ, "ARGOSY_KUBECONFIG": str(hub.settings.kubeconfig)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return Said(process.returncode or 0, out.decode(), err.decode())


def digest_of(said: Said) -> str:
    return next(line.split()[1] for line in said.out.splitlines() if line.startswith("Digest "))


async def test_a_label_change_is_planned_and_then_applied_as_shown(hub: Hub) -> None:
    label = ("--label", "lab=env:prod")
    said = await argosy(hub, "plan", *label)
    assert said.code == 4, said.err
    assert "+ web-lab on lab" in said.out
    assert "+ ConfigMap default/web-a" in said.out
    assert 'labels.env: "test" -> "prod"' in said.out
    done = await argosy(hub, "plan", "--apply", digest_of(said))
    assert (done.code, done.err) == (0, "")
    await settled(hub)
    assert set(await hubs.apps(hub)) == {"web-one", "web-lab"}
    assert (await argosy(hub, "plan", *label)).code == 0
    (record,) = (
        one
        for one in await hub.store.read(lambda tx: audit.newest(tx, 5))
        if one.resource.endswith("clusters")
    )
    assert (record.username, record.verb, record.name) == ("admin", "patch", "lab")
    assert digest_of(said) in record.agent


async def test_a_plan_is_not_applied_to_another_world(hub: Hub, repo: Repo) -> None:
    said = await argosy(hub, "plan", "--label", "lab=env:prod")
    repo.commit({"apps/web/a.yaml": config_map("web-a", "2")})
    hub.poller.ask(lambda url: True)
    await settled(hub)
    late = await argosy(hub, "plan", "--apply", digest_of(said))
    assert late.code == 1
    assert "nothing was changed: the world moved" in late.err
    assert set(await hubs.apps(hub)) == {"web-one"}
    unknown = await argosy(hub, "plan", "--apply", "sha256:" + "0" * 64)
    assert unknown.code == 1
    assert "plan again" in unknown.err


async def test_a_branch_is_applied_by_its_merge_and_by_nothing_else(hub: Hub, repo: Repo) -> None:
    repo.git("checkout", "--quiet", "-b", "feature")
    (repo.work / "apps/web/a.yaml").write_text(config_map("web-a", "2"))
    repo.git("commit", "--quiet", "--all", "--message", "feature")
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "feature")
    said = await argosy(hub, "plan", "--revision", "feature")
    assert said.code == 4, said.err
    assert 'data.value: "1" -> "2"' in said.out
    refused = await argosy(hub, "plan", "--apply", digest_of(said))
    assert refused.code == 1
    assert "merge it" in refused.err
    repo.git("checkout", "--quiet", "main")
    repo.git("merge", "--quiet", "feature")
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "main")
    done = await argosy(hub, "plan", "--apply", digest_of(said))
    # The hub may have seen the merge by itself, and then there is nothing left of the plan.
    assert done.code == 0 or "the world moved" in done.err
    await settled(hub)
    assert (await argosy(hub, "plan", "--revision", "feature")).code == 0


async def test_a_local_folder_shows_fields_and_no_secret(hub: Hub, repo: Repo, tmp_path: Path) -> None:
    (repo.work / "apps/web/a.yaml").write_text(config_map("web-a", "2"))
    (repo.work / "apps/web/keys.yaml").write_text(SECRET % "second-value")
    (repo.work / "ignored.tmp").write_text("x")
    (repo.work / ".gitignore").write_text("*.tmp\n")
    for form in ("table", "json", "yaml", "markdown"):
        said = await argosy(hub, "plan", "--repo", f"{repo.url}={repo.work}", "-o", form)
        assert said.code == 4, said.err
        assert "data.value" in said.out
        assert "Secret" in said.out
        for value in ("first-value", "second-value", "Zmlyc3QtdmFsdWU", "c2Vjb25kLXZhbHVl"):
            assert value not in said.out
    status = json.loads((await argosy(hub, "plan", "--repo", f"{repo.url}={repo.work}", "-o", "json")).out)[
        "status"
    ]
    assert status["summary"]["objects"] == {"added": 0, "changed": 2, "removed": 0}
    refused = await argosy(hub, "plan", "--repo", f"{repo.url}={repo.work}", "--apply", status["digest"])
    assert refused.code == 1
    assert "push it" in refused.err
    assert hub.planner.asked(status["digest"]) is None, "uploaded folders are not kept"


async def test_an_edited_set_is_previewed_and_applied(hub: Hub, repo: Repo, tmp_path: Path) -> None:
    edited = hubs.appset(repo)
    edited["spec"]["template"]["metadata"]["labels"] = {"tier": "gold"}
    file = tmp_path / "set.yaml"
    file.write_text(yamlio.dump(edited))
    preview = await argosy(hub, "appset", "preview", "-f", str(file))
    assert preview.code == 4, preview.err
    assert "~ web-one on one" in preview.out
    assert 'metadata.labels: + {"tier":"gold"}' in preview.out
    assert (await argosy(hub, "appset", "preview", "fleet")).code == 0
    missing = await argosy(hub, "appset", "preview", "nothing")
    assert missing.code == 1
    assert "not found" in missing.err
    planned = await argosy(hub, "plan", "-f", str(file))
    applied = await argosy(hub, "plan", "-f", str(file), "--apply", digest_of(planned))
    assert applied.code == 0, applied.err
    await settled(hub)
    assert (await hubs.apps(hub))["web-one"]["metadata"]["labels"] == {"tier": "gold"}


async def test_a_change_with_a_problem_fails(hub: Hub, repo: Repo, tmp_path: Path) -> None:
    edited = hubs.appset(repo)
    edited["spec"]["template"]["spec"]["source"]["path"] = "no/such/folder"
    file = tmp_path / "set.yaml"
    file.write_text(yamlio.dump(edited))
    said = await argosy(hub, "plan", "-f", str(file))
    assert said.code == 1
    assert "no/such/folder" in said.out
    edited["spec"]["generators"] = "none"
    file.write_text(yamlio.dump(edited))
    refused = await argosy(hub, "plan", "-f", str(file))
    assert refused.code == 1
    assert "spec.objects[0]" in refused.err


@pytest.mark.parametrize("way", [("plan",), ("appset", "preview")])
async def test_a_misspelt_field_is_refused_as_the_api_would(
    hub: Hub, repo: Repo, tmp_path: Path, way: tuple[str, ...]
) -> None:
    edited = hubs.appset(repo)
    edited["spec"]["template"]["spec"]["syncPolicy"] = {"automated": {"prun": True}}
    file = tmp_path / "set.yaml"
    file.write_text(yamlio.dump(edited))
    refused = await argosy(hub, *way, "-f", str(file))
    assert refused.code == 1
    assert "ApplicationSet fleet: unknown field spec.template.spec.syncPolicy.automated.prun" in refused.err


@pytest.mark.parametrize(
    "wrong",
    [
        (),
        ("--label", "lab"),
        ("--label", "lab=env"),
        ("--pr", "x"),
        ("--repo", "dir"),
        ("--delete", "pod/x"),
        ("--join", "a=b"),
    ],
)
async def test_a_command_line_that_makes_no_sense_is_usage(hub: Hub, wrong: tuple[str, ...]) -> None:
    assert (await argosy(hub, "plan", *wrong)).code == 2


def test_markdown_stays_within_a_comment_and_no_value_ends_its_block() -> None:
    field = {"path": "data.x", "before": "```\nold", "after": "````\nnew" + "y\n" * 200}
    apps = [
        {
            "namespace": "argocd",
            "name": f"app-{at}",
            "appset": "fleet",
            "cluster": f"c{at}",
            "change": "changed",
            "objects": [
                {
                    "group": "",
                    "kind": "ConfigMap",
                    "namespace": "d",
                    "name": f"n{at}",
                    "change": "changed",
                    "fields": [field],
                }
            ],
        }
        for at in range(500)
    ]
    status = {
        "changes": True,
        "digest": "sha256:x",
        "summary": {
            "applications": {"added": 0, "changed": 500, "removed": 0},
            "objects": {"added": 0, "changed": 500, "removed": 0},
            "clusters": 500,
            "held": 0,
            "notShown": 0,
        },
        "written": [],
        "applications": apps,
        "removals": [],
        "problems": [],
        "standingProblems": [],
    }
    shown = text.markdown(status)
    assert len(shown.encode()) < 65_536
    assert "`````diff" in shown
    same = text.markdown({**status, "applications": [{**app, "objects": apps[0]["objects"]} for app in apps]})
    assert same.count("<details>") == 1, "what happens to many is told once"
    assert "and 492 more" in same
