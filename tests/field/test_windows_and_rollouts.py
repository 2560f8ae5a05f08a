"""Windows and freezes are looked at before a slot is taken, and never lock a rollout."""

from __future__ import annotations

import hubs
from hubs import Repo, config_map
from obedient import Obedient

from hub.assembly import Hub
from hub.core.served import table

OPEN = [f"open-{n}" for n in range(5)]
CLOSED = [f"closed-{n}" for n in range(5)]


async def test_a_closed_cluster_takes_no_slot_from_an_open_one(hub: Hub, repo: Repo) -> None:
    """argoproj/argo-cd#29307: a closed window took the only slot of a progressive sync."""
    fleet = Obedient(hub)
    for name in (*CLOSED, *OPEN):
        await fleet.join(name, env="prod", side=name.partition("-")[0])
    fleet.start()
    policy = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "RolloutPolicy",
        "metadata": {"name": "one-by-one", "namespace": "argocd"},
        "spec": {"stages": [{"name": "all", "maxConcurrent": 1}]},
    }
    await hubs.add(hub, table.ROLLOUT_POLICY, policy)
    made = hubs.appset(repo)
    made["spec"]["strategy"] = {"type": "Rollout", "rollout": {"policy": "one-by-one"}}
    await hubs.add(hub, table.APPLICATION_SET, made)
    await hubs.until(lambda: all(len(fleet.given[n, f"web-{n}"]) == 1 for n in (*OPEN, *CLOSED)), "first")
    freeze = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Freeze",
        "metadata": {"name": "half"},
        "spec": {
            "clusterSelector": {"matchLabels": {"side": "closed"}},
            "reason": "audit",
            "duration": "1h",
        },
    }
    await hubs.add(hub, table.FREEZE, freeze)
    repo.commit({"apps/web/web.yaml": config_map("web", "2")})
    hub.poller.ask(lambda url: True)
    await hubs.until(lambda: all(len(fleet.given[n, f"web-{n}"]) == 2 for n in OPEN), "the open half")
    assert all(len(fleet.given[n, f"web-{n}"]) == 1 for n in CLOSED)
    await hubs.delete(hub, table.FREEZE, "half", "")
    await hubs.until(lambda: all(len(fleet.given[n, f"web-{n}"]) == 2 for n in CLOSED), "the rest")
    await fleet.stop()
