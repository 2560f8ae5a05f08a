"""What a webhook about a pull request says: which repository's requests changed, as `pullRequest` generators name it.

Like a push it only asks to look again; its signature was checked where the delivery was read as a push.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hub.core.generators.base import ProviderRequest

_FIELDS = {
    "github": ("owner", "repo"),
    "gitea": ("owner", "repo"),
    "gitlab": ("project",),
    "bitbucket": ("owner", "repo"),
    "bitbucketServer": ("project", "repo"),
    "azuredevops": ("project", "repo"),
}
"""The fields of a generator that name its repository, joined with `/`."""


def named(headers: Mapping[str, str], body: bytes) -> frozenset[str]:
    """The names of the repository whose pull requests changed, lower-case; none for any other event."""
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        return frozenset()
    if not isinstance(payload, dict):
        return frozenset()
    given = {name.lower(): value for name, value in headers.items()}
    return frozenset(name.lower() for name in _names(given, payload) if name)


def concerns(names: frozenset[str], request: ProviderRequest) -> bool:
    """True where a generator asks for the pull requests of a repository of one of these names."""
    if request.kind != "pullRequest" or not names:
        return False
    question = json.loads(request.spec)
    fields = _FIELDS.get(question["provider"], ())
    parts = [str(question["config"].get(field) or "") for field in fields]
    return all(parts) and "/".join(parts).lower() in names


def _names(headers: Mapping[str, str], payload: Mapping[str, Any]) -> tuple[str, ...]:
    event = headers.get("x-gitea-event") or headers.get("x-gogs-event") or headers.get("x-github-event") or ""
    key = headers.get("x-event-key", "")
    if event.startswith("pull_request") or key.startswith("pullrequest:"):
        return (_text(payload, "repository", "full_name"),)
    if payload.get("object_kind") == "merge_request":
        number = _at(payload, "project", "id")
        return _text(payload, "project", "path_with_namespace"), str(number) if number is not None else ""
    if key.startswith("pr:"):
        target = _at(payload, "pullRequest", "toRef", "repository")
        return (_joined(_text(target, "project", "key"), _text(target, "slug")),)
    if str(payload.get("eventType") or "").startswith("git.pullrequest."):
        target = _at(payload, "resource", "repository")
        return (_joined(_text(target, "project", "name"), _text(target, "name")),)
    return ()


def _joined(project: str, name: str) -> str:
    return f"{project}/{name}" if project and name else ""


def _at(value: Any, *path: str) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _text(value: Any, *path: str) -> str:
    found = _at(value, *path)
    return found if isinstance(found, str) else ""
