"""A webhook about a pull request concerns the generators that ask for that repository's, and no others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hub.core import pulls
from hub.core.generators.base import ProviderRequest

CASES: list[tuple[dict[str, str], dict[str, Any], str, dict[str, str]]] = [
    (
        {"X-GitHub-Event": "pull_request"},
        {"action": "opened", "repository": {"full_name": "Team/Shop"}},
        "github",
        {"owner": "team", "repo": "shop"},
    ),
    (
        {"X-Gitea-Event": "pull_request_sync", "X-GitHub-Event": "pull_request"},
        {"repository": {"full_name": "team/shop"}},
        "gitea",
        {"owner": "team", "repo": "shop"},
    ),
    (
        {"X-Gitlab-Event": "Merge Request Hook"},
        {"object_kind": "merge_request", "project": {"id": 42, "path_with_namespace": "team/sub/shop"}},
        "gitlab",
        {"project": "42"},
    ),
    (
        {"X-Gitlab-Event": "Merge Request Hook"},
        {"object_kind": "merge_request", "project": {"id": 42, "path_with_namespace": "team/sub/shop"}},
        "gitlab",
        {"project": "team/sub/shop"},
    ),
    (
        {"X-Event-Key": "pullrequest:created", "X-Hook-UUID": "1"},
        {"repository": {"full_name": "team/shop"}},
        "bitbucket",
        {"owner": "team", "repo": "shop"},
    ),
    (
        {"X-Event-Key": "pr:opened"},
        {"pullRequest": {"toRef": {"repository": {"slug": "shop", "project": {"key": "TEAM"}}}}},
        "bitbucketServer",
        {"project": "TEAM", "repo": "shop"},
    ),
    (
        {"X-VSS-ActivityId": "1"},
        {
            "eventType": "git.pullrequest.updated",
            "resource": {"repository": {"name": "shop", "project": {"name": "team"}}},
        },
        "azuredevops",
        {"organization": "o", "project": "team", "repo": "shop"},
    ),
]


def request(provider: str, config: dict[str, str], kind: str = "pullRequest") -> ProviderRequest:
    return ProviderRequest(kind, json.dumps({"provider": provider, "config": config}))


@pytest.mark.parametrize(("headers", "payload", "provider", "config"), CASES)
def test_a_pull_request_concerns_its_own_repository(
    headers: dict[str, str], payload: dict[str, Any], provider: str, config: dict[str, str]
) -> None:
    names = pulls.named(headers, json.dumps(payload).encode())
    assert pulls.concerns(names, request(provider, config))
    assert not pulls.concerns(names, request(provider, {**config, "repo": "other", "project": "other"}))
    assert not pulls.concerns(names, request(provider, config, kind="scmProvider"))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"repository": 1}', b'{"object_kind": "merge_request", "project": []}']
)
def test_other_deliveries_concern_nobody(body: bytes) -> None:
    assert pulls.named({"X-GitHub-Event": "pull_request"}, body) == frozenset()
    assert pulls.named({"X-GitHub-Event": "push"}, b'{"repository": {"full_name": "a/b"}}') == frozenset()
