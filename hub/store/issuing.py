"""Issues tokens: of agents that are to join, of accounts and of roles of projects. What the hub keeps of one is a hash."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from argosy import token
from argosy.machinery import failure
from argosy.objects import Manifest
from hub.core import settings
from hub.core.access import holders
from hub.core.served import cells, table
from hub.core.served.base import Served
from hub.core.types import NAMESPACE
from hub.store import accounts, objects
from hub.store.base import Tx

Mint = Callable[[Tx, str, float], str]
"""(tx, cluster id, seconds it can be used) -> the text of a new join token."""


def problem(tx: Tx, holder: str) -> str:
    """Why nobody of that name may hold a token (any more), "" where one may."""
    said = (_stored(tx, table.CONFIG_MAP, settings.CONFIG_MAP) or {}).get("data") or {}
    name = holders.project_of(holder)
    return holders.problem(holder, said, _stored(tx, table.APP_PROJECT, name) if name else None)


def api_token(
    tx: Tx, manifest: Manifest, now: float, *, dry_run: bool = False
) -> tuple[Manifest, dict[str, Any]]:
    """(an ApiToken as it is stored, what its creation alone answers). Raises 422 where there is nobody to hold it."""
    spec = manifest["spec"]
    if wrong := problem(tx, spec["account"]):
        cause = failure.invalid_value("spec.account", spec["account"], wrong)
        kind = table.API_TOKEN.kind
        raise failure.invalid(kind.kind, kind.group, manifest["metadata"]["name"], [cause])
    lifetime = float(spec["ttlSeconds"])
    stored = {**manifest, "status": {"expires": cells.stamp(now + lifetime)}}
    if dry_run:
        return stored, {}
    secret = token.new_secret()
    uid = manifest["metadata"]["uid"]
    accounts.offer(tx, secret, spec["account"], (), now, lifetime=lifetime, token_id=uid)
    return stored, {"token": secret}


def join_token(
    tx: Tx, manifest: Manifest, now: float, mint: Mint | None, *, dry_run: bool = False
) -> tuple[Manifest, dict[str, Any]]:
    """A JoinToken with what its creation alone answers. Raises 404 where the cluster does not exist."""
    spec = manifest["spec"]
    cluster = objects.get(tx, table.CLUSTER.resource, "", spec["cluster"])
    if cluster is None:
        raise failure.not_found("clusters", table.CLUSTER.kind.group, spec["cluster"])
    lifetime = float(spec["ttlSeconds"])
    status = {"expires": cells.stamp(now + lifetime)}
    if dry_run:
        return {**manifest, "status": status}, {}
    if mint is None:
        raise failure.unavailable("this hub makes no join tokens: its link is not up")
    return {**manifest, "status": status}, {"token": mint(tx, cluster.uid, lifetime)}


def _stored(tx: Tx, served: Served, name: str) -> Manifest | None:
    row = objects.get(tx, served.resource, NAMESPACE, name)
    found: Manifest | None = orjson.loads(row.body) if row is not None else None
    return found
