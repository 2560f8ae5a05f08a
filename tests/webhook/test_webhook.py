"""Push webhooks of every vendor: what they say, and that nobody without the secret is heard."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from argosy.errors import Forbidden, Invalid
from hub.core import webhook
from hub.core.webhook import Push

CASES = Path(__file__).parents[1] / "cases" / "webhook"
SECRET = "hush"


def case(name: str) -> tuple[dict[str, str], bytes, Any]:
    content = json.loads((CASES / f"{name}.json").read_text())
    return content["headers"], json.dumps(content["body"]).encode(), content["wanted"]


@pytest.mark.parametrize("name", sorted(path.stem for path in CASES.glob("*.json")))
def test_what_a_payload_says(name: str) -> None:
    headers, body, wanted = case(name)
    found = webhook.parse(headers, body, {})
    if wanted is None:
        assert found == ()
        return
    (push,) = found
    assert list(push.refs) == wanted["refs"]
    assert push.default_branch == wanted["default_branch"]
    assert push.concerns("https://git.example.com/team/fleet.git")
    assert push.concerns("ssh://git@GIT.example.com:22/Team/fleet")
    assert not push.concerns("https://git.example.com/team/fleet2")
    assert not push.concerns("https://git.example.com/other/fleet")
    assert not push.concerns("nonsense")


def signature(body: bytes, algorithm: str, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


def proof(name: str, body: bytes, secret: str) -> Mapping[str, str]:
    if name.startswith("github"):
        return {"X-Hub-Signature-256": "sha256=" + signature(body, "sha256", secret)}
    if name.startswith("gitlab"):
        return {"X-Gitlab-Token": secret}
    if name.startswith("gitea"):
        return {"X-Gitea-Signature": signature(body, "sha256", secret)}
    if name.startswith("gogs"):
        return {"X-Gogs-Signature": signature(body, "sha256", secret)}
    if name.startswith("bitbucketserver"):
        return {"X-Hub-Signature": "sha256=" + signature(body, "sha256", secret)}
    if name.startswith("bitbucket"):
        return {"X-Hook-UUID": secret}
    return {"Authorization": "Basic " + base64.b64encode(f"me:{secret}".encode()).decode()}


KEYS = {
    "github-push": "webhook.github.secret",
    "gitlab-push": "webhook.gitlab.secret",
    "gitea-push": "webhook.gogs.secret",
    "gogs-push": "webhook.gogs.secret",
    "bitbucket-push": "webhook.bitbucket.uuid",
    "bitbucketserver-push": "webhook.bitbucketserver.secret",
    "azure-push": "webhook.azuredevops.password",
}


@pytest.mark.parametrize("name", KEYS)
def test_only_who_has_the_secret_is_heard(name: str) -> None:
    headers, body, _ = case(name)
    secrets = {KEYS[name]: SECRET, "webhook.azuredevops.username": "me"}
    assert len(webhook.parse({**headers, **proof(name, body, SECRET)}, body, secrets)) == 1
    with pytest.raises(Forbidden, match="missing or wrong"):
        webhook.parse({**headers, **proof(name, body, "guess")}, body, secrets)
    with pytest.raises(Forbidden, match="missing or wrong"):
        webhook.parse(headers, body, secrets)
    if "Signature" in "".join(proof(name, body, SECRET)):
        with pytest.raises(Forbidden, match="missing or wrong"):
            webhook.parse({**headers, **proof(name, body, SECRET)}, body + b" ", secrets)


def test_githubs_old_signature_counts_where_no_new_one_is_sent() -> None:
    headers, body, _ = case("github-push")
    old = {"X-Hub-Signature": "sha1=" + signature(body, "sha1")}
    secrets = {"webhook.github.secret": SECRET}
    assert webhook.parse({**headers, **old}, body, secrets)
    with pytest.raises(Forbidden):
        webhook.parse({**headers, **old, "X-Hub-Signature-256": "sha256=00"}, body, secrets)


def test_gitea_is_not_let_in_with_githubs_secret_missing() -> None:
    """Gitea sends GitHub's event header as well: its own secret must decide."""
    headers, body, _ = case("gitea-push")
    with pytest.raises(Forbidden):
        webhook.parse(headers, body, {"webhook.gogs.secret": SECRET})


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"null"])
def test_payloads_that_are_none_are_invalid(body: bytes) -> None:
    with pytest.raises(Invalid):
        webhook.parse({"X-GitHub-Event": "push"}, body, {})


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"repository": 5, "ref": []}',
        b'{"repository": {"html_url": {}}}',
        b'{"ref": "refs/heads/main", "repository": {"html_url": "not an address"}}',
    ],
)
def test_payloads_of_the_wrong_shape_say_nothing(body: bytes) -> None:
    assert webhook.parse({"X-GitHub-Event": "push"}, body, {}) == ()


@pytest.mark.parametrize("header", ["X-Gitlab-Event", "X-Event-Key", "X-Hook-UUID", "X-Vss-ActivityId"])
@pytest.mark.parametrize(
    "body",
    [
        {"object_kind": "push", "eventType": "git.push", "refs": 5, "changes": 5, "push": {"changes": 5},
         "resource": {"refUpdates": 5}, "repository": {"links": {"clone": 5}}},
        {"object_kind": "push", "refs": [5], "changes": [5], "push": {"changes": [5]}, "resource": 5, "eventType": "git.push"},
    ],
)  # fmt: skip
def test_lists_of_the_wrong_shape_say_nothing(header: str, body: dict[str, Any]) -> None:
    headers = {header: "repo:refs_changed" if header == "X-Event-Key" else "x"}
    if header == "X-Hook-UUID":
        headers["X-Event-Key"] = "repo:push"
    assert webhook.parse(headers, json.dumps(body).encode(), {}) == ()


def test_unknown_senders_and_oversized_payloads_are_invalid() -> None:
    with pytest.raises(Invalid, match="no known event header"):
        webhook.parse({"Content-Type": "application/json"}, b"{}", {})
    with pytest.raises(Invalid, match="at most"):
        webhook.parse({"X-GitHub-Event": "push"}, b" " * (webhook.MAX_BYTES + 1), {})


def test_a_push_compares_places_whatever_the_protocol() -> None:
    push = Push(("https://Git.Example.com/Team/App",), ())
    assert push.concerns("git@git.example.com:team/app.git")
