"""What agents report shows in the objects people read, wait for and watch, without being part of them."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest
from hubapi import Client, RunningApi

from argosy import convert
from hub.core.clusters.clusters import Agent
from hub.core.served import table
from hub.core.views import views
from hub.core.views.views import AppView
from hub.store import agents, reports

APPS = "/apis/argoproj.io/v1alpha1/namespaces/argocd/applications"
APP = {
    "apiVersion": "argoproj.io/v1alpha1",
    "kind": "Application",
    "metadata": {"name": "web"},
    "spec": {
        "project": "default",
        "destination": {"name": "c1"},
        "source": {"repoURL": "https://a", "path": "x"},
    },
}
REPORT = {
    "assignment": "uid",
    "release": "r1",
    "bundle": "b1",
    "revision": "abc",
    "sync": "Synced",
    "health": "Healthy",
    "phase": "Succeeded",
    "started": 10.0,
    "finished": 11.0,
    "resources": [
        {
            "group": "apps",
            "version": "v1",
            "kind": "Deployment",
            "namespace": "n",
            "name": "d",
            "sync": "Synced",
        }
        | {"health": "Healthy"}
    ],
    "conditions": [],
}


def test_an_objects_line_has_wave_confirmation_and_bounded_differences() -> None:
    many = [{"field": f".f{n}", "desired": "x" * 9000, "live": "", "manager": "m"} for n in range(100)]
    line = {
        "kind": "ConfigMap",
        "version": "v1",
        "name": "a",
        "sync": "OutOfSync",
        "wave": 2,
        "confirm": True,
    }
    report = {**REPORT, "resources": [{**line, "differences": many}]}
    (shown,) = views.application(APP, AppView("b1", "abc", report=report))["status"]["resources"]
    assert (shown["syncWave"], shown["requiresDeletionConfirmation"]) == (2, True)
    assert len(shown["differences"]) == views.SHOWN_DIFFERENCES
    assert shown["differences"][0] == {"field": ".f0", "desired": "x" * views.SHOWN_LENGTH, "manager": "m"}


def test_an_application_nobody_knows_anything_of_is_shown_as_it_is() -> None:
    assert views.application(APP, AppView()) == APP


@pytest.mark.parametrize(
    ("view", "sync", "health"),
    [
        (AppView("b1", "abc"), "OutOfSync", "Missing"),
        (AppView("b1", "abc", report=REPORT), "Synced", "Healthy"),
        (AppView("b2", "def", report=REPORT), "OutOfSync", "Healthy"),
        (AppView("b1", "abc", "no such path", REPORT), "Unknown", "Unknown"),
        (AppView("", "", "no such path"), "Unknown", "Unknown"),
    ],
)
def test_sync_and_health_in_argo_cds_words(view: AppView, sync: str, health: str) -> None:
    status = views.application(APP, view)["status"]
    assert (status["sync"]["status"], status["health"]["status"]) == (sync, health)


def test_a_new_commit_with_the_same_content_is_synced_at_that_commit() -> None:
    status = views.application(APP, AppView("b1", "newer", report=REPORT))["status"]
    assert status["sync"]["status"] == "Synced"
    assert status["sync"]["revision"] == "newer"


def test_resources_and_operation_have_argo_cds_shape() -> None:
    status = views.application(APP, AppView("b1", "abc", report=REPORT))["status"]
    assert status["resources"][0]["health"] == {"status": "Healthy"}
    assert status["operationState"]["phase"] == "Succeeded"
    assert status["operationState"]["finishedAt"] == "1970-01-01T00:00:11Z"


def test_a_problem_is_a_condition() -> None:
    status = views.application(APP, AppView(problem="no such path"))["status"]
    assert {"type": "ComparisonError", "message": "no such path"} in status["conditions"]


def test_a_problem_that_is_a_condition_already_is_shown_once() -> None:
    known = {"type": "InvalidSpecError", "message": "no such cluster"}
    app = {**APP, "status": {"conditions": [known]}}
    status = views.application(app, AppView(problem="InvalidSpecError: no such cluster"))["status"]
    assert status["conditions"] == [known]
    status = views.application(APP, AppView(problem="InvalidSpecError: no such cluster"))["status"]
    assert status["conditions"] == [known]


def test_a_connected_cluster_was_seen_now_and_says_nothing_of_1970() -> None:
    cluster = {"metadata": {"name": "c1", "creationTimestamp": "2026-01-01T00:00:00Z"}}
    agent = Agent("c1", key="k", connected=1, since=1.0, seen=1.0)
    on = views.cluster(cluster, agent, 100000.0)
    off = views.cluster(cluster, replace(agent, connected=0), 100001.0)
    (cell,) = [column.cell for column in table.CLUSTER.columns if column.name == "Last Seen"]
    assert (cell(on, 3600.0), cell(off, 3601.0)) == ("now", "60m")
    held = next(one for one in on["status"]["conditions"] if one["type"] == "Held")
    assert held["lastTransitionTime"] == "2026-01-01T00:00:00Z"


def test_a_set_of_no_application_counts_none_once_it_was_looked_at() -> None:
    (cell,) = [column.cell for column in table.APPLICATION_SET.columns if column.name == "Applications"]
    told = {"conditions": [{"type": "ErrorOccurred", "status": "False"}]}
    assert (cell({}, 0.0), cell({"status": told}, 0.0)) == ("", 0)
    assert cell({"status": {**told, "resourcesCount": 2}}, 0.0) == 2


def test_a_clusters_agent_is_its_status() -> None:
    cluster = {"metadata": {"name": "c1"}}
    agent = Agent(
        "uid", key="k", version="1.2", connected=1, since=5.0, facts='{"kubernetes.version":"v1.37.2"}'
    )
    status = views.cluster(cluster, agent, 10.0, 3)["status"]
    assert status["agentVersion"] == "1.2"
    assert status["kubernetesVersion"] == "v1.37.2"
    assert status["applications"] == 3
    assert {each["type"]: each["status"] for each in status["conditions"]} == {
        "Ready": "True",
        "Held": "False",
    }


def _report(api: RunningApi, uid: str, health: str) -> None:
    detail = json.dumps({**REPORT, "assignment": uid, "health": health}).encode()
    state = convert.State(
        assignment=uid, release="r1", bundle="b1", sync="Synced", health=health, detail=detail
    )

    def job(tx: Any) -> None:
        tx.run(
            "INSERT OR REPLACE INTO assignments (cluster, id, generation, bundle, body) VALUES ('c', ?, 1, 'b1', '{}')",
            (uid,),
        )
        reports.put(tx, "c", [reports.hashed(state)], time.time())

    api.write(job)


def test_a_report_is_watched_listed_and_no_reason_to_refuse_an_update(api: RunningApi) -> None:
    with Client(api) as client, Client(api) as other:
        made = client.ask("POST", APPS, APP)[1]
        query = {"watch": "1", "resourceVersion": made["metadata"]["resourceVersion"]}
        watch = other.send("GET", APPS, query=query)
        _report(api, made["metadata"]["uid"], "Degraded")
        event = json.loads(watch.readline())
        assert (event["type"], event["object"]["status"]["health"]["status"]) == ("MODIFIED", "Degraded")
        found = client.ask("GET", f"{APPS}/web")[1]
        assert found == event["object"]
        assert int(found["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])
        _report(api, made["metadata"]["uid"], "Healthy")
        found["spec"]["project"] = "other"
        code, updated = client.ask("PUT", f"{APPS}/web", found)
        assert (code, updated["spec"]["project"], updated["status"]["health"]["status"]) == (
            200,
            "other",
            "Healthy",
        )
        assert client.ask("PUT", f"{APPS}/web", found)[0] == 409
        assert "status" not in api.read(
            lambda tx: api.resources.get(tx, _served("applications"), "argocd", "web")
        )


def test_an_agent_that_comes_is_watched(api: RunningApi) -> None:
    clusters = "/apis/argosy.dev/v1alpha1/clusters"
    with Client(api) as client, Client(api) as other:
        made = client.ask("POST", clusters, {"metadata": {"name": "c9"}})[1]
        assert made["spec"]["server"] == "https://c9.clusters.argosy.dev"
        uid, version = made["metadata"]["uid"], made["metadata"]["resourceVersion"]
        query = {"watch": "1", "resourceVersion": version, "fieldSelector": "metadata.name=c9"}
        watch = other.send("GET", clusters, query=query)

        def join(tx: Any) -> None:
            agents.bind(tx, uid, "kube-uid", "key", "1.0", time.time() + 60)
            agents.connected(tx, uid, "1.0", "{}", time.time())

        api.write(join)
        ready = json.loads(watch.readline())["object"]["status"]["conditions"][0]
        assert (ready["type"], ready["status"]) == ("Ready", "True")


def _served(plural: str) -> Any:
    from hub.core.served import table

    return next(served for served in table.SERVED if served.kind.plural == plural)
