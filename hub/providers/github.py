"""GitHub (cloud and Enterprise): REST v3. Credentials are a token or a GitHub App."""

from __future__ import annotations

import base64
import json
import time
from typing import Any
from urllib.parse import urlsplit

from argosy.errors import NotFound, Unavailable
from hub.providers.base import Client, Question, Repository, field_of, path, segment


def base_url(api: str) -> str:
    """Enterprise addresses get `api/v3/` unless they have it or are an API host already."""
    if not api:
        return "https://api.github.com/"
    base = api if api.endswith("/") else api + "/"
    host = urlsplit(base).hostname or ""
    if base.endswith("/api/v3/") or host.startswith("api.") or ".api." in host:
        return base
    return base + "api/v3/"


def headers(question: Question) -> dict[str, str]:
    token = question.secrets.get("tokenRef", "")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _app_token_claims(app_id: str, key: str, now: float) -> str:
    """A JSON Web Token that proves to be the app, valid for nine minutes."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    try:
        loaded = serialization.load_pem_private_key(key.encode(), None)
    except (ValueError, TypeError):
        raise Unavailable("githubAppPrivateKey is no PEM private key without a password") from None
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise Unavailable("githubAppPrivateKey is no RSA key")
    claims = {"iat": int(now) - 60, "exp": int(now) + 540, "iss": app_id}
    parts = [
        json.dumps(part, separators=(",", ":")).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)
    ]
    signed = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = loaded.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    return (signed + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


async def app_headers(client: Client, question: Question) -> dict[str, str]:
    """Exchanges the app's key for a token of its installation."""
    secrets = question.secrets
    if "githubAppID" not in secrets:
        return {}
    proof = _app_token_claims(secrets["githubAppID"], secrets["githubAppPrivateKey"], time.time())
    page = await client.ask(
        "POST",
        f"app/installations/{segment(secrets['githubAppInstallationID'])}/access_tokens",
        headers={"Authorization": f"Bearer {proof}"},
    )
    return {"Authorization": f"Bearer {field_of(page.body, 'token')}"}


class GithubScm:
    """Repositories of an organization."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def repositories(self) -> list[Repository]:
        config = self._question.config
        found = []
        async for page in self._client.linked_pages(f"orgs/{segment(config['organization'])}/repos"):
            for item in page:
                if config.get("excludeArchivedRepos") and item.get("archived"):
                    continue
                found.append(self._repository(item))
        return found

    def _repository(self, item: dict[str, Any]) -> Repository:
        protocol = self._question.clone_protocol
        if protocol not in ("", "ssh", "https"):
            raise Unavailable(f"unknown clone protocol for GitHub {protocol}")
        return Repository(
            organization=field_of(item, "owner", "login"),
            repository=field_of(item, "name"),
            repository_id=item.get("id", 0),
            url=item.get("clone_url" if protocol == "https" else "ssh_url") or "",
            branch=item.get("default_branch") or "",
            labels=tuple(item.get("topics") or ()),
        )

    def _of(self, repository: Repository) -> str:
        return f"repos/{segment(repository.organization)}/{segment(repository.repository)}"

    async def branches(self, repository: Repository) -> list[tuple[str, str]]:
        if not self._question.config.get("allBranches"):
            try:
                page = await self._client.get(f"{self._of(repository)}/branches/{segment(repository.branch)}")
            except NotFound:
                return []
            return [(field_of(page.body, "name"), field_of(page.body, "commit", "sha"))]
        found = []
        async for page_items in self._client.linked_pages(f"{self._of(repository)}/branches"):
            found += [(field_of(item, "name"), field_of(item, "commit", "sha")) for item in page_items]
        return found

    async def has_path(self, repository: Repository, wanted: str) -> bool:
        return await self._client.has(
            f"{self._of(repository)}/contents/{path(wanted)}", ref=repository.branch
        )


class GithubPulls:
    """Open pull requests of a repository that have all labels asked for."""

    def __init__(self, client: Client, question: Question) -> None:
        self._client, self._question = client, question

    async def pull_requests(self) -> list[dict[str, Any]]:
        config = self._question.config
        wanted = set(config.get("labels") or ())
        found = []
        place = f"repos/{segment(config['owner'])}/{segment(config['repo'])}/pulls"
        async for page in self._client.linked_pages(place):
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
