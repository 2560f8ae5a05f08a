"""Azure DevOps: Git REST 7.1. Tokens are personal access tokens."""

from __future__ import annotations

import base64
from typing import Any

from argosy.errors import NotFound, Unavailable
from hub.providers.base import Client, Question, Repository, field_of, segment

_VERSION = {"api-version": "7.1"}


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
        return [self._repository(item) for item in listed if item.get("defaultBranch")]

    def _repository(self, item: dict[str, Any]) -> Repository:
        protocol = self._question.clone_protocol
        if protocol not in ("", "ssh", "https"):
            raise Unavailable(f"unknown clone protocol for Azure DevOps {protocol}")
        return Repository(
            organization=self._question.config["organization"],
            repository=field_of(item, "name"),
            repository_id=item.get("id", ""),
            url=item.get("sshUrl" if protocol == "ssh" else "remoteUrl") or "",
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
        try:
            await self._client.get(f"{self._place}/{segment(repository.repository)}/items", **query)
        except NotFound:
            return False
        return True


class AzurePulls:
    """Active pull requests of a repository that have all labels asked for."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def pull_requests(self) -> list[dict[str, Any]]:
        config = self._question.config
        wanted = set(config.get("labels") or ())
        place = f"{segment(config['organization'])}/{segment(config['project'])}/_apis/git/repositories"
        page = await self._client.get(f"{place}/{segment(config['repo'])}/pullrequests", **_VERSION)
        pulls = map(_pull, field_of(page.body, "value"))
        return [pull for pull in pulls if wanted <= set(pull["labels"])]


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
