"""Azure DevOps: Git REST 7.1. Tokens are personal access tokens."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

from argosy.errors import NotFound, Unavailable
from hub.providers.base import MAX_PAGES, PAGE_SIZE, Client, Question, Repository, field_of, segment

_VERSION = {"api-version": "7.1"}
_NEEDED = ("name", "defaultBranch", "remoteUrl", "id")
"""What a repository must have to be looked at; an empty one has no default branch."""


def base_url(api: str) -> str:
    return (api or "https://dev.azure.com").rstrip("/") + "/"


def headers(question: Question) -> dict[str, str]:
    token = question.secrets.get("tokenRef") or question.secrets.get("accessTokenRef")
    return {"Authorization": "Basic " + base64.b64encode(f":{token}".encode()).decode()} if token else {}


class AzureScm:
    """Git repositories of a team project."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question
        config = question.config
        self._place = (
            f"{segment(config['organization'])}/{segment(config['teamProject'])}/_apis/git/repositories"
        )

    async def repositories(self) -> list[Repository]:
        page = await self._client.get(self._place, **_VERSION)
        listed = [item for item in field_of(page.body, "value") if not item.get("isDisabled")]
        known = [item for item in listed if all(item.get(name) for name in _NEEDED)]
        return [self._repository(item) for item in known]

    def _repository(self, item: dict[str, Any]) -> Repository:
        """Whatever the clone protocol, as Argo CD has it: the address for HTTPS."""
        return Repository(
            organization=self._question.config["organization"],
            repository=item["name"],
            repository_id=item["id"],
            url=item["remoteUrl"],
            branch=item["defaultBranch"].removeprefix("refs/heads/"),
        )

    async def branches(self, repository: Repository) -> list[tuple[str, str]]:
        place = f"{self._place}/{segment(repository.repository)}/stats/branches"
        if not self._question.config.get("allBranches"):
            try:
                page = await self._client.get(place, name=repository.branch, **_VERSION)
            except NotFound:
                return []
            return [(field_of(page.body, "name"), field_of(page.body, "commit", "commitId"))]
        page = await self._client.get(place, **_VERSION)
        return [
            (field_of(item, "name"), field_of(item, "commit", "commitId"))
            for item in field_of(page.body, "value")
        ]

    async def has_path(self, repository: Repository, wanted: str) -> bool:
        query = {"path": wanted, "versionDescriptor.version": repository.branch, **_VERSION}
        return await self._client.has(f"{self._place}/{segment(repository.repository_id)}/items", **query)


class AzurePulls:
    """Active pull requests of a repository that have all labels asked for."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def pull_requests(self) -> list[dict[str, Any]]:
        """Asks for all of the project, as Argo CD does: the repository is known by its name alone."""
        config = self._question.config
        wanted = set(config.get("labels") or ())
        place = f"{segment(config['organization'])}/{segment(config['project'])}/_apis/git/pullrequests"
        found: list[dict[str, Any]] = []
        async for item in self._all(place):
            if (item.get("repository") or {}).get("name") != config["repo"] or not _is_whole(item):
                continue
            pull = _pull(item)
            if wanted <= set(pull["labels"]):
                found.append(pull)
        return found

    async def _all(self, place: str) -> AsyncIterator[dict[str, Any]]:
        for page_number in range(MAX_PAGES):
            skipped = {"$skip": page_number * PAGE_SIZE} if page_number else {}
            page = await self._client.get(place, **{"$top": PAGE_SIZE, **skipped}, **_VERSION)
            listed = field_of(page.body, "value")
            for item in listed:
                yield item
            if len(listed) < PAGE_SIZE:
                return
        raise Unavailable(f"{place}: more than {MAX_PAGES} pages")


def _is_whole(item: dict[str, Any]) -> bool:
    """One that is still being made has no commit yet."""
    commit = item.get("lastMergeSourceCommit") or {}
    return all(item.get(name) for name in ("sourceRefName", "targetRefName")) and bool(commit.get("commitId"))


def _pull(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "number": field_of(item, "pullRequestId"),
        "title": item.get("title") or "",
        "branch": field_of(item, "sourceRefName").removeprefix("refs/heads/"),
        "target_branch": field_of(item, "targetRefName").removeprefix("refs/heads/"),
        "head_sha": field_of(item, "lastMergeSourceCommit", "commitId"),
        "author": ((item.get("createdBy") or {}).get("uniqueName") or "").split("@")[0],
        "labels": [label.get("name", "") for label in item.get("labels") or ()],
    }
