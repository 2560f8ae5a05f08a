"""What is written about clusters' agents.

Each change here changes what a Cluster's status shows, and says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields

import orjson

from hub.core.clusters import clusters
from hub.core.clusters.clusters import Agent
from hub.core.clusters.seats import Seat
from hub.store.base import Change, Tx

_COLUMNS = ", ".join(field.name for field in fields(Agent))


def get(tx: Tx, cluster: str) -> Agent | None:
    found = tx.one(f"SELECT {_COLUMNS} FROM agents WHERE cluster = ?", (cluster,))
    return Agent(*found) if found else None


def every(tx: Tx) -> list[Agent]:
    return [Agent(*row) for row in tx.all(f"SELECT {_COLUMNS} FROM agents")]


def by_cluster_uid(tx: Tx, cluster_uid: str) -> list[Agent]:
    """The agents bound to a kube-system namespace: at most one that is not revoked."""
    sql = f"SELECT {_COLUMNS} FROM agents WHERE cluster_uid = ? AND cluster_uid <> ''"
    return [Agent(*row) for row in tx.all(sql, (cluster_uid,))]


def name_of(tx: Tx, cluster: str) -> str:
    """The Cluster object's name, "" where it is gone."""
    found = tx.one("SELECT name FROM objects WHERE uid = ?", (cluster,))
    return str(found[0]) if found else ""


def tell(tx: Tx, cluster: str) -> None:
    """Says that what is composed into the Cluster object changed."""
    if name := name_of(tx, cluster):
        tx.emit(Change(tx.next_rv(), "MODIFIED", clusters.RESOURCE, "", name, cluster, composed=True))


def bind(tx: Tx, cluster: str, cluster_uid: str, key: str, version: str, expires: float) -> None:
    """Makes the key the holder of the cluster's identity; an earlier key holds it no longer."""
    tx.run(
        "INSERT INTO agents (cluster, cluster_uid, key, version, expires) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (cluster) DO UPDATE SET cluster_uid = excluded.cluster_uid, key = excluded.key, "
        "version = excluded.version, expires = excluded.expires, revoked = 0, quarantine = '', "
        "holder = CASE WHEN key = excluded.key THEN holder ELSE '' END",
        (cluster, cluster_uid, key, version, expires),
    )
    tell(tx, cluster)


def renewed(tx: Tx, cluster: str, key: str, expires: float) -> bool:
    """Notes how long the identity lasts now. False where the key does not hold it any more."""
    sql = "UPDATE agents SET expires = ? WHERE cluster = ? AND key = ? AND revoked = 0"
    return tx.run(sql, (expires, cluster, key)) == 1


def by_key(tx: Tx, key: str) -> Agent | None:
    """The agent whose identity the key holds."""
    found = tx.one(f"SELECT {_COLUMNS} FROM agents WHERE key = ? AND revoked = 0", (key,))
    return Agent(*found) if found else None


def connected(tx: Tx, cluster: str, version: str, facts: str, now: float) -> None:
    tell_facts(tx, cluster, facts)
    tx.run(
        "UPDATE agents SET since = CASE connected WHEN 1 THEN since ELSE ? END, connected = 1, seen = ?, version = ? "
        "WHERE cluster = ?",
        (now, now, version, cluster),
    )
    tell(tx, cluster)


def tell_facts(tx: Tx, cluster: str, facts: str) -> None:
    """Writes down what is known of a cluster (`hub.core.clusters.facts.text`); who depends on it is told where it differs."""
    if tx.run("UPDATE agents SET facts = ? WHERE cluster = ? AND facts <> ?", (facts, cluster, facts)):
        tx.touch(f"facts:{cluster}")
        tell(tx, cluster)


def lost(tx: Tx, seen: Iterable[tuple[str, float]], now: float) -> None:
    """Marks clusters as not connected.

    `seen` pairs a cluster with its last sign of life (0 keeps what is known).
    """
    for cluster, last in seen:
        sql = "UPDATE agents SET connected = 0, since = ?, seen = max(seen, ?) WHERE cluster = ? AND connected = 1"
        if tx.run(sql, (now, last, cluster)):
            tx.touch(f"lost:{cluster}")
            tell(tx, cluster)


