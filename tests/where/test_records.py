"""What is kept of what happened: audit, events and figures, as people ask for them."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import hubs
import orjson
import pytest
import spokes
from spokes import System, merged

from hub.assembly import Hub
from hub.cli import kubeconfig
from hub.cli.client import Client
from hub.core.access import trail
from hub.core.served import table
from hub.core.views import delivery
from hub.core.views.delivery import Delivery

APPS = {"web": {"web-a": "1"}}


async def argosy(hub: Hub, *arguments: str) -> tuple[int, str, str]:
    return await _run(hub, "argosy", *arguments)


async def _run(hub: Hub, program: str, *arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / program),
        *arguments,
        env={**os.environ, "ARGOSY_KUBECONFIG": str(hub.settings.kubeconfig)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_the_story_is_told_by_events_figures_and_audit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        first = spokes.commit(repo, APPS)
        async with spokes.system(tmp_path, monkeypatch) as system:
            await system.join("one")
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))
            await system.settles({"one": merged(APPS)})
            await _events(system, first)
            await _stats(system)
            await _audit(system)


async def _events(system: System, commit: str) -> None:
    async def told() -> dict[str, str]:
        found = await hubs.listed(system.hub, table.EVENT)
        return {item["reason"]: item["message"] for item in found.values()}

    async def all_told() -> bool:
        return {"Released", "Deployed"} <= set(await told())

    await hubs.until(all_told, "the release and the deployment are told")
    messages = await told()
    assert commit[:12] in messages["Released"]
    assert "1 applications on 1 clusters" in messages["Released"]
    assert f"commit {commit[:12]}" in messages["Deployed"]


async def _stats(system: System) -> None:
    hub = system.hub
    code, out, err = await argosy(hub, "stats", "-o", "json")
    assert code == 0, err
    (fleet,) = json.loads(out)["items"]
    assert (fleet["deployments"], fleet["failedDeployments"]) == (1, 0)
    assert fleet["leadTimeSeconds"]["median"] < 300
    for by, name in (("set", "fleet"), ("app", "web-one")):
        assert (
            json.loads((await argosy(hub, "stats", "--by", by, "-o", "json"))[1])["items"][0]["name"] == name
        )
    code, out, _ = await argosy(hub, "stats", "--by", "group", "--label", "env")
    assert out.splitlines()[1].startswith("prod")
    assert (await argosy(hub, "stats", "--by", "moon"))[0] == 2
    assert (await argosy(hub, "stats", "--by", "group"))[0] == 2
    access = kubeconfig.resolve(
        kubeconfig.Choice(kubeconfig=str(hub.settings.kubeconfig)), {}, hub.settings.data
    )
    page = await asyncio.to_thread(Client(access).text, "/metrics")
    for labels in ('appset=""', 'appset="fleet"'):
        assert f"argosy_delivery_deployments{{{labels}}} 1.0" in page
    assert "argosy_delivery_lead_time_seconds" in page


async def _audit(system: System) -> None:
    hub = system.hub
    assert (await argosy(hub, "cluster", "label", "one", "tier=gold"))[0] == 0
    code, out, err = await argosy(hub, "audit", "--name", "one", "--verb", "patch", "-o", "json")
    assert code == 0, err
    (record,) = json.loads(out)["items"]
    assert (record["user"], record["address"]) == ("admin", "127.0.0.1")
    assert record["fields"] == [{"path": "metadata.labels.tier", "after": "gold"}]
    wide = (await argosy(hub, "audit", "--resource", "clusters", "-o", "wide"))[1]
    assert 'metadata.labels.tier: nothing -> "gold"' in wide
    assert "no" not in (await argosy(hub, "audit", "--since", "1h"))[2]
    assert json.loads((await argosy(hub, "audit", "--user", "nobody", "-o", "json"))[1])["items"] == []
    (joined,) = json.loads((await argosy(hub, "audit", "--verb", "enroll", "-o", "json"))[1])["items"]
    assert (joined["user"], joined["name"]) == ("agent", "one")


def secret(value: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "annotations": {"kubectl.kubernetes.io/last-applied-configuration": value}},
        "stringData": {"key": value},
    }


@pytest.mark.parametrize(
    ("before", "after"), [(None, secret("hush")), (secret("hush"), None), (secret("hush"), secret("quiet"))]
)
def test_a_trail_shows_no_secret(before: Any, after: Any) -> None:
    fields = orjson.loads(trail.change(before, after))
    assert [each["path"] for each in fields] == ["stringData"] or fields[0]["path"] == "stringData.key"
    assert b"hush" not in trail.change(before, after)
    assert b"quiet" not in trail.change(before, after)


def test_a_trail_is_bounded_and_leaves_out_what_the_hub_writes_itself() -> None:
    before = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x", "resourceVersion": "1"}}
    after = {
        **before,
        "metadata": {"name": "x", "resourceVersion": "2", "managedFields": [{}]},
        "status": {"a": 1},
    }
    assert orjson.loads(trail.change(before, after)) == []
    assert orjson.loads(trail.change(before, after, status=True)) == [{"path": "status", "after": {"a": 1}}]
    large = {**before, "data": {f"key-{at}": "x" * 500 for at in range(100)}}
    kept = trail.change({**before, "data": {}}, large)
    assert len(kept) < trail.MOST_BYTES + 200
    assert orjson.loads(kept)[-1]["more"] > 50


def test_events_tell_each_turn_once() -> None:
    start = Delivery("r1", "a", "o", "n", "c", 100.0)
    failed = Delivery("r1", "a", "o", "n", "c", 100.0, failed=110.0)
    restored = Delivery("r1", "a", "o", "n", "c", 100.0, failed=110.0, restored=150.0)
    (bad,) = delivery.events(start, failed, "abc", "Degraded")
    assert bad == ("Warning", "DeploymentFailed", "commit abc (release r1) is not well: Degraded")
    (good,) = delivery.events(failed, restored, "abc", "")
    assert good[1:] == ("Restored", "well again 40 s after commit abc (release r1) failed")
    assert delivery.events(restored, restored, "abc", "") == []
