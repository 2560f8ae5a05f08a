"""Bearer tokens of the API, kept as hashes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from argosy import token
from hub.store.base import Tx


@dataclass(frozen=True, slots=True)
class Account:
    """Who a token stands for. `expires` is Unix seconds, 0 for never; `token_id` the ApiToken's uid, "" for none."""

    username: str
    groups: tuple[str, ...]
    expires: float
    token_id: str = ""


def offer(
    tx: Tx,
    secret: str,
    username: str,
    groups: Iterable[str],
    now: float,
    *,
    lifetime: float = 0.0,
    token_id: str = "",
) -> None:
    """Keeps a token for a user. `lifetime` is seconds, 0 for ever."""
    expires = now + lifetime if lifetime else 0.0
    tx.run(
        'INSERT INTO api_tokens (hash, username, "groups", created, expires, token_id) VALUES (?, ?, ?, ?, ?, ?)',
        (token.secret_hash(secret), username, orjson.dumps(list(groups)).decode(), now, expires, token_id),
    )


def find(tx: Tx, secret: str, now: float) -> Account | None:
    """Who a token stands for; None for one that is unknown or has expired."""
    found = tx.one(
        'SELECT username, "groups", expires, token_id FROM api_tokens WHERE hash = ?',
        (token.secret_hash(secret),),
    )
    if found is None or 0 < found[2] <= now:
        return None
    return Account(found[0], tuple(orjson.loads(found[1])), found[2], found[3])


def withdraw(tx: Tx, token_id: str) -> None:
    """Ends the token of an ApiToken."""
    tx.run("DELETE FROM api_tokens WHERE token_id = ?", (token_id,))


def revoke(tx: Tx, username: str) -> None:
    """Ends all tokens of a user."""
    tx.run("DELETE FROM api_tokens WHERE username = ?", (username,))
