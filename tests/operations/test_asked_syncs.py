"""What the hub takes of an operation, passes on to agents and shows of it."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from argosy.errors import Invalid
from hub.cli import app_sync
from hub.cli.errors import Usage
from hub.core import operations, policy, views
from hub.core.policy import Asked
from hub.core.views import AppView

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
            "message": "ignored (no prune)",
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
                },
                {
                    "group": "",
                    "version": "v1",
                    "kind": "ConfigMap",
                    "namespace": "d",
                    "name": "old",
                    "syncPhase": "Sync",
                    "status": "PruneSkipped",
                    "message": "ignored (no prune)",
                },
            ],
        },
    }


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
    ("sync", "fine"),
    [
        ({}, True),
        ({"revision": "main"}, True),
        ({"revision": "c0ffee"}, True),
        ({"revision": "c0f"}, True),
        ({"revision": "deadbeef"}, False),
        ({"revisions": ["main"]}, True),
        ({"revisions": ["other"]}, False),
    ],
)
def test_only_what_the_application_is_at_can_be_synced(sync: dict[str, Any], fine: bool) -> None:
    assert (operations.misses(APP, {"sync": sync}, "c0ffee") == "") is fine


def test_what_is_not_supported_is_refused_by_name() -> None:
    found = operations.problems(
        {"sync": {"manifests": ["x"], "source": {"path": "p"}}, "retry": {"backoff": {"duration": "5 min"}}}
    )
    assert [path for path, _ in found] == [
        "operation.sync.source",
        "operation.sync.manifests",
        "operation.retry.backoff.duration",
    ]
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
