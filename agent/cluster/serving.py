"""How a cluster in memory takes objects in and hands them out: copied, at the version asked for, in pages and as events."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from agent.cluster import answers
from agent.cluster.base import Event
from agent.cluster.shelf import Past
from argosy.kinds import ApiKind, Gvk
from argosy.machinery import failure, patch, selector
from argosy.machinery.kinds import Kind
from argosy.objects import Manifest

VERBS = frozenset(("create", "delete", "get", "list", "patch", "update", "watch"))
Matches = Callable[[Mapping[str, str]], bool]


def copy(manifest: Manifest) -> Manifest:
    """A copy of JSON data that shares nothing; faster than `copy.deepcopy`."""
    out: Manifest = orjson.loads(orjson.dumps(manifest))
    return out


def received(manifest: Manifest) -> Manifest:
    """The manifest as it arrives over a wire: copied, as JSON, of bounded size. Raises `ApiFailure`."""
    try:
        data = orjson.dumps(manifest)
    except orjson.JSONEncodeError as error:
        raise failure.bad_request(f"error decoding patch: {error}") from None
    if len(data) > patch.MAX_BODY:
        raise failure.too_large(f"limit is {patch.MAX_BODY}")
    out: Manifest = orjson.loads(data)
    return out


def api_kind(gvk: Gvk, kind: Kind) -> ApiKind:
    return ApiKind(gvk, kind.plural, kind.namespaced, VERBS)


def at_version(manifest: Manifest, kind: Kind) -> Manifest:
    if manifest["apiVersion"] == kind.api_version:
        return manifest
    return {**manifest, "apiVersion": kind.api_version}


def label_selector(text: str) -> Matches:
    try:
        return selector.parse(text)
    except failure.ApiFailure as error:
        raise answers.from_status(error.to_status()) from None


def token(version: int, key: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([version, *key])).decode()


def read_token(token: str) -> tuple[int, tuple[str, str]]:
    try:
        version, namespace, name = orjson.loads(base64.urlsafe_b64decode(token.encode()))
        return int(version), (str(namespace), str(name))
    except (ValueError, TypeError):
        refused = failure.bad_request("continue key is not valid")
        raise answers.from_status(refused.to_status()) from None


def event(kind_of_event: Any, manifest: Manifest, kind: Kind) -> Event:
    return Event(kind_of_event, copy(at_version(manifest, kind)), manifest["metadata"]["resourceVersion"])


def seen(entry: Past, scope: str, matches: Matches, kind: Kind) -> Event | None:
    """The write as a watch with this scope and selector sees it."""
    some = entry.after if entry.after is not None else entry.before
    assert some is not None
    if scope and some["metadata"].get("namespace") != scope:
        return None
    before = entry.before is not None and matches(entry.before["metadata"].get("labels") or {})
    after = entry.after is not None and matches(entry.after["metadata"].get("labels") or {})
    if after:
        assert entry.after is not None
        return event("MODIFIED" if before else "ADDED", entry.after, kind)
    if not before:
        return None
    assert entry.before is not None
    last = {**entry.before, "metadata": {**entry.before["metadata"], "resourceVersion": str(entry.version)}}
    return event("DELETED", last, kind)
