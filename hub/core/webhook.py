"""What a push webhook says: which repositories moved, and which of their refs.

Its only effect is to look again (docs/architecture.md, law 2), so what it claims needs no trust; the signature keeps
strangers from making the hub busy. Forms and headers are those that Argo CD accepts at `/api/webhook`,
secrets lie under its keys of the Secret `argocd-secret`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from argosy.errors import Forbidden, Invalid
from hub.core import repos

MAX_BYTES = 50 * 1024 * 1024
"""Of one payload: Argo CD's default."""


@dataclass(frozen=True, slots=True)
class Push:
    """One repository that moved. `urls` are its addresses in all forms that the payload has; `refs` are
    full names (`refs/heads/main`), empty where the payload does not say; `default_branch` is "" where it
    does not say.
    """

    urls: tuple[str, ...]
    refs: tuple[str, ...]
    default_branch: str = ""

    def concerns(self, url: str) -> bool:
        """Whether a source's address means this repository, whatever its protocol, user, port, case or
        `.git`.
        """
        try:
            wanted = repos.location(url)
        except Invalid:
            return False
        return wanted in _locations(self.urls)


def parse(headers: Mapping[str, str], body: bytes, secrets: Mapping[str, str]) -> tuple[Push, ...]:
    """The pushes of a request; empty for an event that moves no ref (a ping, an issue).

    `secrets` is the Secret's fields as text. A vendor without a secret is not checked, as in Argo CD. Raises
    `Forbidden` for a wrong or missing signature, `Invalid` for a request of no known vendor or without a JSON
    payload.
    """
    if len(body) > MAX_BYTES:
        raise Invalid(f"webhook: {len(body)} bytes, at most {MAX_BYTES} are read")
    given = {name.lower(): value for name, value in headers.items()}
    for vendor in _VENDORS:
        if vendor.marks(given):
            secret = secrets.get(vendor.key, "")
            vendor.check(given, body, secret, secrets)
            return _pushes(vendor, given, body)
    raise Invalid("webhook: no known event header (GitHub, GitLab, Gitea, Gogs, Bitbucket, Azure DevOps)")


def _pushes(vendor: _Vendor, headers: Mapping[str, str], body: bytes) -> tuple[Push, ...]:
    try:
        payload = json.loads(body)
    except (ValueError, RecursionError):
        raise Invalid(f"webhook: the payload of {vendor.name} is no JSON") from None
    if not isinstance(payload, dict):
        raise Invalid(f"webhook: the payload of {vendor.name} is no JSON object")
    push = vendor.read(headers, payload)
    return () if push is None or not _locations(push.urls) else (push,)


def _locations(urls: tuple[str, ...]) -> frozenset[str]:
    found = set()
    for url in urls:
        try:
            found.add(repos.location(url))
        except Invalid:
            continue
    return frozenset(found)


def _signed(header: str, algorithm: str, prefix: str = "") -> Check:
    """A check of a hex HMAC of the body in a header."""

    def check(headers: Mapping[str, str], body: bytes, secret: str, _: Mapping[str, str]) -> None:
        if secret:
            wanted = prefix + hmac.new(secret.encode(), body, algorithm).hexdigest()
            _compare(headers.get(header, ""), wanted, header)

    return check


def _signed_by_github(headers: Mapping[str, str], body: bytes, secret: str, _: Mapping[str, str]) -> None:
    """SHA-256, or SHA-1 where an old server sends nothing else."""
    if secret and "x-hub-signature-256" in headers:
        _signed("x-hub-signature-256", "sha256", "sha256=")(headers, body, secret, {})
    else:
        _signed("x-hub-signature", "sha1", "sha1=")(headers, body, secret, {})


def _token(headers: Mapping[str, str], body: bytes, secret: str, _: Mapping[str, str]) -> None:
    if secret:
        _compare(headers.get("x-gitlab-token", ""), secret, "x-gitlab-token")


def _hook_uuid(headers: Mapping[str, str], body: bytes, secret: str, _: Mapping[str, str]) -> None:
    """Bitbucket's cloud has no signature here: Argo CD compares the hook's id."""
    if secret:
        _compare(headers.get("x-hook-uuid", ""), secret, "x-hook-uuid")


def _basic(headers: Mapping[str, str], body: bytes, secret: str, secrets: Mapping[str, str]) -> None:
    """Azure DevOps signs nothing; it sends user name and password."""
    user = secrets.get("webhook.azuredevops.username", "")
    if not user and not secret:
        return
    scheme, _, value = headers.get("authorization", "").partition(" ")
    try:
        found = base64.b64decode(value, validate=True).decode() if scheme.lower() == "basic" else ""
    except (binascii.Error, UnicodeDecodeError):
        found = ""
    _compare(found, f"{user}:{secret}", "authorization")


def _compare(found: str, wanted: str, header: str) -> None:
    # Digests of both, so that not even the length shows in the time taken.
    one, two = (hashlib.sha256(text.encode()).digest() for text in (found, wanted))
    if not hmac.compare_digest(one, two):
        raise Forbidden(f"webhook: {header} is missing or wrong")


