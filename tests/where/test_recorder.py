"""What the recorder keeps in memory of clusters."""

from __future__ import annotations

from argosy.bundle import Assignment
from argosy.loop import Wake
from hub.loops.recorder import SETTLED_EVERY, Recorder
from hub.store import deliveries, desired
from hub.store.apps import AppState
from hub.store.base import Store, Tx
from hub.store.resources import Resources


async def test_clusters_of_which_nothing_is_open_are_forgotten(store: Store, written: Resources) -> None:
    now = [1000.0]

    async def committed(repo: str, revision: str) -> float:
        return 900.0

    def begin(tx: Tx) -> None:
        apps = [AppState(f"app-{name}", f"web-{name}", "argocd", cluster=name) for name in ("one", "two")]
        deliveries.begin(tx, "r1", "fleet", apps, now[0])
        for app in apps:
            wanted = Assignment(app.app, app.name, "argocd", "default", "web", "b", "r1", "c1")
            desired.change(tx, app.cluster, put=[wanted])

    await store.write(begin)
    recorder = Recorder(store, written, committed, Wake(), lambda: now[0])
    await recorder.run()
    recorder.reported("report:three")
    await recorder.run()
    assert recorder._looked.keys() == {"one", "two", "three"}

    await store.write(lambda tx: desired.change(tx, "one", drop=["app-one"]))
    recorder.reported("report:one")
    now[0] += SETTLED_EVERY
    await recorder.run()
    assert recorder._looked.keys() == {"two"}, "what is open goes on from where it was"
