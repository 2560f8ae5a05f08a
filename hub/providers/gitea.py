"""Gitea and Forgejo: REST v1."""

from __future__ import annotations

from typing import Any

from argosy.errors import NotFound, Unavailable
from hub.providers.base import Client, Question, Repository, field_of, path, segment


def base_url(api: str) -> str:
    return api.rstrip("/") + "/api/v1/"


def headers(question: Question) -> dict[str, str]:
    token = question.secrets.get("tokenRef", "")
    return {"Authorization": f"token {token}"} if token else {}


class GiteaScm:
    """Repositories of an organization."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def repositories(self) -> list[Repository]:
        config = self._question.config
        found = []
        async for page in self._client.linked_pages(f"orgs/{segment(config['owner'])}/repos"):
            for item in page:
                if config.get("excludeArchivedRepos") and item.get("archived"):
                    continue
                found.append(await self._repository(item))
        return found

    async def _repository(self, item: dict[str, Any]) -> Repository:
        protocol, owner = self._question.clone_protocol, self._question.config["owner"]
        if protocol not in ("", "ssh", "https"):
            raise Unavailable(f"unknown clone protocol {protocol}")
        labels = await self._client.get(f"repos/{segment(owner)}/{segment(field_of(item, 'name'))}/labels")
        return Repository(
            organization=owner,
            repository=item["name"],
            repository_id=item.get("id", 0),
            url=item.get("html_url" if protocol == "https" else "ssh_url") or "",
            branch=item.get("default_branch") or "",
            labels=tuple(label.get("name", "") for label in labels.body or ()),
        )

    def _of(self, repository: Repository) -> str:
        return f"repos/{segment(repository.organization)}/{segment(repository.repository)}"

    async def branches(self, repository: Repository) -> list[tuple[str, str]]:
        if not self._question.config.get("allBranches"):
            try:
                page = await self._client.get(f"{self._of(repository)}/branches/{path(repository.branch)}")
            except NotFound as error:
                raise Unavailable(f"default branch {repository.branch!r}: {error.message}") from None
            return [(repository.branch, field_of(page.body, "commit", "id"))]
        found = []
        async for items in self._client.linked_pages(f"{self._of(repository)}/branches"):
            found += [(field_of(item, "name"), field_of(item, "commit", "id")) for item in items]
        return found

    async def has_path(self, repository: Repository, wanted: str) -> bool:
        return await self._client.has(
            f"{self._of(repository)}/contents/{path(wanted)}", ref=repository.branch
        )


class GiteaPulls:
    """Open pull requests of a repository that have all labels asked for."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def pull_requests(self) -> list[dict[str, Any]]:
        config = self._question.config
        wanted = set(config.get("labels") or ())
        found = []
        place = f"repos/{segment(config['owner'])}/{segment(config['repo'])}/pulls"
        async for page in self._client.linked_pages(place, state="open"):
            found += [pull for pull in map(_pull, page) if wanted <= set(pull["labels"])]
        return found


def _pull(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "number": field_of(item, "number"),
        "title": item.get("title") or "",
        "branch": field_of(item, "head", "ref"),
        "target_branch": field_of(item, "base", "ref"),
        "head_sha": field_of(item, "head", "sha"),
        "author": (item.get("user") or {}).get("login") or "",
        "labels": [label.get("name", "") for label in item.get("labels") or ()],
    }
