"""Issues bearer tokens for accounts and for roles of projects; what the hub keeps of one is a hash."""

from __future__ import annotations

from typing import Any

import orjson

from argosy import token
from argosy.machinery import failure
from argosy.objects import Manifest
from hub.core import holders, settings
from hub.core.served import cells, table
from hub.core.served.base import Served
from hub.core.sources import CONTROL_NAMESPACE
from hub.store import accounts, objects
from hub.store.base import Tx


def problem(tx: Tx, holder: str) -> str:
    """Why nobody of that name may hold a token (any more), "" where one may."""
    said = (_stored(tx, table.CONFIG_MAP, settings.CONFIG_MAP) or {}).get("data") or {}
    name = holders.project_of(holder)
    return holders.problem(holder, said, _stored(tx, table.APP_PROJECT, name) if name else None)


def issue(
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


def _stored(tx: Tx, served: Served, name: str) -> Manifest | None:
    row = objects.get(tx, served.resource, CONTROL_NAMESPACE, name)
    found: Manifest | None = orjson.loads(row.body) if row is not None else None
    return found