def _github(headers: Mapping[str, str], payload: Mapping[str, Any]) -> Push | None:
    """GitHub, and Gitea and Gogs, whose payloads have the same names."""
    event = headers.get("x-gitea-event") or headers.get("x-gogs-event") or headers.get("x-github-event")
    if event not in ("push", "create", "delete"):
        return None
    repository = _mapping(payload.get("repository"))
    ref = _text(payload.get("ref"))
    if event != "push" and ref:
        ref = f"refs/{'tags' if payload.get('ref_type') == 'tag' else 'heads'}/{ref.removeprefix('refs/heads/')}"
    urls = _urls(repository, "html_url", "clone_url", "ssh_url", "git_url", "svn_url")
    return Push(urls, (ref,) if ref else (), _text(repository.get("default_branch")))


def _gitlab(headers: Mapping[str, str], payload: Mapping[str, Any]) -> Push | None:
    """Push and tag events of a project, and the same as system events."""
    if payload.get("object_kind") not in ("push", "tag_push") and payload.get("event_name") not in (
        "push",
        "tag_push",
        "repository_update",
    ):
        return None
    project = _mapping(payload.get("project"))
    refs = [_text(payload.get("ref")), *(_text(ref) for ref in _list(payload.get("refs")))]
    urls = _urls(project, "web_url", "git_http_url", "git_ssh_url", "http_url", "ssh_url")
    return Push(urls, tuple(ref for ref in refs if ref), _text(project.get("default_branch")))


def _bitbucket(headers: Mapping[str, str], payload: Mapping[str, Any]) -> Push | None:
    if headers.get("x-event-key") != "repo:push":
        return None
    repository = _mapping(payload.get("repository"))
    urls = _urls(_mapping(_mapping(repository.get("links")).get("html")), "href")
    refs: list[str] = []
    for change in _list(_mapping(payload.get("push")).get("changes")):
        # A deleted ref has only its old state.
        state = _mapping(_mapping(change).get("new")) or _mapping(_mapping(change).get("old"))
        if name := _text(state.get("name")):
            refs.append(f"refs/{'tags' if state.get('type') == 'tag' else 'heads'}/{name}")
    return Push(urls, tuple(refs))


def _bitbucket_server(headers: Mapping[str, str], payload: Mapping[str, Any]) -> Push | None:
    if headers.get("x-event-key") != "repo:refs_changed":
        return None
    clones = _list(_mapping(_mapping(payload.get("repository")).get("links")).get("clone"))
    urls = tuple(href for link in clones if (href := _text(_mapping(link).get("href"))))
    changes = _list(payload.get("changes"))
    refs = tuple(ref for one in changes if (ref := _text(_mapping(_mapping(one).get("ref")).get("id"))))
    return Push(urls, refs)


def _azure(headers: Mapping[str, str], payload: Mapping[str, Any]) -> Push | None:
    if payload.get("eventType") != "git.push":
        return None
    resource = _mapping(payload.get("resource"))
    repository = _mapping(resource.get("repository"))
    updates = _list(resource.get("refUpdates"))
    refs = tuple(ref for one in updates if (ref := _text(_mapping(one).get("name"))))
    default = _text(repository.get("defaultBranch")).removeprefix("refs/heads/")
    return Push(_urls(repository, "remoteUrl", "sshUrl", "webUrl"), refs, default)


def _urls(holder: Mapping[str, Any], *names: str) -> tuple[str, ...]:
    return tuple(url for name in names if (url := _text(holder.get(name))))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


Check = Callable[[Mapping[str, str], bytes, str, Mapping[str, str]], None]


@dataclass(frozen=True, slots=True)
class _Vendor:
    """One form: how it is told by its headers (lower-case), which field holds its secret, how that is
    checked.
    """

    name: str
    key: str
    marks: Callable[[Mapping[str, str]], bool]
    check: Check
    read: Callable[[Mapping[str, str], Mapping[str, Any]], Push | None]


def _has(header: str) -> Callable[[Mapping[str, str]], bool]:
    return lambda headers: header in headers


# Gitea and Gogs also send GitHub's event header, Bitbucket's server the key header of its cloud: the narrower first.
_VENDORS = (
    _Vendor(
        "Gitea", "webhook.gogs.secret", _has("x-gitea-event"), _signed("x-gitea-signature", "sha256"), _github
    ),
    _Vendor(
        "Gogs", "webhook.gogs.secret", _has("x-gogs-event"), _signed("x-gogs-signature", "sha256"), _github
    ),
    _Vendor("GitHub", "webhook.github.secret", _has("x-github-event"), _signed_by_github, _github),
    _Vendor("GitLab", "webhook.gitlab.secret", _has("x-gitlab-event"), _token, _gitlab),
    _Vendor("Bitbucket", "webhook.bitbucket.uuid", _has("x-hook-uuid"), _hook_uuid, _bitbucket),
    _Vendor(
        "Bitbucket Server",
        "webhook.bitbucketserver.secret",
        _has("x-event-key"),
        _signed("x-hub-signature", "sha256", "sha256="),
        _bitbucket_server,
    ),
    _Vendor("Azure DevOps", "webhook.azuredevops.password", _has("x-vss-activityid"), _basic, _azure),
)
