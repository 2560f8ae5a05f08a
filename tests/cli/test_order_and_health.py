"""`argosy app order` and `argosy app health` answer from files alone, and say what is wrong with a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from argosy.errors import Invalid
from hub.cli import offline

MANIFESTS = """
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: c, namespace: shop}}
- {apiVersion: v1, kind: Namespace, metadata: {name: shop, annotations: {argocd.argoproj.io/sync-wave: "3"}}}
---
apiVersion: batch/v1
kind: Job
metadata: {generateName: job-, annotations: {argocd.argoproj.io/hook: PreSync}}
---
"""
LIVE = "{apiVersion: v1, kind: Secret, metadata: {name: gone, namespace: shop}}"
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
data:
  resource.customizations.health.corp.test_Widget: while true do end
  resource.customizations.health.Secret: "return {status = 'Suspended', message = 'asleep'}"
"""
OBJECTS = """
{apiVersion: corp.test/v1, kind: Widget, metadata: {name: loops}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: c}}
"""


def answered(capsys: pytest.CaptureFixture[str], verb: str, *arguments: str) -> Any:
    command = offline.named(["app", verb])
    assert command is not None
    assert offline.run(command, arguments) == 0
    return json.loads(capsys.readouterr().out)


def written(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return str(folder / name)


def test_the_order_of_a_sync(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, live = written(tmp_path, "m.yaml", MANIFESTS), written(tmp_path, "l.yaml", LIVE)
    found = answered(capsys, "order", "-f", file, "--live", live, "--namespace", "here", "--prune-last")
    assert found[0] == {
        "phase": "PreSync",
        "wave": 0,
        "group": "batch",
        "kind": "Job",
        "namespace": "here",
        "name": "job-",
    }
    assert [(task["phase"], task["wave"], task["kind"]) for task in found[1:]] == [
        ("Sync", 0, "Namespace"),
        ("Sync", 0, "ConfigMap"),
        ("Sync", 4, "Secret"),
    ]


def test_the_health_of_each_object_whatever_a_script_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, config = written(tmp_path, "o.yaml", OBJECTS), written(tmp_path, "cm.yaml", CONFIG)
    found = answered(capsys, "health", "-f", file, "--config", config, "-o", "json")
    assert [(each["kind"], each["status"]) for each in found] == [
        ("Widget", "Unknown"),
        ("Secret", "Suspended"),
        ("ConfigMap", None),
    ]
    assert found[1] == {
        "apiVersion": "v1",
        "kind": "Secret",
        "name": "s",
        "status": "Suspended",
        "message": "asleep",
    }


@pytest.mark.parametrize("verb", ["order", "health"])
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[]", "document 1: an object is expected"),
        ("{kind: A, metadata: {}}", "document 1: apiVersion"),
        (
            "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: A}]}",
            r"document 1: items\[0\]: metadata",
        ),
        (
            "{apiVersion: v1, kind: A, metadata: {name: n}}",
            r"metadata\.name: a text is expected, found False",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named_with_its_place(
    verb: str, text: str, problem: str, tmp_path: Path
) -> None:
    command = offline.named(["app", verb])
    assert command is not None
    file = written(tmp_path, "bad.yaml", text)
    with pytest.raises(Invalid, match=rf"bad\.yaml: .*{problem}"):
        offline.run(command, ["-f", file])
