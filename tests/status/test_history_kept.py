"""The store's part of `status.history`: one write for each new sync, none for anything else an agent says."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from argosy import convert
from hub.store import apps, objects, reports, shown, sqlite
from hub.store.apps import AppState
from hub.store.base import Store, Tx
from hub.store.objects import Row

APPLICATIONS = "argoproj.io/applications"
BODY = b'{"spec": {"source": {"repoURL": "https://git.example.com/a"}}}'
ORIGIN = '{"kinds": ["Directory"], "source": {"repoURL": "https://git.example.com/a"}}'


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = sqlite.open_store(tmp_path / "hub.db")

    def write(tx: Tx) -> None:
        row = Row(APPLICATIONS, "argocd", "web", "web", BODY)
        objects.put(tx, row, expected_rv=None, stamp=lambda body, rv: body)
        apps.put(tx, [AppState("web", "web", "argocd", cluster="c", bundle="b1", origin=ORIGIN)])
        tx.run(
            "INSERT INTO assignments (cluster, id, generation, bundle, body) VALUES ('c', 'web', 1, 'b1', '{}')"
        )
        tx.run(
            "INSERT INTO assignments (cluster, id, generation, bundle, body) VALUES ('d', 'web', 1, 'b1', '{}')"
        )
        tx.run("CREATE TABLE counted (app TEXT)")
        for event in ("INSERT", "UPDATE"):
            tx.run(
                f"CREATE TRIGGER count_{event} AFTER {event} ON synced "
                "BEGIN INSERT INTO counted VALUES (new.app); END"
            )

    await store.write(write)
    yield store
    await store.close()


async def told(store: Store, cluster: str = "c", **changed: Any) -> tuple[int, list[str]]:
    """Reports a state and answers with (writes of histories so far, revisions in the history)."""
    detail = {
        "assignment": "web",
        "phase": "Succeeded",
        "token": "t.1",
        "bundle": "b1",
        "revision": "c1",
        "started": 1.0,
        "finished": 2.0,
        **changed,
    }
    state = convert.State("web", "r", "b1", "Synced", detail.get("health", "Healthy"), orjson.dumps(detail))
    await store.write(lambda tx: reports.put(tx, cluster, [reports.hashed(state)], 5.0))

    def read(tx: Tx) -> tuple[int, list[str]]:
        count = tx.one("SELECT count(*) FROM counted")
        history = shown.applications(tx, ["web"])["web"].view().history
        return (count or (0,))[0], [one["revision"] for one in history]

    return await store.read(read)


async def test_a_sync_is_written_once_whatever_else_is_said_of_it(store: Store) -> None:
    assert await told(store, phase="Running", finished=0.0) == (0, [])
    assert await told(store) == (1, ["c1"])
    assert await told(store, health="Degraded") == (1, ["c1"])
    assert await told(store, health="Healthy", message="again") == (1, ["c1"])
    assert await told(store, token="t.2", revision="c2") == (2, ["c1", "c2"])


async def test_a_cluster_that_the_application_left_adds_nothing(store: Store) -> None:
    assert await told(store, "d") == (0, [])


async def test_an_application_that_is_forgotten_has_no_history(store: Store) -> None:
    await told(store)
    await store.write(lambda tx: apps.forget(tx, "web"))
    assert await store.read(lambda tx: tx.all("SELECT app FROM synced")) == []


async def test_an_operation_that_cannot_be_read_is_refused_like_any_state(store: Store) -> None:
    with pytest.raises(Exception, match="the state of web is not readable"):
        await told(store, asked="{")
