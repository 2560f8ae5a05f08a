"""All hosting services, and the way from a generator's request to its answer."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import aiohttp

from argosy.errors import ArgosyError, Invalid, NotFound
from hub.core.generators.base import ProviderRequest
from hub.core.types import Answer, Complete, Failed
from hub.providers import (
    azure_devops,
    bitbucket_cloud,
    bitbucket_server,
    codecommit,
    filters,
    gitea,
    github,
    gitlab,
    plugin,
)
from hub.providers.base import Cache, Client, Pulls, Question, Scm


class Row(NamedTuple):
    """One hosting service: its address, its credentials, its repositories and its pull requests."""

    base_url: Callable[[str], str]
    headers: Callable[[Question], Mapping[str, str]]
    scm: Callable[[Client, Question], Scm] | None
    pulls: Callable[[Client, Question], Pulls] | None


PROVIDERS: dict[str, Row] = {
    "github": Row(github.base_url, github.headers, github.GithubScm, github.GithubPulls),
    "gitlab": Row(gitlab.base_url, gitlab.headers, gitlab.GitlabScm, gitlab.GitlabPulls),
    "gitea": Row(gitea.base_url, gitea.headers, gitea.GiteaScm, gitea.GiteaPulls),
    "bitbucket": Row(
        bitbucket_cloud.base_url,
        bitbucket_cloud.headers,
        bitbucket_cloud.BitbucketScm,
        bitbucket_cloud.BitbucketPulls,
    ),
    "bitbucketServer": Row(
        bitbucket_server.base_url,
        bitbucket_server.headers,
        bitbucket_server.BitbucketServerScm,
        bitbucket_server.BitbucketServerPulls,
    ),
    "azureDevOps": Row(azure_devops.base_url, azure_devops.headers, azure_devops.AzureScm, None),
    "azuredevops": Row(azure_devops.base_url, azure_devops.headers, None, azure_devops.AzurePulls),
}


async def answer(
    session: aiohttp.ClientSession, request: ProviderRequest, *, seconds: float, cache: Cache | None = None
) -> Answer[Sequence[Mapping[str, Any]]]:
    """Asks one question. Never raises for a provider's fault: that is a `Failed`."""
    deadline = asyncio.get_running_loop().time() + seconds
    question = json.loads(request.spec)
    try:
        if request.kind == "plugin":
            limit = min(deadline, asyncio.get_running_loop().time() + question["timeout"])
            return Complete(await plugin.ask(session, question, dict(request.secrets)["token"], limit))
        return Complete(await _hosted(session, request, question, deadline, cache))
    except NotFound as error:
        if question.get("continueOnRepoNotFoundError"):
            return Complete([])
        return Failed(error.message)
    except ArgosyError as error:
        return Failed(error.message)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        what = question.get("provider") or question.get("url")
        return Failed(f"{what}: the answer is not of the form that was asked for: {error}")


async def _hosted(
    session: aiohttp.ClientSession,
    request: ProviderRequest,
    asked: Mapping[str, Any],
    deadline: float,
    cache: Cache | None,
) -> list[dict[str, Any]]:
    name, config = asked["provider"], asked["config"]
    question = Question(
        config, dict(request.secrets), asked.get("filters") or (), asked.get("cloneProtocol") or ""
    )
    if name == "awsCodeCommit":
        scm: Any = codecommit.CodeCommitScm(session, question, deadline)
        return [dataclasses.asdict(found) for found in await filters.list_branches(scm, question.filters)]
    row = PROVIDERS[name]
    client = _client(session, row, question, row.headers(question), deadline, cache)
    if name == "github" and "githubAppID" in question.secrets:
        headers = await github.app_headers(client, question)
        client = _client(session, row, question, headers, deadline, cache)
    if request.kind == "pullRequest":
        if row.pulls is None:
            raise Invalid(f"{name} is no provider of pull requests")
        return await row.pulls(client, question).pull_requests()
    if row.scm is None:
        raise Invalid(f"{name} is no provider of repositories")
    scm = row.scm(client, question)
    return [dataclasses.asdict(found) for found in await filters.list_branches(scm, question.filters)]


def _client(
    session: aiohttp.ClientSession,
    row: Row,
    question: Question,
    headers: Mapping[str, str],
    deadline: float,
    cache: Cache | None,
) -> Client:
    config = question.config
    return Client(
        session,
        row.base_url(config.get("api", "")),
        deadline=deadline,
        headers=headers,
        insecure=bool(config.get("insecure")),
        ca=question.secrets.get("caRef", ""),
        cache=cache,
    )


async def answer_all(
    requests: Sequence[ProviderRequest], *, seconds: float
) -> dict[ProviderRequest, Answer[Sequence[Mapping[str, Any]]]]:
    """Asks several questions side by side, all within the same seconds."""
    async with aiohttp.ClientSession() as session:
        answers = await asyncio.gather(*(answer(session, request, seconds=seconds) for request in requests))
    return dict(zip(requests, answers, strict=True))
