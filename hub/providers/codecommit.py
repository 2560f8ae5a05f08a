"""AWS CodeCommit: JSON 1.1 with signature version 4. Credentials come from the usual AWS environment
variables.
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import os
from typing import Any

import aiohttp

from argosy.errors import NotFound, Unavailable
from argosy.objects import canonical
from hub.providers.base import Client, Question, Repository, field_of

_GONE = ("DoesNotExistException",)


class CodeCommitScm:
    """Repositories of an account and region, found by tags where tag filters are given."""

    def __init__(self, session: aiohttp.ClientSession, question: Question, deadline: float) -> None:
        if question.config.get("role"):
            raise Unavailable("awsCodeCommit.role is not supported: give the hub credentials of that role")
        self._session, self._question, self._deadline = session, question, deadline
        self._region = question.config.get("region") or os.environ.get("AWS_REGION") or ""
        if not self._region:
            raise Unavailable("awsCodeCommit.region is not set, and neither is AWS_REGION")

    async def _call(self, service: str, target: str, body: dict[str, Any]) -> Any:
        host = f"{service}.{self._region}.amazonaws.com"
        base = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or f"https://{host}"
        payload = canonical(body)
        headers = signed_headers(
            service, self._region, host, target, payload, datetime.datetime.now(datetime.UTC)
        )
        client = Client(self._session, base.rstrip("/") + "/", deadline=self._deadline)
        try:
            return (await client.ask("POST", "", body=payload, headers=headers)).body
        except Unavailable as error:
            if any(word in error.message for word in _GONE):
                raise NotFound(error.message) from None
            raise

    async def _codecommit(self, action: str, **body: Any) -> Any:
        return await self._call("codecommit", f"CodeCommit_20150413.{action}", body)

    async def _names(self) -> list[str]:
        tags = self._question.config.get("tagFilters") or ()
        names: list[str] = []
        token = None
        while True:
            if tags:
                wanted = [
                    {"Key": tag["key"], "Values": [tag["value"]] if tag.get("value") else []} for tag in tags
                ]
                body = {
                    "ResourceTypeFilters": ["codecommit"],
                    "TagFilters": wanted,
                    "PaginationToken": token or "",
                }
                page = await self._call("tagging", "ResourceGroupsTaggingAPI_20170126.GetResources", body)
                listed = field_of(page, "ResourceTagMappingList")
                names += [item["ResourceARN"].rpartition(":")[2] for item in listed]
                token = page.get("PaginationToken")
            else:
                page = await self._codecommit("ListRepositories", **({"nextToken": token} if token else {}))
                names += [field_of(item, "repositoryName") for item in field_of(page, "repositories")]
                token = page.get("nextToken")
            if not token:
                return names

    async def repositories(self) -> list[Repository]:
        protocol = self._question.clone_protocol or "https"
        keys = {"https": "cloneUrlHttp", "ssh": "cloneUrlSsh"}
        if protocol not in (*keys, "https-fips"):
            raise Unavailable(f"invalid clone protocol for codecommit {protocol}")
        found = []
        for name in await self._names():
            page = await self._codecommit("GetRepository", repositoryName=name)
            data = field_of(page, "repositoryMetadata")
            url = data.get(keys.get(protocol, "cloneUrlHttp")) or ""
            found.append(
                Repository(
                    organization=data.get("accountId") or "",
                    repository=name,
                    repository_id=data.get("repositoryId") or "",
                    url=url.replace("git-codecommit.", "git-codecommit-fips.")
                    if protocol == "https-fips"
                    else url,
                    branch=data.get("defaultBranch") or "",
                )
            )
        return [repository for repository in found if repository.branch]

    async def branches(self, repository: Repository) -> list[tuple[str, str]]:
        names = [repository.branch]
        if self._question.config.get("allBranches"):
            names = await self._branch_names(repository.repository)
        found = []
        for name in names:
            page = await self._codecommit("GetBranch", repositoryName=repository.repository, branchName=name)
            found.append((name, field_of(page, "branch", "commitId")))
        return found

    async def _branch_names(self, repository: str) -> list[str]:
        names: list[str] = []
        token: dict[str, str] = {}
        while True:
            page = await self._codecommit("ListBranches", repositoryName=repository, **token)
            names += field_of(page, "branches")
            if not page.get("nextToken"):
                return names
            token = {"nextToken": page["nextToken"]}

    async def has_path(self, repository: Repository, wanted: str) -> bool:
        folder, _, name = ("/" + wanted.strip("/")).rpartition("/")
        try:
            page = await self._codecommit(
                "GetFolder",
                repositoryName=repository.repository,
                commitSpecifier=repository.branch,
                folderPath=folder or "/",
            )
        except NotFound:
            return False
        kinds = ("files", "subFolders", "symbolicLinks", "subModules")
        return any(item.get("relativePath") == name for kind in kinds for item in page.get(kind) or ())


def signed_headers(
    service: str, region: str, host: str, target: str, payload: bytes, now: datetime.datetime
) -> dict[str, str]:
    """AWS signature version 4 of a JSON call. Raises `Unavailable` without credentials."""
    key, secret = os.environ.get("AWS_ACCESS_KEY_ID"), os.environ.get("AWS_SECRET_ACCESS_KEY")
    if not key or not secret:
        raise Unavailable("no AWS credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "host": host,
        "x-amz-date": stamp,
        "x-amz-target": target,
    }
    if os.environ.get("AWS_SESSION_TOKEN"):
        headers["x-amz-security-token"] = os.environ["AWS_SESSION_TOKEN"]
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = f"POST\n/\n\n{lines}\n{names}\n{hashlib.sha256(payload).hexdigest()}"
    scope = f"{day}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    signing = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()
    credential = f"AWS4-HMAC-SHA256 Credential={key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return {**headers, "authorization": credential}
