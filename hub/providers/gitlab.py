"""GitLab: REST v4."""

from __future__ import annotations

from typing import Any

from argosy.errors import NotFound, Unavailable
from hub.providers import base
from hub.providers.base import Client, Question, Repository, field_of


def base_url(api: str) -> str:
    root = (api or "https://gitlab.com").rstrip("/") + "/"
    return root if root.endswith("/api/v4/") else root + "api/v4/"


def headers(question: Question) -> dict[str, str]:
    token = question.secrets.get("tokenRef", "")
    return {"PRIVATE-TOKEN": token} if token else {}


def segment(text: str) -> str:
    """GitLab takes `group/project` as one segment, and dots only escaped."""
    return base.segment(text).replace(".", "%2E")


class GitlabScm:
    """Projects of a group."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def repositories(self) -> list[Repository]:
        config = self._question.config
        query: dict[str, Any] = {
            "include_subgroups": bool(config.get("includeSubgroups")),
            "with_shared": config.get("includeSharedProjects", True),
            "topic": config.get("topic") or "",
        }
        if not config.get("includeArchivedRepos"):
            query["archived"] = False
        found = []
        async for page in self._client.linked_pages(f"groups/{segment(config['group'])}/projects", **query):
            found += [self._repository(item) for item in page]
        return found

    def _repository(self, item: dict[str, Any]) -> Repository:
        protocol = self._question.clone_protocol
        if protocol not in ("", "ssh", "https"):
            raise Unavailable(f"unknown clone protocol for Gitlab {protocol}")
        return Repository(
            organization=field_of(item, "namespace", "full_path"),
            repository=field_of(item, "path"),
            repository_id=item.get("id", 0),
            url=item.get("http_url_to_repo" if protocol == "https" else "ssh_url_to_repo") or "",
            branch=item.get("default_branch") or "",
            labels=tuple(item.get("topics") or item.get("tag_list") or ()),
        )

    async def branches(self, repository: Repository) -> list[tuple[str, str]]:
        place = f"projects/{repository.repository_id}/repository/branches"
        if not self._question.config.get("allBranches"):
            try:
                page = await self._client.get(f"{place}/{segment(repository.branch)}")
            except NotFound:
                return []
            return [(field_of(page.body, "name"), field_of(page.body, "commit", "id"))]
        found = []
        async for items in self._client.linked_pages(place):
            found += [(field_of(item, "name"), field_of(item, "commit", "id")) for item in items]
        return found

    async def has_path(self, repository: Repository, wanted: str) -> bool:
        """A file, or a folder that can be listed."""
        place = f"projects/{repository.repository_id}/repository"
        ref = repository.branch
        if await self._client.has(f"{place}/files/{segment(wanted)}", ref=ref):
            return True
        return await self._client.has(f"{place}/tree", path=wanted, ref=ref)


class GitlabPulls:
    """Merge requests of a project; labels and state are the server's filters."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def pull_requests(self) -> list[dict[str, Any]]:
        config = self._question.config
        query = {
            "state": config.get("pullRequestState") or None,
            "labels": ",".join(config.get("labels") or ()) or None,
        }
        found = []
        place = f"projects/{segment(config['project'])}/merge_requests"
        async for page in self._client.linked_pages(place, **query):
            found += [_pull(item) for item in page]
        return found


def _pull(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "number": field_of(item, "iid"),
        "title": item.get("title") or "",
        "branch": field_of(item, "source_branch"),
        "target_branch": field_of(item, "target_branch"),
        "head_sha": field_of(item, "sha"),
        "author": (item.get("author") or {}).get("username") or "",
        "labels": list(item.get("labels") or ()),
    }
