"""What the hub takes of an operation, passes on to agents and shows of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from argosy.errors import Invalid
from hub.cli import app_sync
from hub.cli.errors import Usage
from hub.core.apps import operations, policy
from hub.core.apps.policy import Asked
from hub.core.views import views
from hub.core.views.views import AppView

APP: dict[str, Any] = {
    "metadata": {"name": "web", "namespace": "argocd"},
    "spec": {"source": {"repoURL": "https://git.example.com/a", "targetRevision": "main"}, "destination": {}},
}
REPORT: dict[str, Any] = {
    "phase": "Succeeded",
    "message": "successfully synced (all tasks run)",
    "operation": "op-1",
    "token": "t.1",
    "asked": '{"initiatedBy":{"username":"eve"},"sync":{"prune":true}}',
    "started": 1000.0,
    "finished": 1010.0,
    "revision": "c0ffee",
    "retries": 1,
    "bundle": "b",
    "resources": [
        {"group": "", "version": "v1", "kind": "ConfigMap", "namespace": "d", "name": "a", "sync": "Synced"},
        {
            "group": "batch",
            "version": "v1",
            "kind": "Job",
            "namespace": "d",
            "name": "h",
            "sync": "Synced",
            "hook": True,
            "phase": "PreSync",
            "health": "Healthy",
        },
        {
            "group": "",
            "version": "v1",
            "kind": "ConfigMap",
            "namespace": "d",
            "name": "old",
            "sync": "OutOfSync",
            "requires_pruning": True,
            "message": "ignored (requires pruning)",
        },
    ],
}


def state(manifest: dict[str, Any], report: dict[str, Any] | None, **told: str) -> dict[str, Any]:
    view = AppView(bundle="b", revision="c0ffee", report=report, policy=orjson.dumps(told).decode())
    found: dict[str, Any] = views.application(manifest, view)["status"].get("operationState")
    return found


def test_the_state_has_argo_cds_shape() -> None:
    found = state(APP, REPORT, sync_request="op-1")
    assert found == {
        "phase": "Succeeded",
        "message": "successfully synced (all tasks run)",
        "operation": {"initiatedBy": {"username": "eve"}, "sync": {"revision": "c0ffee", "prune": True}},
        "startedAt": "1970-01-01T00:16:40Z",
        "finishedAt": "1970-01-01T00:16:50Z",
        "retryCount": 1,
        "syncResult": {
            "revision": "c0ffee",
            "resources": [
                {
                    "group": "",
                    "version": "v1",
                    "kind": "ConfigMap",
                    "namespace": "d",
                    "name": "a",
                    "syncPhase": "Sync",
                    "status": "Synced",
                },
                {
                    "group": "batch",
                    "version": "v1",
                    "kind": "Job",
                    "namespace": "d",
                    "name": "h",
                    "hookType": "PreSync",
                    "syncPhase": "PreSync",
                    "hookPhase": "Succeeded",
                    "status": "Synced",
                },
                {
                    "group": "",
                    "version": "v1",
                    "kind": "ConfigMap",
                    "namespace": "d",
                    "name": "old",
                    "syncPhase": "Sync",
                    "status": "PruneSkipped",
                    "message": "ignored (requires pruning)",
                },
            ],
        },
    }


def test_what_a_sync_pruned_is_told() -> None:
    report = {**REPORT, "pruned": [["", "v1", "ConfigMap", "d", "gone"]]}
    found = state(APP, report, sync_request="op-1")["syncResult"]["resources"][-1]
    assert (found["name"], found["status"], found["message"]) == ("gone", "Pruned", "pruned")


@pytest.mark.parametrize("namespace", [{}, {"namespace": "d"}, {"namespace": "other"}])
def test_of_a_sync_of_chosen_objects_only_they_are_told(namespace: dict[str, str]) -> None:
    asked = {"sync": {"resources": [{"kind": "ConfigMap", "name": "a", **namespace}]}}
    report = {**REPORT, "asked": orjson.dumps(asked).decode()}
    found = state(APP, report, sync_request="op-1")["syncResult"]["resources"]
    assert [each["name"] for each in found] == ([] if namespace.get("namespace") == "other" else ["a"])


def test_an_asked_sync_is_running_from_the_moment_it_is_written() -> None:
    """Whoever waits for the end of a sync never takes that of the one before for it."""
    asked = {**APP, "operation": {"sync": {"dryRun": True}}}
    assert state(asked, REPORT, sync_request="op-1")["phase"] == "Running"
    taken = state(APP, REPORT, sync_request="op-2", operation='{"sync":{"dryRun":true}}')
    assert (taken["phase"], taken["operation"]) == ("Running", {"sync": {"dryRun": True}})
    assert state(APP, REPORT, sync_request="op-1")["phase"] == "Succeeded"
    assert state(APP, None, sync_request="op-1")["phase"] == "Running"


def test_a_sync_that_is_being_ended_says_so() -> None:
    running = {**REPORT, "phase": "Running"}
    assert state(APP, running, sync_request="op-1", terminate="t.1")["phase"] == "Terminating"
    assert state(APP, running, sync_request="op-1", terminate="t.0")["phase"] == "Running"
    assert state(APP, REPORT, sync_request="op-1", terminate="t.1")["phase"] == "Succeeded"


def test_a_sync_that_was_not_begun_is_shown_until_another_is() -> None:
    refused = operations.refused({"sync": {"revision": "v9"}}, "why", "1970-01-01T00:20:00Z")
    manifest = {**APP, "status": {"operationState": refused}}
    assert state(manifest, REPORT, sync_request="op-1")["phase"] == "Error"
    later = {**REPORT, "started": 2000.0, "finished": 2001.0}
    assert state(manifest, later, sync_request="op-1")["phase"] == "Succeeded"


@pytest.mark.parametrize(
    ("sync", "source"),
    [
        ({}, None),
        ({"revision": "main"}, None),
        ({"revision": "c0ffeec0ffee"}, None),
        ({"revision": "c0ffeec"}, None),
        ({"revision": "c0f"}, {"targetRevision": "c0f"}),
        ({"revision": "deadbeef"}, {"targetRevision": "deadbeef"}),
        ({"revisions": ["main"]}, None),
        ({"revisions": ["other", "ignored"]}, {"targetRevision": "other"}),
        ({"source": {"repoURL": "https://b", "path": "p"}}, {"repoURL": "https://b", "path": "p"}),
        (
            {"source": {"repoURL": "https://b", "path": "p"}, "revision": "v1"},
            {"repoURL": "https://b", "path": "p", "targetRevision": "v1"},
        ),
    ],
)
def test_what_else_is_to_be_synced_than_what_is_followed(
    sync: dict[str, Any], source: dict[str, str] | None
) -> None:
    spec = {"source": {"repoURL": "https://a", "path": "x", "targetRevision": "main"}, "project": "p"}
    found = operations.elsewhere({**APP, "spec": spec}, {"sync": sync}, "c0ffeec0ffee")
    if source is None:
        assert found is None
    else:
        base = {} if "source" in sync else spec["source"]
        assert found is not None
        assert found["spec"] == {"project": "p", "source": {**base, **source}}  # type: ignore[dict-item]


def test_each_of_several_sources_has_its_own_revision() -> None:
    sources = [{"repoURL": "https://a"}, {"repoURL": "https://b", "targetRevision": "v1"}]
    manifest = {**APP, "spec": {"sources": sources}}
    found = operations.elsewhere(manifest, {"sync": {"revisions": ["", "v2"]}}, "c1,c2")
    assert found is not None
    assert found["spec"]["sources"] == [sources[0], {"repoURL": "https://b", "targetRevision": "v2"}]


@pytest.mark.parametrize(
    ("policy", "sync", "told"),
    [
        ({}, {"revision": "v2"}, ""),
        ({"automated": {"enabled": False}}, {"revision": "v2"}, ""),
        ({"automated": {}}, {"revision": "v2"}, "Cannot sync to v2: auto-sync currently set to main"),
        (
            {"automated": {}},
            {"source": {"repoURL": "https://b"}},
            "Cannot sync to other sources: auto-sync is on",
        ),
    ],
)
def test_what_syncs_by_itself_is_synced_to_nothing_else(
    policy: dict[str, Any], sync: dict[str, Any], told: str
) -> None:
    source = {"repoURL": "https://a", "targetRevision": "main"}
    manifest = {**APP, "spec": {"source": source, "syncPolicy": policy}}
    found = operations.elsewhere(manifest, {"sync": sync}, "c1")
    assert found is not None
    assert operations.barred(manifest, found) == told


def test_of_several_sources_the_one_is_named_that_cannot_be_synced() -> None:
    sources = [
        {"repoURL": "https://a", "targetRevision": "main"},
        {"repoURL": "https://b", "targetRevision": "v1"},
    ]
    manifest = {**APP, "spec": {"sources": sources, "syncPolicy": {"automated": {}}}}
    found = operations.elsewhere(manifest, {"sync": {"revisions": ["", "v2"]}}, "c1")
    assert found is not None
    told = "Cannot sync source https://b to v2: auto-sync currently set to v1"
    assert operations.barred(manifest, found) == told


def test_what_is_not_supported_is_refused_by_name() -> None:
    found = operations.problems({"sync": {"manifests": ["x"]}, "retry": {"backoff": {"duration": "5 min"}}})
    assert [path for path, _ in found] == ["operation.sync.manifests", "operation.retry.backoff.duration"]
    assert operations.problems({}) == [("operation.sync", "is missing; an operation is a sync")]


def test_a_policy_carries_what_agents_need() -> None:
    spec = {
        "syncPolicy": {
            "automated": {"prune": True},
            "retry": {"limit": 3, "backoff": {"duration": "1m", "factor": 2, "maxDuration": "1h30m"}},
        }
    }
    notes = {
        "argosy.dev/stage-timeout": "10m",
        "argocd.argoproj.io/deletion-approved": "1970-01-01T00:00:10Z",
    }
    found = policy.of(spec, Asked("op-1", "{}", "t.1"), notes)
    assert orjson.loads(found.retry) == {
        "limit": 3,
        "backoff": {"duration": "60", "factor": 2, "maxDuration": "5400"},
    }
    assert found.sync_options == ("StageTimeout=600",)
    assert (found.sync_request, found.operation, found.terminate) == ("op-1", "{}", "t.1")
    assert found.deletion_approved == 10.0


@pytest.mark.parametrize(
    ("spec", "notes", "named"),
    [
        (
            {"syncPolicy": {"retry": {"backoff": {"duration": "soon"}}}},
            {},
            "spec.syncPolicy.retry.backoff.duration",
        ),
        ({}, {"argosy.dev/stage-timeout": "10"}, "metadata.annotations[argosy.dev/stage-timeout]"),
    ],
)
def test_a_duration_that_cannot_be_read_is_named(
    spec: dict[str, Any], notes: dict[str, str], named: str
) -> None:
    with pytest.raises(Invalid, match="duration") as refused:
        policy.of(spec, Asked(), notes)
    assert refused.value.message.startswith(named)


@pytest.mark.parametrize("text", ["", "yes", "2026-11-28", "2026-11-28T10:00:00", "9999-99-99T00:00:00Z"])
def test_an_approval_that_is_no_time_approves_nothing(text: str) -> None:
    assert policy.approved({"argocd.argoproj.io/deletion-approved": text}) == 0.0


def test_objects_are_chosen_as_argo_cds_command_does() -> None:
    assert app_sync.chosen("apps:Deployment:web") == {"group": "apps", "kind": "Deployment", "name": "web"}
    assert app_sync.chosen(":ConfigMap:shop/a") == {
        "group": "",
        "kind": "ConfigMap",
        "namespace": "shop",
        "name": "a",
    }
    for text in ("web", "apps:web", "apps::web", "apps:Deployment:", "apps:Deployment:shop/"):
        with pytest.raises(Usage):
            app_sync.chosen(text)
