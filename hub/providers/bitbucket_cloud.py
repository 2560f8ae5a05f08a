"""Bitbucket Cloud: API 2.0. Pages are linked by a `next` address inside the answer."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

from argosy.errors import NotFound, Unavailable
from hub.providers.base import MAX_PAGES, Client, Question, Repository, field_of, path, segment


def base_url(api: str) -> str:
    return (api or "https://api.bitbucket.org/2.0").rstrip("/") + "/"


def headers(question: Question) -> dict[str, str]:
    config, secrets = question.config, question.secrets
    if "bearerToken.tokenRef" in secrets:
        return {"Authorization": f"Bearer {secrets['bearerToken.tokenRef']}"}
    user = config.get("user") or (config.get("basicAuth") or {}).get("username")
    password = secrets.get("appPasswordRef") or secrets.get("basicAuth.passwordRef")
    if not user or password is None:
        return {}
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def _values(client: Client, place: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
    page = await client.get(place, **query)
    for _ in range(MAX_PAGES):
        for item in field_of(page.body, "values"):
            yield item
        following = page.body.get("next")
        if not following:
            return
        page = await client.get(following)
    raise Unavailable(f"{place}: more than {MAX_PAGES} pages")


class BitbucketScm:
    """Repositories of a workspace."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def repositories(self) -> list[Repository]:
        owner = self._question.config["owner"]
        place = f"repositories/{segment(owner)}"
        return [self._repository(item) async for item in _values(self._client, place, role="member")]

    def _repository(self, item: dict[str, Any]) -> Repository:
        protocol = self._question.clone_protocol or "ssh"
        if protocol not in ("ssh", "https"):
            raise Unavailable(f"unknown clone protocol for Bitbucket {protocol}")
        clones = (item.get("links") or {}).get("clone") or ()
        url = next((link.get("href", "") for link in clones if link.get("name") == protocol), "")
        return Repository(
            organization=self._question.config["owner"],
            repository=item.get("slug") or field_of(item, "name"),
            repository_id=item.get("uuid", ""),
            url=url,
            branch=(item.get("mainbranch") or {}).get("name") or "",
        )

    def _of(self, repository: Repository) -> str:
        return f"repositories/{segment(repository.organization)}/{segment(repository.repository)}"

    async def branches(self, repository: Repository) -> list[tuple[str, str]]:
        place = f"{self._of(repository)}/refs/branches"
        if not self._question.config.get("allBranches"):
            try:
                page = await self._client.get(f"{place}/{path(repository.branch)}")
            except NotFound:
                return []
            return [(field_of(page.body, "name"), field_of(page.body, "target", "hash"))]
        return [
            (field_of(item, "name"), field_of(item, "target", "hash"))
            async for item in _values(self._client, place)
        ]

    async def has_path(self, repository: Repository, wanted: str) -> bool:
        place = f"{self._of(repository)}/src/{segment(repository.sha or repository.branch)}/{path(wanted)}"
        return await self._client.has(place, format="meta")


class BitbucketPulls:
    """Open pull requests of a repository."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def pull_requests(self) -> list[dict[str, Any]]:
        config = self._question.config
        place = f"repositories/{segment(config['owner'])}/{segment(config['repo'])}/pullrequests/"
        return [_pull(item) async for item in _values(self._client, place)]


def _pull(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "number": field_of(item, "id"),
        "title": item.get("title") or "",
        "branch": field_of(item, "source", "branch", "name"),
        "target_branch": field_of(item, "destination", "branch", "name"),
        "head_sha": field_of(item, "source", "commit", "hash"),
        "author": (item.get("author") or {}).get("nickname") or "",
        "labels": [],
    }
