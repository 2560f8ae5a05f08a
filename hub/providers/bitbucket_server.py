"""Bitbucket Server and Data Center: REST 1.0. Pages tell where the next one starts."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

from argosy.errors import NotFound, Unavailable
from hub.providers.base import MAX_PAGES, PAGE_SIZE, Client, Question, Repository, field_of, path, segment


def base_url(api: str) -> str:
    base = api.rstrip("/")
    return (base if base.endswith("/rest") else base + "/rest") + "/api/1.0/"


def headers(question: Question) -> dict[str, str]:
    secrets = question.secrets
    if "bearerToken.tokenRef" in secrets:
        return {"Authorization": f"Bearer {secrets['bearerToken.tokenRef']}"}
    user = (question.config.get("basicAuth") or {}).get("username")
    if not user:
        return {}
    pair = f"{user}:{secrets.get('basicAuth.passwordRef', '')}"
    return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


async def _values(client: Client, place: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
    start: int | None = None
    for _ in range(MAX_PAGES):
        page = await client.get(place, limit=PAGE_SIZE, start=start, **query)
        for item in field_of(page.body, "values"):
            yield item
        if page.body.get("isLastPage", True):
            return
        start = field_of(page.body, "nextPageStart")
    raise Unavailable(f"{place}: more than {MAX_PAGES} pages")


class BitbucketServerScm:
    """Repositories of a project."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def repositories(self) -> list[Repository]:
        project = self._question.config["project"]
        found = []
        async for item in _values(self._client, f"projects/{segment(project)}/repos"):
            name = field_of(item, "slug")
            try:
                default = await self._client.get(
                    f"projects/{segment(project)}/repos/{segment(name)}/branches/default"
                )
            except NotFound:
                continue
            if default.body is not None:
                found.append(self._repository(item, field_of(default.body, "displayId")))
        return found

    def _repository(self, item: dict[str, Any], branch: str) -> Repository:
        protocol = self._question.clone_protocol or "ssh"
        if protocol not in ("ssh", "https"):
            raise Unavailable(f"unknown clone protocol for Bitbucket Server {protocol}")
        wanted = "http" if protocol == "https" else "ssh"
        clones = (item.get("links") or {}).get("clone") or ()
        return Repository(
            organization=field_of(item, "project", "key"),
            repository=item.get("name") or item["slug"],
            repository_id=item.get("id", 0),
            url=next((link.get("href", "") for link in clones if link.get("name") == wanted), ""),
            branch=branch,
        )

    def _of(self, repository: Repository) -> str:
        return f"projects/{segment(repository.organization)}/repos/{segment(repository.repository)}"

    async def branches(self, repository: Repository) -> list[tuple[str, str]]:
        place = f"{self._of(repository)}/branches"
        if not self._question.config.get("allBranches"):
            page = await self._client.get(f"{place}/default")
            if page.body is None:
                return []
            return [(field_of(page.body, "displayId"), field_of(page.body, "latestCommit"))]
        return [
            (field_of(item, "displayId"), field_of(item, "latestCommit"))
            async for item in _values(self._client, place)
        ]

    async def has_path(self, repository: Repository, wanted: str) -> bool:
        return await self._client.has(
            f"{self._of(repository)}/browse/{path(wanted)}", at=repository.branch, limit=PAGE_SIZE
        )


class BitbucketServerPulls:
    """Open pull requests of a repository."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def pull_requests(self) -> list[dict[str, Any]]:
        config = self._question.config
        place = f"projects/{segment(config['project'])}/repos/{segment(config['repo'])}/pull-requests"
        return [_pull(item) async for item in _values(self._client, place)]


def _pull(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "number": field_of(item, "id"),
        "title": item.get("title") or "",
        "branch": field_of(item, "fromRef", "displayId"),
        "target_branch": field_of(item, "toRef", "displayId"),
        "head_sha": field_of(item, "fromRef", "latestCommit"),
        "author": ((item.get("author") or {}).get("user") or {}).get("name") or "",
        "labels": [],
    }
