"""A hub's data as it is with a fleet: clusters that have joined, their certificates, what each is assigned.

Written once for a run and copied for each fresh process, since joining is not what is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from argosy import convert, tls
from argosy.bundle import Assignment, Policy
from hub.ca.authority import open_authority
from hub.store import agents, desired, objects
from hub.store.base import Tx
from hub.store.objects import Row
from hub.store.sqlite import open_store

IDENTITIES = "identities.json"
BUNDLE = "sha256:" + "b" * 64


def cluster_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def cluster_uid(number: int) -> str:
    return f"00000000-0000-4000-9000-{number:012d}"


def app_id(cluster: int, app: int) -> str:
    return f"00000000-0000-4000-a{app:03d}-{cluster:012d}"


def assignment(cluster: int, app: int, *, release: str = "release-0") -> Assignment:
    return Assignment(
        id=app_id(cluster, app),
        app=f"app-{app}-cluster-{cluster}",
        namespace="argocd",
        project="default",
        destination_namespace="shop",
        bundle=BUNDLE,
        release=release,
        revision="3f2a9c1d4e5b6a7988776655443322110ffeeddc",
        policy=Policy(prune=True, self_heal=True),
    )


@dataclass(frozen=True)
class Identities:
    """What agents prove themselves with: the CA, and by number a key and a certificate, PEM."""

    ca: bytes
    pairs: list[tuple[str, str]]

    def pair(self, number: int) -> tuple[bytes, bytes]:
        key, certificate = self.pairs[number]
        return key.encode(), certificate.encode()


def read(folder: Path) -> Identities:
    value = orjson.loads((folder / IDENTITIES).read_bytes())
    return Identities(value["ca"].encode(), value["pairs"])


def enrol(folder: Path, clusters: dict[int, str], database: str = "hub.db", ca: str = "ca") -> None:
    """Gives each cluster (number -> id) an identity, as if its agent had joined, and writes them all down."""
    authority, now = open_authority(folder / ca, time.time()), time.time()
    pairs, bound = [], []
    for number, cluster in clusters.items():
        key = tls.new_key()
        request = tls.new_request(key, cluster)
        certificate = authority.cluster(request, cluster, now, lifetime=86400.0)
        pairs.append((key.decode(), certificate.pem.decode()))
        bound.append((cluster, cluster_uid(number), certificate.key, certificate.not_after))

    def job(tx: Tx) -> None:
        for cluster, uid, key, expires in bound:
            agents.bind(tx, cluster, uid, key, "bench", expires)

    asyncio.run(_write(folder / database, job))
    (folder / IDENTITIES).write_bytes(orjson.dumps({"ca": authority.bundle.decode(), "pairs": pairs}))


def fill(folder: Path, clusters: int, apps: int = 1) -> None:
    """A data folder with joined clusters, each with its applications assigned."""

    def job(tx: Tx) -> None:
        for number in range(clusters):
            _put(tx, Row("argosy.dev/clusters", "", f"cluster-{number}", cluster_id(number), b"{}"))
            for app in range(apps):
                item = assignment(number, app)
                _put(tx, Row("argoproj.io/applications", item.namespace, item.app, item.id, b"{}"))
            desired.change(tx, cluster_id(number), put=[assignment(number, app) for app in range(apps)])

    asyncio.run(_write(folder / "hub.db", job))
    enrol(folder, {number: cluster_id(number) for number in range(clusters)})


HELD = "held.json"
_STATUSES = """
    WITH RECURSIVE
        c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n + 1 < :clusters),
        a(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM a WHERE n + 1 < :apps)
    INSERT INTO reports (cluster, app, release, bundle, sync, health, removed, gone, digest, detail, rv, time)
    SELECT printf('00000000-0000-4000-8000-%012d', c.n), printf('00000000-0000-4000-a%03d-%012d', a.n, c.n), 'release-0',
           :bundle, 'Synced', 'Healthy', '[]', 0, printf('digest-%d-%d', c.n, a.n), CAST(:detail AS BLOB), 0, 0.0
    FROM c CROSS JOIN a
"""


def vast(folder: Path, clusters: int, statuses: int, joined: int, detail: bytes) -> None:
    """A hub's data with clusters that have `statuses` reports each, of which `joined` have agents. What these agents
    hold, and what is known of them, is in `HELD`: they come back as they left.
    """

    def job(tx: Tx) -> dict[int, str]:
        digests = {}
        for number in range(clusters):
            cluster = cluster_id(number)
            manifest = {
                "apiVersion": "argosy.dev/v1alpha1",
                "kind": "Cluster",
                "metadata": {
                    "name": f"cluster-{number}",
                    "uid": cluster,
                    "labels": {"ring": str(number % 10)},
                },
                "spec": {"server": f"https://{cluster}.example.com"},
            }
            _put(tx, Row("argosy.dev/clusters", "", f"cluster-{number}", cluster, orjson.dumps(manifest)))
            desired.change(tx, cluster, put=[assignment(number, 0)])
            if number < joined:
                digests[number] = desired.head(tx, cluster).set_digest
        values = {"clusters": clusters, "apps": statuses, "bundle": BUNDLE, "detail": detail}
        tx.run(_STATUSES, values)  # type: ignore[arg-type]
        return digests

    async def write() -> None:
        store = open_store(folder / "hub.db")
        sets = await store.write(job)
        held = {
            "epoch": store.epoch,
            "sets": [sets[number] for number in range(joined)],
            "states": [
                convert.state_digest(
                    [(app_id(number, app), f"digest-{number}-{app}") for app in range(statuses)]
                )
                for number in range(joined)
            ],
        }
        await store.close()
        (folder / HELD).write_bytes(orjson.dumps(held))

    asyncio.run(write())
    enrol(folder, {number: cluster_id(number) for number in range(joined)})


def _put(tx: Tx, row: Row) -> None:
    objects.put(tx, row, expected_rv=None, stamp=lambda body, rv: body)


def write(database: Path, job: Callable[[Tx], object]) -> None:
    """Runs a job on the store of a hub that does not run."""
    asyncio.run(_write(database, job))


async def _write(database: Path, job: object) -> None:
    store = open_store(database)
    await store.write(job)  # type: ignore[arg-type]
    await store.close()
