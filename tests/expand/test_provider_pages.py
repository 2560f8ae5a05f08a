"""Answers in many pages or of many bytes, and the two providers that sign their questions."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from hub.core.types import Failed
from hub.providers import codecommit
from hub.providers.base import PAGE_SIZE
from tests.expand.test_providers import BRANCH, Handler, answering, ask, pull, pulls, scm, serving


async def test_an_answer_of_megabytes_is_read_to_its_end() -> None:
    many = [{**pull(number), "body": "x" * 1000} for number in range(3000)]
    found = await ask(answering(many), "pullRequest", pulls())
    assert len(found.value) == 3000


def azure_pull(number: int) -> dict[str, Any]:
    return {
        "pullRequestId": number,
        "title": "T",
        "sourceRefName": "refs/heads/f",
        "targetRefName": "refs/heads/main",
        "lastMergeSourceCommit": {"commitId": "abc"},
        "createdBy": {"uniqueName": "ann@example.com"},
        "repository": {"name": "r"},
    }


async def test_azure_devops_pages_by_skipping() -> None:
    asked = []

    async def handler(request: web.Request) -> web.Response:
        skipped = int(request.query.get("$skip", "0"))
        asked.append(skipped)
        left = range(skipped, min(skipped + int(request.query["$top"]), 2 * PAGE_SIZE + 1))
        return web.json_response({"value": [azure_pull(number) for number in left]})

    question = scm("azuredevops", {"organization": "org", "project": "p", "repo": "r"})
    found = await ask(handler, "pullRequest", question)
    assert [item["number"] for item in found.value] == list(range(2 * PAGE_SIZE + 1))
    assert asked == [0, PAGE_SIZE, 2 * PAGE_SIZE]


async def test_azure_devops_repositories_have_one_address_and_skip_what_is_empty() -> None:
    repo = {"name": "web", "id": "u-1", "remoteUrl": "https://a/web", "defaultBranch": "refs/heads/main"}
    asked = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(request.path)
        if request.path.endswith("/repositories"):
            empty, off = {"name": "new", "id": "u-2"}, {**repo, "name": "off", "isDisabled": True}
            return web.json_response({"value": [repo, empty, off]})
        if request.path.endswith("/stats/branches"):
            return web.json_response({"name": request.query["name"], "commit": {"commitId": "abc"}})
        return web.json_response({"path": request.query["path"]})

    question = scm(
        "azureDevOps",
        {"organization": "org", "teamProject": "p"},
        cloneProtocol="ssh",
        filters=[{"pathsExist": ["deploy/"]}],
    )
    found = await ask(handler, "scmProvider", question, accessTokenRef="t")
    assert [(item["url"], item["branch"], item["sha"]) for item in found.value] == [
        ("https://a/web", "main", "abc")
    ]
    root = "/org/p/_apis/git/repositories"
    assert asked == [root, f"{root}/web/stats/branches", f"{root}/u-1/items"]


@pytest.mark.parametrize(
    "further",
    [
        lambda request: {"X-Next-Page": "2", "X-Total-Pages": "2"},
        lambda request: {"Link": f'<{request.url.with_query(page=2)}>; rel="next", <x>; rel="last"'},
    ],
)
async def test_gitlab_pages_by_its_own_header_or_by_links(
    further: Callable[[web.Request], dict[str, str]],
) -> None:
    def merge_request(number: int) -> dict[str, Any]:
        return {"iid": number, "source_branch": "f", "target_branch": "main", "sha": "abc"}

    async def handler(request: web.Request) -> web.Response:
        if request.query.get("page") == "2":
            return web.json_response([merge_request(2)], headers={"X-Next-Page": ""})
        return web.json_response([merge_request(1)], headers=further(request))

    found = await ask(handler, "pullRequest", scm("gitlab", {"project": "p"}))
    assert [item["number"] for item in found.value] == [1, 2]


@pytest.mark.parametrize(("file", "folder", "there"), [(200, 404, True), (404, 200, True), (404, 404, False)])
async def test_a_path_of_gitlab_is_a_file_or_a_folder(file: int, folder: int, there: bool) -> None:
    project = {
        "id": 42,
        "path": "web",
        "namespace": {"full_path": "acme"},
        "default_branch": "main",
        "ssh_url_to_repo": "s",
    }

    async def handler(request: web.Request) -> web.Response:
        if request.path.endswith("/projects"):
            return web.json_response([project])
        if "/branches/" in request.path:
            return web.json_response(BRANCH)
        return web.json_response({}, status=file if "/files/" in request.path else folder)

    question = scm("gitlab", {"group": "acme"}, filters=[{"pathsExist": ["deploy"]}])
    found = await ask(handler, "scmProvider", question)
    assert bool(found.value) is there


@pytest.mark.parametrize(
    "second", ["<html>busy</html>", '[{"number": 1,', {"message": "gone"}, {"errors": [1]}]
)
async def test_half_of_the_pages_is_a_failure(second: Any) -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.query.get("page") != "2":
            link = f'<{request.url.with_query(page=2)}>; rel="next"'
            return web.json_response([pull(1)], headers={"Link": link})
        return await answering(second)(request)

    found = await ask(handler, "pullRequest", pulls())
    assert isinstance(found, Failed)


@pytest.mark.parametrize("body", [[1], [None], [{"head": 1}], [{**pull(1), "labels": [1]}], [[]]])
async def test_items_of_another_form_are_a_failure_and_no_crash(body: Any) -> None:
    found = await ask(answering(body), "pullRequest", pulls())
    assert isinstance(found, Failed)


# --- GitHub Apps ---


def app_key() -> tuple[rsa.RSAPrivateKey, str]:
    key = rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key, key.private_bytes(serialization.Encoding.PEM, *form).decode()


async def test_an_app_of_github_exchanges_its_key_for_a_token() -> None:
    key, text = app_key()
    asked = []

    async def handler(request: web.Request) -> web.Response:
        kind, _, sent = request.headers["Authorization"].partition(" ")
        asked.append((request.method, request.path))
        if request.method == "POST":
            head, claims, signature = (part + "=" * (-len(part) % 4) for part in sent.split("."))
            signed = sent.rpartition(".")[0].encode()
            key.public_key().verify(
                base64.urlsafe_b64decode(signature), signed, padding.PKCS1v15(), hashes.SHA256()
            )
            assert json.loads(base64.urlsafe_b64decode(head))["alg"] == "RS256"
            assert json.loads(base64.urlsafe_b64decode(claims))["iss"] == "17"
            return web.json_response({"token": "ghs_fresh"}, status=201)
        assert (kind, sent) == ("Bearer", "ghs_fresh")
        return web.json_response([pull(1)])

    secrets = {"githubAppID": "17", "githubAppInstallationID": "4", "githubAppPrivateKey": text}
    found = await ask(handler, "pullRequest", pulls(), **secrets)
    assert [item["number"] for item in found.value] == [1]
    assert asked == [
        ("POST", "/api/v3/app/installations/4/access_tokens"),
        ("GET", "/api/v3/repos/o/r/pulls"),
    ]


@pytest.mark.parametrize(
    ("key", "handler", "words"),
    [
        ("no key at all", answering({}), "githubAppPrivateKey"),
        (None, answering({"message": "Bad credentials"}, status=401), "401"),
        (None, answering({"no": "token"}, status=201), "token"),
    ],
)
async def test_an_app_that_gets_no_token_says_why(key: str | None, handler: Handler, words: str) -> None:
    text = app_key()[1] if key is None else key
    secrets = {"githubAppID": "17", "githubAppInstallationID": "4", "githubAppPrivateKey": text}
    found = await ask(handler, "pullRequest", pulls(), **secrets)
    assert isinstance(found, Failed)
    assert words in found.reason
    assert "BEGIN PRIVATE KEY" not in found.reason


# --- AWS CodeCommit ---


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The credentials of AWS's own examples."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
    monkeypatch.delenv("AWS_SESSION_TOKEN", raising=False)


def codecommit_service(asked: list[str]) -> Handler:
    """CodeCommit and the tagging service as they answer: two pages of names each."""

    async def handler(request: web.Request) -> web.Response:
        target, payload = request.headers["X-Amz-Target"], await request.read()
        action = target.rpartition(".")[2]
        asked.append(action)
        now = datetime.datetime.strptime(f"{request.headers['X-Amz-Date']}+0000", "%Y%m%dT%H%M%SZ%z")
        service = "tagging" if action == "GetResources" else "codecommit"
        host = f"{service}.eu-west-1.amazonaws.com"
        again = codecommit.signed_headers(service, "eu-west-1", host, target, payload, now)
        assert request.headers["Authorization"] == again["authorization"]
        return web.json_response(_aws_answer(action, json.loads(payload)))

    return handler


def _aws_answer(target: str, body: dict[str, Any]) -> Any:
    name = body.get("repositoryName", "")
    second = body.get("nextToken") or body.get("PaginationToken")
    if target == "GetResources":
        arn = "arn:aws:codecommit:eu-west-1:1:" + ("b" if second else "a")
        return {
            "ResourceTagMappingList": [{"ResourceARN": arn}],
            "PaginationToken": "" if second else "more",
        }
    if target == "ListRepositories":
        listed = [{"repositoryName": "b" if second else "a"}]
        return {"repositories": listed, **({} if second else {"nextToken": "more"})}
    if target == "GetRepository":
        data = {"accountId": "1", "repositoryId": f"id-{name}", "defaultBranch": "main"}
        return {"repositoryMetadata": {**data, "cloneUrlHttp": f"https://cc/{name}", "cloneUrlSsh": "s"}}
    if target == "ListBranches":
        return {"branches": ["dev"]} if second else {"branches": ["main"], "nextToken": "more"}
    if target == "GetBranch":
        return {"branch": {"branchName": body["branchName"], "commitId": f"{name}-{body['branchName']}"}}
    return {"files": [{"relativePath": "x.yaml"}] if name == "a" else [], "subFolders": []}


@pytest.mark.usefixtures("aws")
@pytest.mark.parametrize("tags", [[], [{"key": "team", "value": "a"}]])
async def test_codecommit_signs_and_pages(tags: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def asking(**config: Any) -> Any:
        async with serving(codecommit_service(asked)) as address:
            for service in ("CODECOMMIT", "TAGGING"):
                monkeypatch.setenv(f"AWS_ENDPOINT_URL_{service}", address)
            return await ask(answering({}), "scmProvider", scm("awsCodeCommit", config, **filters))

    filters: dict[str, Any] = {"filters": [{"pathsExist": ["deploy/x.yaml"]}]}
    found = await asking(region="eu-west-1", tagFilters=tags)
    assert [(item["repository"], item["url"], item["sha"]) for item in found.value] == [
        ("a", "https://cc/a", "a-main")
    ]
    filters = {}
    found = await asking(region="eu-west-1", tagFilters=tags, allBranches=True)
    assert [item["sha"] for item in found.value] == ["a-main", "a-dev", "b-main", "b-dev"]
    assert asked.count("GetResources" if tags else "ListRepositories") == 4


@pytest.mark.usefixtures("aws")
def test_a_signature_is_the_one_of_the_published_algorithm() -> None:
    """Made once with botocore's SigV4Auth from the same input."""
    now = datetime.datetime(2015, 8, 30, 12, 36, tzinfo=datetime.UTC)
    found = codecommit.signed_headers("codecommit", "us-east-1", "example.amazonaws.com", "T.A", b"{}", now)
    scope = "AKIDEXAMPLE/20150830/us-east-1/codecommit/aws4_request"
    assert found["authorization"].startswith(f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=")
    assert "content-type;host;x-amz-date;x-amz-target" in found["authorization"]
    assert found["authorization"].endswith(
        "Signature=0a0ff77cf5be5020353f1c99bcca8cbaaa67efba55519ab6b0b8af7655ffea47"
    )
