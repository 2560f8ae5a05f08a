"""Each way an API server says no becomes the error that calls for the right behaviour."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from agent.cluster import answers, kubeconfig
from agent.cluster.base import (
    ApplyConflict,
    Cause,
    Changed,
    Expired,
    KindMissing,
    NamespaceMissing,
    Refused,
    TryLater,
)
from argosy.errors import ArgosyError, Forbidden, Invalid, NotFound, Unavailable


def status(code: int, message: str = "m", reason: str = "", **details: Any) -> bytes:
    return orjson.dumps(
        {"kind": "Status", "code": code, "message": message, "reason": reason, "details": details}
    )


@pytest.mark.parametrize(
    ("code", "body", "expected"),
    [
        (404, b"404 page not found\n", KindMissing),
        (404, status(404, name="x", kind="configmaps"), NotFound),
        (404, status(404, name="team", kind="namespaces"), NamespaceMissing),
        (409, status(409, reason="Conflict"), Changed),
        (409, status(409, reason="AlreadyExists"), Changed),
        (410, status(410, reason="Expired"), Expired),
        (422, status(422, reason="Invalid"), Refused),
        (400, status(400), Refused),
        (413, b"Request entity too large", Refused),
        (500, status(500, "failed to create typed patch object (x): .data.k: expected string"), Refused),
        (500, status(500, "etcdserver: request timed out"), Unavailable),
        (500, b"<html>proxy</html>", Unavailable),
        (502, b"", Unavailable),
        (401, status(401), Forbidden),
        (403, status(403, reason="Forbidden"), Forbidden),
        (403, status(403, causes=[{"reason": "NamespaceTerminating"}]), TryLater),
        (503, status(503), TryLater),
    ],
)
def test_an_answer_becomes_an_error(code: int, body: bytes, expected: type[ArgosyError]) -> None:
    assert type(answers.error(code, {}, body)) is expected


def test_too_many_requests_says_when_to_come_back() -> None:
    error = answers.error(429, {"Retry-After": "3"}, b"Too many requests, please try again later.\n")
    assert isinstance(error, TryLater)
    assert error.retry_after == 3.0


def test_a_conflict_has_manager_and_field() -> None:
    causes = [
        {"reason": "FieldManagerConflict", "field": ".data.k", "message": 'conflict with "other"'},
        {
            "reason": "FieldManagerConflict",
            "field": ".spec.replicas",
            "message": 'conflict with "hpa" with subresource "scale" using apps/v1 at 2026-01-01T00:00:00Z',
        },
    ]
    error = answers.error(409, {}, status(409, causes=causes))
    assert isinstance(error, ApplyConflict)
    assert error.causes == (Cause("other", ".data.k"), Cause("hpa", ".spec.replicas"))


CONFIG = """
apiVersion: v1
kind: Config
current-context: one
clusters:
- {name: c, cluster: {server: "http://127.0.0.1:1/"}}
contexts:
- {name: one, context: {cluster: c, user: file}}
- {name: two, context: {cluster: c, user: command}}
- {name: three, context: {cluster: c, user: basic}}
- {name: lost, context: {cluster: c, user: nobody}}
users:
- {name: file, user: {tokenFile: token}}
- name: command
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: sh
      args: [-c, 'printf "{\\"status\\": {\\"token\\": \\"from-command\\"}}"']
- {name: basic, user: {username: u, password: p}}
"""


@pytest.mark.parametrize(
    ("context", "header"),
    [("", "Bearer from-file"), ("two", "Bearer from-command"), ("three", "Basic dTpw")],
)
async def test_a_kubeconfig_says_who_we_are(tmp_path: Path, context: str, header: str) -> None:
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "token").write_text("from-file\n")
    credentials = kubeconfig.load(tmp_path / "config", context)
    assert credentials.server == "http://127.0.0.1:1"
    assert await credentials.authorization() == header


async def test_a_rotated_token_is_read_again(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(CONFIG)
    (tmp_path / "token").write_text("old")
    credentials = kubeconfig.load(tmp_path / "config")
    assert await credentials.authorization() == "Bearer old"
    (tmp_path / "token").write_text("new")
    assert await credentials.authorization(renew=True) == "Bearer new"


def test_what_a_kubeconfig_lacks_is_named(tmp_path: Path) -> None:
    (tmp_path / "config").write_text(CONFIG)
    with pytest.raises(Invalid, match="users has no entry named 'nobody'"):
        kubeconfig.load(tmp_path / "config", "lost")
    with pytest.raises(Invalid, match="No such file"):
        kubeconfig.load(tmp_path / "nothing")
