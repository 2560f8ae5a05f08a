"""What objects of the API mean for `wait` and `status`: pure readings."""

from __future__ import annotations

from typing import Any

import pytest

from argosy.objects import Manifest
from hub.cli import main, states, waiting
from hub.cli.errors import Usage
from hub.cli.labels import changes
from hub.cli.wait import duration

OLD, NEW = "a" * 40, "b" * 40


def cluster(name: str, ready: str = "True", reason: str = "Connected") -> Manifest:
    return {
        "metadata": {"name": name, "uid": name},
        "spec": {"server": f"https://{name}"},
        "status": {
            "conditions": [{"type": "Ready", "status": ready, "reason": reason, "message": reason}],
        },
    }


def test_a_second_agent_is_told_of_a_cluster_that_is_ready() -> None:
    found = cluster("a")
    assert states.cluster_state(found) == ("Ready", "")
    told = {
        "type": "Quarantined",
        "status": "True",
        "reason": "SecondAgent",
        "message": "a second agent, at 10.0.0.7",
    }
    found["status"]["conditions"].append(told)
    assert states.cluster_state(found) == ("Ready", "a second agent, at 10.0.0.7")


def app(
    name: str,
    on: str,
    revision: str,
    sync: str = "Synced",
    health: str = "Healthy",
    phase: str = "",
    deployed: str = "",
    **more: Any,
) -> Manifest:
    return {
        "metadata": {
            "name": name,
            "uid": name,
            "ownerReferences": [{"kind": "ApplicationSet", "name": "web"}],
        },
        "spec": {"destination": {"server": f"https://{on}"}},
        "status": {
            "sync": {"status": sync, "revision": revision},
            "health": {"status": health},
            "operationState": {"phase": phase, "syncResult": {"revision": deployed}},
            **more,
        },
    }


def appset(error: str = "False", message: str = "") -> Manifest:
    return {
        "metadata": {"name": "web"},
        "spec": {"generators": []},
        "status": {
            "conditions": [
                {"type": "ErrorOccurred", "status": error, "message": message},
                {"type": "ResourcesUpToDate", "status": "True"},
            ]
        },
    }


def release(revision: str, *names: str, number: int = 1) -> Manifest:
    return {
        "metadata": {"name": f"web-{number}", "uid": f"id-{number}"},
        "spec": {
            "owner": {"uid": "web"},
            "number": number,
            "commits": [{"repo": "r", "revision": "main", "commit": revision}],
            "applications": [{"name": name} for name in names],
        },
    }


def test_waiting_for_an_app_ends_at_the_commit_that_was_named() -> None:
    assert waiting.app(app("a", "on", OLD)).done
    assert not waiting.app(app("a", "on", OLD), NEW[:8]).done
    assert waiting.app(app("a", "on", NEW), NEW[:8]).done
    assert waiting.app(app("a", "on", NEW, "OutOfSync", "Missing", "Error")).failed == "sync Error"
    assert waiting.app(None).waiting


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"conditions": [{"type": "Held", "message": "freeze x"}]}, "freeze x"),
        ({"rollout": {"name": "web-2", "message": "gate board"}}, "rollout web-2: gate board"),
        ({"health": {"status": "Progressing", "message": "1 of 2 updated"}}, "1 of 2 updated"),
        ({"operationState": {"phase": "Running", "message": "waits for Job a"}}, "waits for Job a"),
    ],
)
def test_waiting_for_an_app_says_what_it_waits_for(status: Manifest, said: str) -> None:
    made = app("a", "on", NEW, "OutOfSync")
    made["status"].update(status)
    found = waiting.app(made)
    assert found.waiting.endswith(f" at {NEW[:12]}: {said}")
    assert not found.failed


def test_an_apps_warnings_are_no_problems() -> None:
    told = [{"type": "SyncOptionWarning", "message": "m"}, {"type": "ComparisonError", "message": "e"}]
    found = states.app_state(app("a", "on", NEW, conditions=told), {"https://on": "on"})
    assert (found.cluster, found.problems, found.notes) == (
        "on",
        ("ComparisonError: e",),
        ("SyncOptionWarning: m",),
    )


def test_waiting_for_a_set_says_why_its_release_waits() -> None:
    waits = appset()
    waits["status"]["conditions"].append(
        {"type": "ReleaseWaits", "status": "True", "message": "RolloutPolicy x is not there"}
    )
    member = app("a", "on", NEW, "OutOfSync", "Missing")
    assert waiting.appset(waits, [member]).waiting == "0 of 1 applications done; RolloutPolicy x is not there"


def test_a_set_is_done_when_it_is_evaluated_and_all_its_apps_are() -> None:
    members = [app("a", "on", NEW), app("b", "on", NEW, "OutOfSync", "Progressing")]
    assert waiting.appset(appset(), members[:1]).done
    assert "1 of 2" in waiting.appset(appset(), members).waiting
    assert waiting.appset(appset("True", "no such repo"), members[:1]).failed == "no such repo"
    assert not waiting.appset({"metadata": {"name": "web"}, "spec": {}}, []).done


def test_a_cluster_is_done_when_ready_and_failed_when_revoked() -> None:
    assert waiting.cluster(cluster("on")).done
    assert waiting.cluster(cluster("on", "False", "Revoked")).failed
    assert waiting.cluster(cluster("on", "False", "Disconnected")).waiting.startswith("offline")
    assert waiting.cluster(cluster("on", "Unknown", "NeverJoined")).waiting.startswith("waiting")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("0.5s", 0.5)]
)
def test_durations(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "5 minutes", "-1s"])
def test_a_duration_that_is_none_is_a_usage_error(text: str) -> None:
    with pytest.raises(Usage):
        duration(text)


def test_labels_are_set_and_removed() -> None:
    assert changes(["env=prod", "old-", "empty="]) == {"env": "prod", "old": None, "empty": ""}
    with pytest.raises(Usage, match='found "nonsense"'):
        changes(["nonsense"])


def test_common_flags_may_stand_anywhere_but_not_behind_two_dashes() -> None:
    line = ["status", "--kubeconfig", "f", "-o", "json", "--server=https://x", "--", "--context", "y"]
    assert main.hoisted(line) == [
        "--kubeconfig", "f", "--server=https://x", "status", "-o", "json", "--", "--context", "y",
    ]  # fmt: skip
