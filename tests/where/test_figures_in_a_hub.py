"""The delivery figures of a history that is reckoned by hand, as a whole hub tells them: by `argosy stats`, on `/metrics`."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import hubs
import users
from commands import said

from argosy.bundle import Assignment
from argosy.convert import State
from hub.assembly import Hub
from hub.core.served import table
from hub.store import deliveries, desired, reports
from hub.store.apps import AppState
from hub.store.base import Tx

HISTORY = (
    # release, application, made, committed, done, failed, restored: seconds after the first release.
    ("r1", "web-one", 0, -60, 100, 0, 0),
    ("r1", "web-two", 0, -60, 300, 0, 0),
    ("r2", "web-one", 1000, 990, 0, 1100, 1500),
    ("r2", "web-two", 1000, 990, 1050, 0, 0),
    ("r3", "web-one", 1400, 1300, 1500, 0, 0),
    # Nobody is well with the last one yet.
    ("r4", "web-one", 2000, 1900, 0, 0, 0),
)
DAYS = 2.0
EVERYBODY: dict[str, Any] = {"deployments": 3, "failed": 1, "lead": 180, "p90": 360, "restore": 400}
ONE: dict[str, Any] = {"deployments": 3, "failed": 1, "lead": 180, "p90": 200, "restore": 400}
TWO: dict[str, Any] = {"deployments": 2, "failed": 0, "lead": 210, "p90": 360, "restore": None}


def record(tx: Tx, owner: str, clusters: dict[str, str], start: float) -> None:
    for release, app, made, committed, done, failed, restored in HISTORY:
        cluster = clusters[app.rpartition("-")[2]]
        state = AppState(app, app, "argocd", owner=owner, cluster=cluster, repo="r", revision=release)
        deliveries.begin(tx, release, owner, [state], start + made)
        moments = [start + at if at else 0.0 for at in (committed, done, failed, restored)]
        tx.run(
            "UPDATE deliveries SET committed = ?, done = ?, failed = ?, restored = ?, settled = 1 "
            "WHERE release = ? AND app = ?",
            (*moments, release, app),
        )


async def stats(hub: Hub, *options: str) -> dict[str, dict[str, Any]]:
    found = json.loads(await said(hub, "stats", "--days", f"{DAYS:g}", "-o", "json", *options))
    return {
        one["name"]: {
            "deployments": one["deployments"],
            "failed": one["failedDeployments"],
            "lead": one["leadTimeSeconds"]["median"],
            "p90": one["leadTimeSeconds"]["p90"],
            "restore": one["timeToRestoreSeconds"]["median"],
        }
        for one in found["items"]
    }


def rounded(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {name: {k: v if v is None else round(v) for k, v in one.items()} for name, one in found.items()}


async def test_fleet_set_application_and_group(tmp_path: Path) -> None:
    async with hubs.running(tmp_path / "hub", groups=("ring",)) as hub:
        clusters = {
            name: (await hubs.add_cluster(hub, name, ring=ring))["metadata"]["uid"]
            for name, ring in (("one", "canary"), ("two", "rest"))
        }
        empty = {
            "generators": [{"list": {"elements": []}}],
            "template": {"metadata": {"name": "x"}, "spec": SPEC},
        }
        appset = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "ApplicationSet",
            "metadata": {"name": "fleet", "namespace": "argocd"},
            "spec": empty,
        }
        owner = (await hubs.add(hub, table.APPLICATION_SET, appset))["metadata"]["uid"]
        await hub.store.write(lambda tx: record(tx, owner, clusters, time.time() - 86400))

        assert rounded(await stats(hub)) == {"": EVERYBODY}
        assert rounded(await stats(hub, "--by", "set")) == {"fleet": EVERYBODY}
        assert rounded(await stats(hub, "--by", "app")) == {"web-one": ONE, "web-two": TWO}
        assert rounded(await stats(hub, "--by", "group", "--label", "ring")) == {"canary": ONE, "rest": TWO}

        page = await users.asks(hub, lambda client: client.text("/metrics"))
        told = {
            name: float(value)
            for name, value in re.findall(r"^(argosy_delivery\S+\{.*\}) (\S+)$", page, re.MULTILINE)
        }
        parts = (
            ("argosy_delivery", 'appset=""', EVERYBODY),
            ("argosy_delivery", 'appset="fleet"', EVERYBODY),
            ("argosy_delivery_application", 'application="web-one"', ONE),
            ("argosy_delivery_application", 'application="web-two"', TWO),
            ("argosy_delivery_group", 'group="ring=canary"', ONE),
            ("argosy_delivery_group", 'group="ring=rest"', TWO),
        )
        for prefix, label, wanted in parts:
            assert told[f"{prefix}_deployments{{{label}}}"] == wanted["deployments"]
            assert round(told[f"{prefix}_deployments_per_day{{{label}}}"] * 7) == wanted["deployments"]
            assert told[f"{prefix}_failed_deployments{{{label}}}"] == wanted["failed"]
            rate = wanted["failed"] / wanted["deployments"]
            assert told[f"{prefix}_change_failure_rate{{{label}}}"] == rate
            assert round(told[f"{prefix}_lead_time_seconds{{{label}}}"]) == wanted["lead"]
            restore = told.get(f"{prefix}_time_to_restore_seconds{{{label}}}")
            assert (restore if restore is None else round(restore)) == wanted["restore"]


SPEC = {
    "project": "default",
    "source": {"repoURL": "https://git.example.com/fleet.git", "path": "apps"},
    "destination": {"name": "one", "namespace": "default"},
}


async def test_only_what_a_report_may_concern_is_looked_at_again(tmp_path: Path) -> None:
    def job(tx: Tx) -> tuple[set[str], set[str]]:
        for app in ("well", "open", "failed"):
            state = AppState(app, app, "argocd", owner="o", cluster="c", repo="r", revision="1")
            deliveries.begin(tx, f"r-{app}", "o", [state], 1.0)
            told = State(app, "r", "b", "Synced", "Healthy", b'{"assignment": "%s"}' % app.encode())
            desired.change(tx, "c", put=[Assignment(app, app, "argocd", "default", "shop", "b", "r", "1")])
            reports.put(tx, "c", [reports.hashed(told)], 2.0)
        tx.run("UPDATE deliveries SET done = 2 WHERE app = 'well'")
        tx.run("UPDATE deliveries SET failed = 2 WHERE app = 'failed'")
        newest = tx.next_rv()
        before = {one.delivery.app for one in deliveries.unsettled(tx, {"c": newest})}
        told = State("well", "r", "b", "Synced", "Degraded", b'{"assignment": "well", "health": "Degraded"}')
        reports.put(tx, "c", [reports.hashed(told)], 3.0)
        return before, {one.delivery.app for one in deliveries.unsettled(tx, {"c": newest, "other": 0})}

    async with hubs.running(tmp_path) as hub:
        before, after = await hub.store.write(job)
    assert before == {"open"}
    assert after == {"open", "well"}
