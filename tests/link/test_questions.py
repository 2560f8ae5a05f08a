"""Questions about a cluster: asked over the link, answered from the cluster itself, by nobody within a deadline."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import hubs
import pytest
import rolling
import spokes
from spokes import System, merged

from agent.cluster.memory import MemoryCluster
from argosy import questions
from argosy.errors import Invalid, NotFound, Unavailable
from argosy.kinds import CONFIG_MAP
from argosy.objects import Manifest
from argosy.questions import Kind, Question
from hub.core.clusters import answers
from hub.core.served import table

APPS = {"web": {"web-a": "1", "web-b": "1"}}


async def argosy(system: System, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "argosy"),
        *arguments,
        env={**os.environ, "ARGOSY_KUBECONFIG": str(system.hub.settings.kubeconfig)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


def paths(each: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    return [(field["path"], field.get("before"), field.get("after")) for field in each.get("fields", ())]


async def test_clusters_say_what_they_have_and_what_a_change_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, APPS)
        async with spokes.system(tmp_path, monkeypatch) as system:
            for name in ("one", "two"):
                await system.join(name)
            appset = hubs.appset(repo)
            appset["spec"]["template"]["spec"]["syncPolicy"]["automated"]["selfHeal"] = False
            await hubs.add(system.hub, table.APPLICATION_SET, appset)
            await system.settles({name: merged(APPS) for name in ("one", "two")})
            await _tree_and_drift(system)
            await _dry_runs(system, repo)
            await _refusals(system)


async def _tree_and_drift(system: System) -> None:
    cluster = system.spokes["one"].cluster
    live = by_name(cluster)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-pod",
            "namespace": "default",
            "ownerReferences": [
                {
                    "apiVersion": "v1",
                    "kind": "ConfigMap",
                    "name": "web-a",
                    "uid": live["web-a"]["metadata"]["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": {"containers": [{"name": "c", "image": "web:1"}]},
    }
    cluster.put(pod)
    code, out, err = await argosy(system, "app", "tree", "web-one", "-o", "json")
    assert code == 0, err
    nodes = {node["name"]: node for node in json.loads(out)["nodes"]}
    assert set(nodes) == {"web-a", "web-b", "web-pod"}
    assert nodes["web-pod"]["parent"] == nodes["web-a"]["uid"]
    assert nodes["web-pod"]["images"] == ["web:1"]
    lines = (await argosy(system, "app", "tree", "web-one"))[1].splitlines()
    assert lines[2].startswith("  Pod"), "what is made of an object stands below it"
    assert (await argosy(system, "app", "diff", "web-one"))[0] == 0

    cluster.edit(CONFIG_MAP, "default", "web-b", {"data": {"value": "hand"}}, manager="hand")
    code, out, err = await argosy(system, "app", "diff", "web-one", "-o", "json")
    assert code == 4, err
    (drift,) = json.loads(out)["objects"]
    assert (drift["name"], paths(drift)) == ("web-b", [("data.value", "hand", "1")])
    assert 'data.value: "hand" -> "1"' in (await argosy(system, "app", "diff", "web-one"))[1]
    assert by_name(cluster)["web-b"]["data"] == {"value": "hand"}, "a look changes nothing"


def by_name(cluster: MemoryCluster) -> dict[str, Manifest]:
    return {item["metadata"]["name"]: item for item in cluster.objects().values()}


async def _dry_runs(system: System, repo: hubs.Repo) -> None:
    (repo.work / "apps/web/web-b.yaml").unlink()
    (repo.work / "apps/web/web-c.yaml").write_text(hubs.config_map("web-c"))
    (repo.work / "apps/web/web-a.yaml").write_text(hubs.config_map("web-a", "2"))
    cluster = system.spokes["one"].cluster
    cluster.edit(CONFIG_MAP, "default", "web-a", {"data": {"value": "hand"}}, manager="hand")
    before = cluster.objects()
    await system.spokes["two"].kill()
    await hubs.until(lambda: not system.hub.link.connected(system.spokes["two"].uid), "two is away")
    began = time.monotonic()
    code, out, err = await argosy(
        system, "plan", "--repo", f"{repo.url}={repo.work}", "--dry-run-on", "clusters", "-o", "json"
    )
    assert code == 4, err
    assert time.monotonic() - began < 30
    status = json.loads(out)["status"]
    apps = {app["name"]: app for app in status["applications"]}
    impact = apps["web-one"]["impact"]
    assert impact["answered"]
    found = {each["name"]: each for each in impact["objects"]}
    assert {name: each["change"] for name, each in found.items()} == {
        "web-a": "changed",
        "web-b": "removed",
        "web-c": "added",
    }
    assert ("data.value", "hand", "2") in paths(found["web-a"]), (
        "what is there now, not what was rendered last"
    )
    assert not apps["web-two"]["impact"]["answered"]
    assert "not connected" in apps["web-two"]["impact"]["error"]
    assert (status["impact"]["asked"], status["impact"]["answered"]) == (2, 1)
    assert status["impact"]["silentClusters"] == ["two"]
    assert cluster.objects() == before, "a dry run writes nothing"
    shown = (await argosy(system, "plan", "--repo", f"{repo.url}={repo.work}", "--dry-run-on", "clusters"))[1]
    assert "dry runs: 1 of 2 answered, no answer from two" in shown
    assert "as the cluster's own dry run says" in shown


async def _refusals(system: System) -> None:
    hub, spoke = system.hub, system.spokes["one"]
    with pytest.raises(NotFound):
        await hub.planner.plan({}, only="nothing")
    code, _, err = await argosy(system, "app", "tree", "nothing")
    assert code == 1
    assert "not found" in err
    code, _, err = await argosy(system, "app", "diff", "web-two")
    assert code == 1
    assert "not connected" in err
    with pytest.raises(Invalid, match="not assigned such an application"):
        await hub.link.ask(spoke.uid, Question(Kind.TREE, "no-such-app"), 5)
    with pytest.raises(Unavailable, match="did not answer within"):
        # Nobody is faster than this.
        await hub.link.ask(spoke.uid, Question(Kind.TREE, "no-such-app"), 0.0)
    foreign = Question(Kind.DRY_RUN, "planned:x", "sha256:" + "0" * 64)
    with pytest.raises(Invalid, match="is not in the store"):
        await hub.link.ask(spoke.uid, foreign, 10)
    assert spoke.connected, "a question that cannot be answered costs no stream"


@pytest.mark.parametrize(
    "data", [b"", b"[]", b'{"kind": "x", "assignment": "a"}', b'{"kind": "tree"}', b"\xff"]
)
def test_a_question_that_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid):
        questions.decode(data)


def test_questions_and_answers_travel() -> None:
    asked = Question(Kind.DRY_RUN, "a", "sha256:1", "shop", ("Replace=true",), "x:y")
    assert questions.decode(questions.encode(asked)) == asked
    newer = questions.encode(asked)[:-1] + b',"more":1}'
    assert questions.decode(newer) == asked, "what a newer hub adds is passed over"
    assert questions.unpacked(questions.packed({"a": [1]})) == {"a": [1]}
    for wrong in (b"", b"x" * 100, questions.packed([1])):
        with pytest.raises(Invalid):
            questions.unpacked(wrong)
    with pytest.raises(Invalid):
        questions.packed({"a": "x" * questions.MOST_BYTES})


async def test_a_gate_asks_the_clusters_of_its_stage_for_a_condition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        spokes.commit(repo, APPS)
        async with spokes.system(tmp_path, monkeypatch) as system:
            await system.join("one")
            condition = {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "namespace": "default",
                "name": "gated",
                "condition": "Healthy",
            }
            gate = {"name": "ready", "every": "1s", "object": condition}
            await hubs.add(
                system.hub,
                table.ROLLOUT_POLICY,
                rolling.policy(rolling.stage("all", gates={"after": [gate]})),
            )
            await hubs.add(system.hub, table.APPLICATION_SET, rolling.appset(repo))

            async def said(words: str) -> bool:
                blockers = (await rolling.status(system.hub, "fleet-1")).get("blockers") or [{}]
                return words in str(blockers[0].get("reason"))

            await hubs.until(
                lambda: said("gate ready: not found on one"), "the agent says that it is not there"
            )
            labels = {"app": "gated"}
            system.spokes["one"].cluster.put(
                {
                    "apiVersion": "apps/v1",
                    "kind": "Deployment",
                    "metadata": {"name": "gated", "namespace": "default"},
                    "spec": {
                        "selector": {"matchLabels": labels},
                        "template": {
                            "metadata": {"labels": labels},
                            "spec": {"containers": [{"name": "gated", "image": "gated:1"}]},
                        },
                    },
                }
            )
            await rolling.reaches(system.hub, "fleet-1", phase="Completed")


GOOD = {"group": "", "kind": "ConfigMap", "namespace": "d", "name": "x"}


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        5,
        "x",
        [],
        {},
        {**GOOD, "name": 5},
        {**GOOD, "change": "exploded"},
        {**GOOD, "change": ["added"]},
    ],
)
def test_of_a_hostile_answer_only_what_has_the_promised_form_is_passed_on(wrong: Any) -> None:
    good = {
        **GOOD,
        "change": "changed",
        "fields": [{"path": "a", "before": 1}, 7, {"path": 1}],
        "evil": "<script>",
    }
    found = answers.read(Kind.DRY_RUN, {"objects": [wrong, good], "more": "x"})
    assert found == {"objects": [{**GOOD, "change": "changed", "fields": [{"path": "a", "before": 1}]}]}
    assert answers.read(Kind.DIFF, {"objects": wrong}) == {"objects": []}
    node = {**GOOD, "health": "Healthy", "images": ["a", 5], "uid": 7}
    nodes = answers.read(Kind.TREE, {"nodes": [node]})["nodes"]
    assert nodes == [{**GOOD, "health": "Healthy", "images": ["a"]}]
    (event,) = answers.read(Kind.EVENTS, {"events": [{"reason": "x" * 10_000, "count": "many"}, 3]})["events"]
    assert (len(event["reason"]), event["count"], event["name"]) == (answers.LONGEST, 1, "")
