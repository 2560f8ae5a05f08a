"""Hosting services and plugins, against local servers that page, limit and fail as the real ones do."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from hub.core.generators.base import ProviderRequest
from hub.core.types import Complete, Failed
from hub.providers import github, table
from hub.providers.base import Cache

Handler = Callable[[web.Request], Awaitable[web.Response]]


@asynccontextmanager
async def serving(handler: Handler) -> AsyncIterator[str]:
    server = web.Server(handler)
    runner = web.ServerRunner(server, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def ask(
    handler: Handler,
    kind: str,
    question: dict[str, Any],
    seconds: float = 60,
    cache: Cache | None = None,
    **secrets: str,
) -> Any:
    async with serving(handler) as address, aiohttp.ClientSession() as session:
        spec = json.dumps(question).replace("HERE", address)
        request = ProviderRequest(kind, spec, tuple(secrets.items()))
        return await table.answer(session, request, seconds=seconds, cache=cache)


def pulls(**config: Any) -> dict[str, Any]:
    return {"provider": "github", "config": {"owner": "o", "repo": "r", "api": "HERE/", **config}}


def pull(number: int, *labels: str) -> dict[str, Any]:
    return {
        "number": number,
        "title": f"T{number}",
        "head": {"ref": f"b{number}", "sha": "0" * 40},
        "base": {"ref": "main"},
        "user": {"login": "ann"},
        "labels": [{"name": label} for label in labels],
    }


def answering(*bodies: Any, status: int = 200, headers: dict[str, str] | None = None) -> Handler:
    """Answers in turn, the last one for ever."""
    left = list(bodies)

    async def handler(_: web.Request) -> web.Response:
        body = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(body, str):
            return web.Response(text=body, status=status, headers=headers, content_type="text/html")
        return web.json_response(body, status=status, headers=headers)

    return handler


async def test_github_pages_are_followed_and_labels_filtered() -> None:
    seen = []

    async def handler(request: web.Request) -> web.Response:
        page = int(request.query.get("page", "1"))
        seen.append((request.path, page, request.headers.get("Authorization")))
        link = f'<{request.url.with_query(page=page + 1)}>; rel="next", <x>; rel="last"' if page < 3 else ""
        return web.json_response([pull(page, "ui", "x"), pull(page + 10)], headers={"Link": link})

    found = await ask(handler, "pullRequest", pulls(labels=["ui"]), tokenRef="tok")
    assert [item["number"] for item in found.value] == [1, 2, 3]
    assert seen == [("/api/v3/repos/o/r/pulls", page, "Bearer tok") for page in (1, 2, 3)]


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (answering(""), "expected JSON, found an empty body"),
        (answering("<html>maintenance</html>"), "expected JSON, found text/html"),
        (answering('[{"number": 1,'), "expected JSON"),
        (answering({"message": "ok"}), "expected a list"),
        (answering({"errors": [{"message": "quota"}]}), "quota"),
        (answering({"message": "Bad credentials"}, status=401), "401"),
        (answering({"message": "oops"}, status=500), "500"),
        (answering([{"number": 1}]), "the answer has no head.ref"),
        (answering({"message": "Not Found"}, status=404), "404"),
        (answering({"message": "slow down"}, status=429, headers={"Retry-After": "60"}), "rate limited"),
        (answering({}, status=403, headers={"X-RateLimit-Remaining": "0"}), "rate limited"),
    ],
)
async def test_nonsense_is_a_failure_and_never_nothing(handler: Handler, words: str) -> None:
    found = await ask(handler, "pullRequest", pulls())
    assert isinstance(found, Failed)
    assert words in found.reason


async def test_a_missing_repository_is_empty_only_when_asked_for() -> None:
    question = {**pulls(), "continueOnRepoNotFoundError": True}
    assert await ask(answering({}, status=404), "pullRequest", question) == Complete([])


async def test_a_rate_limit_is_waited_for_when_there_is_time() -> None:
    asked = []

    async def handler(_: web.Request) -> web.Response:
        asked.append(time.monotonic())
        if len(asked) == 1:
            return web.json_response({}, status=429, headers={"Retry-After": "1"})
        return web.json_response([pull(1)])

    found = await ask(handler, "pullRequest", pulls())
    assert len(found.value) == 1
    assert asked[1] - asked[0] >= 1


async def test_silence_ends_within_the_time_given() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.json_response([])

    began = time.monotonic()
    found = await ask(handler, "pullRequest", pulls(), seconds=0.3)
    assert isinstance(found, Failed)
    assert "no answer in time" in found.reason
    assert time.monotonic() - began < 20


async def test_an_unchanged_page_costs_no_second_body() -> None:
    statuses = []

    async def handler(request: web.Request) -> web.Response:
        fresh = request.headers.get("If-None-Match") != '"v1"'
        statuses.append(200 if fresh else 304)
        if not fresh:
            return web.Response(status=304)
        return web.json_response([pull(1)], headers={"ETag": '"v1"'})

    cache = Cache()
    async with serving(handler) as address, aiohttp.ClientSession() as session:
        request = ProviderRequest("pullRequest", json.dumps(pulls()).replace("HERE", address))
        first = await table.answer(session, request, seconds=60, cache=cache)
        second = await table.answer(session, request, seconds=60, cache=cache)
    assert first == second
    assert statuses == [200, 304]


def routes(answers: dict[str, Any], seen: list[str] | None = None) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        path = request.rel_url.raw_path
        if seen is not None:
            seen.append(path)
        if path not in answers:
            return web.json_response({"message": "Not Found"}, status=404)
        return web.json_response(answers[path])

    return handler


def scm(provider: str, config: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"provider": provider, "config": {"api": "HERE", **config}, **more}


REPOS = [
    {
        "id": index,
        "name": name,
        "owner": {"login": "acme"},
        "default_branch": "main",
        "ssh_url": f"git@h:acme/{name}.git",
        "clone_url": f"https://h/acme/{name}.git",
        "topics": topics,
    }
    for index, (name, topics) in enumerate([("web", ["team-a"]), ("api", ["team-b"]), ("docs", [])])
]
BRANCH = {"name": "main", "commit": {"sha": "a" * 40, "id": "b" * 40}}
GITHUB = {
    "/api/v3/orgs/acme/repos": REPOS,
    "/api/v3/repos/acme/web/branches/main": BRANCH,
    "/api/v3/repos/acme/api/branches/main": BRANCH,
    "/api/v3/repos/acme/web/contents/deploy": [{}],
    "/api/v3/repos/acme/web/branches": [BRANCH, {"name": "dev", "commit": {"sha": "c" * 40}}],
}


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([], ["web", "api"]),
        ([{"repositoryMatch": "^w"}], ["web"]),
        ([{"labelMatch": "team-[ab]"}], ["web", "api"]),
        ([{"repositoryMatch": "^w", "labelMatch": "team-b"}], []),
        ([{"repositoryMatch": "^w"}, {"labelMatch": "team-b"}], ["web", "api"]),
        ([{"pathsExist": ["deploy/"]}], ["web"]),
        ([{"pathsDoNotExist": ["deploy"]}], ["api"]),
        ([{"repositoryMatch": "api"}, {"pathsExist": ["deploy"]}], []),
        ([{"branchMatch": "dev"}], []),
    ],
)
async def test_github_repositories_pass_the_filters(filters: list[Any], found: list[str]) -> None:
    question = scm("github", {"organization": "acme"}, filters=filters)
    answer = await ask(routes(GITHUB), "scmProvider", question)
    assert [item["repository"] for item in answer.value] == found


async def test_all_branches_and_https_clone_addresses() -> None:
    question = scm(
        "github",
        {"organization": "acme", "allBranches": True},
        filters=[{"repositoryMatch": "web"}],
        cloneProtocol="https",
    )
    answer = await ask(routes(GITHUB), "scmProvider", question)
    assert [(item["branch"], item["sha"][0], item["url"]) for item in answer.value] == [
        ("main", "a", "https://h/acme/web.git"),
        ("dev", "c", "https://h/acme/web.git"),
    ]


async def test_a_filter_that_cannot_be_compiled_is_a_failure() -> None:
    question = scm("github", {"organization": "acme"}, filters=[{"repositoryMatch": "("}])
    answer = await ask(routes(GITHUB), "scmProvider", question)
    assert isinstance(answer, Failed)
    assert "error compiling filter" in answer.reason


async def test_gitlab_projects_and_merge_requests() -> None:
    seen: list[str] = []
    project = {
        "id": 42,
        "path": "web",
        "namespace": {"full_path": "acme/team"},
        "default_branch": "main",
        "ssh_url_to_repo": "git@h:x.git",
        "topics": ["t"],
    }
    mr = {
        "iid": 3,
        "title": "T",
        "source_branch": "f",
        "target_branch": "main",
        "sha": "d" * 40,
        "author": {"username": "bob"},
        "labels": ["l"],
    }
    answers = {
        "/api/v4/groups/acme%2Fteam/projects": [project],
        "/api/v4/projects/42/repository/branches/main": BRANCH,
        "/api/v4/projects/42/repository/files/deploy%2Fx%2Eyaml": {"file_path": "deploy/x.yaml"},
        "/api/v4/projects/acme%2Fmy%2Eweb/merge_requests": [mr],
    }
    question = scm("gitlab", {"group": "acme/team"}, filters=[{"pathsExist": ["deploy/x.yaml"]}])
    found = await ask(routes(answers, seen), "scmProvider", question)
    assert [(item["organization"], item["repository_id"], item["sha"][0]) for item in found.value] == [
        ("acme/team", 42, "b")
    ]
    found = await ask(routes(answers, seen), "pullRequest", scm("gitlab", {"project": "acme/my.web"}))
    assert [(item["number"], item["author"], item["labels"]) for item in found.value] == [(3, "bob", ["l"])]


async def test_gitea_repositories_and_pulls() -> None:
    repo = {"id": 1, "name": "web", "default_branch": "main", "ssh_url": "s", "html_url": "https://g/web"}
    answers = {
        "/api/v1/orgs/acme/repos": [repo],
        "/api/v1/repos/acme/web/labels": [{"name": "l1"}],
        "/api/v1/repos/acme/web/branches/main": BRANCH,
        "/api/v1/repos/acme/web/pulls": [pull(4, "ui")],
    }
    found = await ask(routes(answers), "scmProvider", scm("gitea", {"owner": "acme"}, cloneProtocol="https"))
    assert [(item["url"], item["labels"], item["sha"][0]) for item in found.value] == [
        ("https://g/web", ("l1",), "b")
    ]
    found = await ask(routes(answers), "pullRequest", scm("gitea", {"owner": "acme", "repo": "web"}))
    assert [item["number"] for item in found.value] == [4]


async def test_bitbucket_cloud_follows_next_addresses() -> None:
    value = {
        "id": 1,
        "title": "T",
        "source": {"branch": {"name": "f"}, "commit": {"hash": "abc"}},
        "destination": {"branch": {"name": "main"}},
        "author": {"nickname": "ann"},
    }

    async def handler(request: web.Request) -> web.Response:
        if request.query.get("page") == "2":
            return web.json_response({"values": [{**value, "id": 2}]})
        return web.json_response({"values": [value], "next": str(request.url.with_query(page="2"))})

    question = scm("bitbucket", {"owner": "acme", "repo": "web"})
    found = await ask(handler, "pullRequest", question)
    assert [(item["number"], item["head_sha"]) for item in found.value] == [(1, "abc"), (2, "abc")]


async def test_bitbucket_server_pages_by_start() -> None:
    value = {
        "id": 1,
        "title": "T",
        "fromRef": {"displayId": "f", "latestCommit": "abc"},
        "toRef": {"displayId": "main"},
        "author": {"user": {"name": "ann"}},
    }

    async def handler(request: web.Request) -> web.Response:
        assert request.path == "/rest/api/1.0/projects/P/repos/r/pull-requests"
        assert request.headers["Authorization"] == "Basic dTpzM2NyZXQ="
        if request.query.get("start") == "25":
            return web.json_response({"values": [{**value, "id": 2}], "isLastPage": True})
        return web.json_response({"values": [value], "isLastPage": False, "nextPageStart": 25})

    question = scm("bitbucketServer", {"project": "P", "repo": "r", "basicAuth": {"username": "u"}})
    found = await ask(handler, "pullRequest", question, **{"basicAuth.passwordRef": "s3cret"})
    assert [item["number"] for item in found.value] == [1, 2]


async def test_azure_devops_pulls() -> None:
    value = {
        "pullRequestId": 5,
        "title": "T",
        "sourceRefName": "refs/heads/f/x",
        "targetRefName": "refs/heads/main",
        "lastMergeSourceCommit": {"commitId": "abc"},
        "labels": [{"name": "ui"}],
        "createdBy": {"uniqueName": "ann@example.com"},
        "repository": {"name": "r"},
    }
    others = [{**value, "repository": {"name": "q"}}, {**value, "lastMergeSourceCommit": None}]
    answers = {"/org/proj/_apis/git/pullrequests": {"value": [value, *others]}}
    question = scm("azuredevops", {"organization": "org", "project": "proj", "repo": "r", "labels": ["ui"]})
    found = await ask(routes(answers), "pullRequest", question)
    assert [(item["branch"], item["author"]) for item in found.value] == [("f/x", "ann")]


def plugin(**more: Any) -> dict[str, Any]:
    return {
        "url": "HERE",
        "timeout": 5,
        "body": {"applicationSetName": "s", "input": {"parameters": {}}},
        **more,
    }


async def test_a_plugin_is_told_the_set_and_its_input() -> None:
    async def handler(request: web.Request) -> web.Response:
        assert (request.method, request.path) == ("POST", "/api/v1/getparams.execute")
        assert request.headers["Authorization"] == "Bearer t0k"
        assert (await request.json())["applicationSetName"] == "s"
        return web.json_response({"output": {"parameters": [{"a": 1}]}})

    assert await ask(handler, "plugin", plugin(), token="t0k") == Complete([{"a": 1}])


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"error": "x"},
        {"output": []},
        {"output": {"parameters": {"a": 1}}},
        {"output": {"parameters": [1]}},
        "<html>",
    ],
)
async def test_a_plugin_that_answers_something_else_is_a_failure(body: Any) -> None:
    assert isinstance(await ask(answering(body), "plugin", plugin(), token=""), Failed)


async def test_a_plugins_own_timeout_counts() -> None:
    async def handler(_: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.json_response({})

    found = await ask(handler, "plugin", plugin(timeout=0), seconds=20, token="")
    assert isinstance(found, Failed)


@pytest.mark.parametrize(
    ("api", "base"),
    [
        ("", "https://api.github.com/"),
        ("https://ghe.example.com", "https://ghe.example.com/api/v3/"),
        ("https://ghe.example.com/api/v3/", "https://ghe.example.com/api/v3/"),
        ("https://api.example.com/", "https://api.example.com/"),
    ],
)
def test_github_addresses(api: str, base: str) -> None:
    assert github.base_url(api) == base