def held(
    tx: Tx, cluster: str, epoch: str, generation: int, set_digest: str, holding: str, *, life: str, now: float
) -> None:
    """Writes what the agent holds.

    `life` is the hub's epoch: an agent that follows it has used up its confirmation.
    """
    before = tx.one(
        "SELECT epoch, generation, set_digest, holding, confirmed_epoch FROM agents WHERE cluster = ?",
        (cluster,),
    )
    if before is None:
        return
    confirmed = "" if not holding and epoch == life else before[4]
    if before == (epoch, generation, set_digest, holding, confirmed):
        return
    tx.run(
        "UPDATE agents SET epoch = ?, generation = ?, set_digest = ?, confirmed_epoch = ?, "
        "held_since = CASE WHEN holding = ? THEN held_since ELSE ? END, holding = ? WHERE cluster = ?",
        (epoch, generation, set_digest, confirmed, holding, now, holding, cluster),
    )
    if before[3] != holding:
        tell(tx, cluster)


def quarantine(tx: Tx, cluster: str, reason: str) -> None:
    """Writes down that a second holder was refused."""
    sql = "UPDATE agents SET quarantine = ? WHERE cluster = ? AND quarantine <> ?"
    if tx.run(sql, (reason, cluster, reason)):
        tell(tx, cluster)


def seat(agent: Agent) -> Seat:
    """Which run acts for the cluster."""
    return Seat(agent.holder, tuple(orjson.loads(agent.refused)))


def sit(tx: Tx, cluster: str, taken: Seat) -> None:
    """Writes down who acts for the cluster now."""
    refused = orjson.dumps(taken.refused).decode()
    tx.run("UPDATE agents SET holder = ?, refused = ? WHERE cluster = ?", (taken.holder, refused, cluster))


def second(tx: Tx, cluster: str, marked: Seat, told: str, now: float) -> None:
    """Writes down that a second agent with the cluster's identity was refused, and what is said of it."""
    sit(tx, cluster, marked)
    sql = (
        "UPDATE agents SET second_since = CASE second WHEN '' THEN ? ELSE second_since END, second = ? "
        "WHERE cluster = ? AND second <> ?"
    )
    if tx.run(sql, (now, told, cluster, told)):
        tell(tx, cluster)


def with_second(tx: Tx) -> Sequence[str]:
    """Clusters of which it is said that a second agent asks for them."""
    return [row[0] for row in tx.all("SELECT cluster FROM agents WHERE second <> ''")]


def alone(tx: Tx, cluster: str, now: float) -> None:
    """The second agent is gone."""
    sql = "UPDATE agents SET second = '', second_since = ? WHERE cluster = ? AND second <> ''"
    if tx.run(sql, (now, cluster)):
        tell(tx, cluster)


def confirm(tx: Tx, cluster: str, epoch: str) -> None:
    """An operator confirms this life of the hub for a cluster whose agent refuses removals."""
    if tx.run("UPDATE agents SET confirmed_epoch = ? WHERE cluster = ?", (epoch, cluster)):
        tx.touch(f"confirmed:{cluster}")
        tell(tx, cluster)


def revoke(tx: Tx, cluster: str, now: float) -> None:
    """Ends the cluster's identity: its stream is cut, its key and its open join tokens are worth nothing."""
    tx.run("UPDATE agents SET revoked = ? WHERE cluster = ? AND revoked = 0", (now, cluster))
    tx.run("DELETE FROM join_tokens WHERE cluster = ?", (cluster,))
    tx.touch(f"revoked:{cluster}")
    tell(tx, cluster)


def forget(tx: Tx, cluster: str) -> None:
    """Removes all that is kept for a cluster whose object was deleted. Deletes nothing in the cluster."""
    for table in (
        "agents",
        "join_tokens",
        "certificates",
        "assignments",
        "drops",
        "removals",
        "desired",
        "reports",
        "restraints",
        "handing",
    ):
        tx.run(f"DELETE FROM {table} WHERE cluster = ?", (cluster,))
    tx.touch(f"revoked:{cluster}")


def still_connected(tx: Tx) -> Sequence[str]:
    """Clusters whose row says connected: after a hub's start, those that are awaited."""
    return [row[0] for row in tx.all("SELECT cluster FROM agents WHERE connected = 1")]
