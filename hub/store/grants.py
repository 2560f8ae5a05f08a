"""Join tokens and certificates: who was given an identity, when, and until when."""

from __future__ import annotations

from dataclasses import dataclass

from argosy import token
from argosy.errors import Forbidden, Invalid
from argosy.tls import Certificate
from hub.store.base import Tx

LONGEST_TOKEN_LIFE = 3600.0


@dataclass(frozen=True, slots=True)
class JoinGrant:
    """A join token as the hub keeps it. Times are Unix seconds; `used_by` is the key that joined with it."""

    hash: str
    cluster: str
    created: float
    expires: float
    used: float = 0.0
    used_by: str = ""


_COLUMNS = "hash, cluster, created, expires, used, used_by"


def offer(
    tx: Tx, secret: str, cluster: str, now: float, *, lifetime: float = LONGEST_TOKEN_LIFE
) -> JoinGrant:
    """Keeps a new token for one cluster (its id). Raises `Invalid` for a life of more than an hour."""
    if not 0 < lifetime <= LONGEST_TOKEN_LIFE:
        raise Invalid(f"a join token lives at most {LONGEST_TOKEN_LIFE:g} s, not {lifetime:g}")
    grant = JoinGrant(token.secret_hash(secret), cluster, now, now + lifetime)
    tx.run(
        "INSERT INTO join_tokens (hash, cluster, created, expires) VALUES (?, ?, ?, ?)",
        (grant.hash, grant.cluster, grant.created, grant.expires),
    )
    return grant


def find(tx: Tx, secret: str) -> JoinGrant | None:
    found = tx.one(f"SELECT {_COLUMNS} FROM join_tokens WHERE hash = ?", (token.secret_hash(secret),))
    return JoinGrant(*found) if found else None


def whose(tx: Tx, secret: str, key: str, now: float) -> str:
    """The cluster that a key may join as by a token. Raises `Forbidden` with the reason.

    The key that used it may use it again within its life: an answer can get lost on its way.
    """
    grant = find(tx, secret)
    if grant is None:
        raise Forbidden(
            "the join token is unknown to this hub: it was made by another hub, or its cluster was revoked or deleted"
        )
    if grant.used and grant.used_by != key:
        raise Forbidden(
            f"the join token was used already, {now - grant.used:.0f} s ago: each works once; `argosy join` makes a new one"
        )
    if now >= grant.expires:
        raise Forbidden(
            f"the join token expired {now - grant.expires:.0f} s ago: `argosy join` makes a new one"
        )
    return grant.cluster


def redeem(tx: Tx, secret: str, key: str, now: float) -> str:
    """Uses a token up and returns its cluster. Raises as `whose`."""
    cluster = whose(tx, secret, key, now)
    sql = "UPDATE join_tokens SET used = ?, used_by = ? WHERE hash = ? AND used = 0"
    tx.run(sql, (now, key, token.secret_hash(secret)))
    return cluster


def record(tx: Tx, cluster: str, certificate: Certificate, now: float) -> None:
    """Notes a certificate given to a cluster's agent."""
    tx.run(
        "INSERT INTO certificates (fingerprint, cluster, key, serial, issued, expires) VALUES (?, ?, ?, ?, ?, ?)",
        (certificate.fingerprint, cluster, certificate.key, certificate.serial, now, certificate.not_after),
    )


def sweep(tx: Tx, now: float, *, keep: float = 30 * 86400.0) -> None:
    """Forgets tokens and certificates that ended more than `keep` seconds ago."""
    tx.run("DELETE FROM join_tokens WHERE expires < ?", (now - keep,))
    tx.run("DELETE FROM certificates WHERE expires < ?", (now - keep,))
