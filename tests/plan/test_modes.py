"""Observing writes nothing, adopting changes nothing, releasing leaves everything: by what the cluster holds afterwards."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from passes import AUTO, CONFIG_MAP, World, annotated, config_map

from agent.cluster.guarded import ObservedCluster
from agent.core.adoption import Adoption
from agent.core.localpolicy import LocalPolicy
from argosy.errors import Forbidden
from argosy.kinds import Gvk
from argosy.objects import Manifest
from argosy.status import Health, Sync

DEPLOYMENT = Gvk("apps", "v1", "Deployment")
OBSERVE, ADOPT, RELEASE, MANAGE = (
    replace(AUTO, mode=word) for word in ("observe", "adopt", "release", "manage")
)
WRITES = ("apply", "dry run", "create", "update", "delete")


def lines(done: Any) -> dict[str, Any]:
    return {line.name: line for line in done.status.resources}


def writes(world: World) -> int:
    return sum(world.api.calls[name] for name in WRITES)


def deployment(image: str = "web:1", **notes: str) -> Manifest:
    labels = {"app": "web"}
    return annotated(
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "default", "labels": dict(labels)},
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "containers": [
                            {
                                "name": "web",
                                "image": image,
                                "ports": [{"containerPort": 80}],
                                "resources": {"requests": {"cpu": "1000m"}},
                            }
                        ]
                    },
                },
            },
        },
        **notes,
    )


def theirs(world: World, manager: str = "argocd-controller") -> None:
    """A Deployment and a ConfigMap as Argo CD left them."""
    world.cluster.put(
        deployment(**{"argocd.argoproj.io/tracking-id": "old:apps/Deployment:default/web"}), manager=manager
    )
    world.cluster.put(config_map("a"), manager=manager)


async def test_observing_writes_nothing_and_tells_the_truth(world: World) -> None:
    theirs(world)
    world.cluster.put(config_map("b", k="other"), manager="someone")
    before = world.cluster.objects()
    wanted = world.assignment(deployment(), config_map("a"), config_map("b"), config_map("c"), policy=OBSERVE)

    done = await world.sync(wanted)

    assert world.cluster.objects() == before
    assert writes(world) == 0
    found = lines(done)
    assert {name: line.sync for name, line in found.items()} == {
        "web": Sync.SYNCED,
        "a": Sync.SYNCED,
        "b": Sync.OUT_OF_SYNC,
        "c": Sync.OUT_OF_SYNC,
    }
    assert [(item.field, item.desired, item.live) for item in found["b"].differences] == [
        (".data.k", '"1"', '"other"')
    ]
    assert found["c"].health is Health.MISSING
    assert done.status.phase == ""
    assert done.again is not None


async def test_an_observed_cluster_refuses_every_write_whoever_asks() -> None:
    world = World()
    policy = LocalPolicy(mode=Adoption.OBSERVE, source="policy.yaml")
    spared = ObservedCluster(world.cluster, lambda: policy.observed())
    made = world.cluster.put(config_map("a"))
    calls = (
        spared.apply(config_map("a")),
        spared.apply(config_map("a"), dry_run=True),
        spared.create(config_map("b")),
        spared.update(made),
        spared.delete(CONFIG_MAP, "default", "a", uid=made["metadata"]["uid"]),
        spared.acting("a:b").apply(config_map("a")),
    )
    before = world.cluster.objects()
    for call in calls:
        with pytest.raises(Forbidden, match=r"only observed: spec\.mode of policy\.yaml"):
            await call
    assert world.cluster.objects() == before
    assert await spared.get(CONFIG_MAP, "default", "a") is not None


async def test_a_cluster_that_is_observed_is_so_whatever_its_hub_says(world: World) -> None:
    world.policy = LocalPolicy(mode=Adoption.OBSERVE, source="policy.yaml")
    world.api.cluster = ObservedCluster(world.cluster, lambda: world.policy.observed())  # type: ignore[assignment]
    await world.restart()
    theirs(world)
    before = world.cluster.objects()

    await world.sync(world.assignment(deployment("web:2"), config_map("n"), policy=MANAGE))
    world.syncer.know([])
    await world.syncer.remove(world.removal(""))

    assert world.cluster.objects() == before


async def test_adopting_takes_over_without_changing_anything(world: World) -> None:
    theirs(world)
    before = await world.cluster.get(DEPLOYMENT, "default", "web")
    assert before is not None

    done = await world.sync(world.assignment(deployment(), config_map("a"), policy=ADOPT))

    live = await world.cluster.get(DEPLOYMENT, "default", "web")
    assert live is not None
    assert done.status.sync is Sync.SYNCED
    for name in ("uid", "generation", "creationTimestamp"):
        assert live["metadata"][name] == before["metadata"][name]
    assert live["spec"] == before["spec"]
    annotations = live["metadata"]["annotations"]
    assert annotations == {"argocd.argoproj.io/tracking-id": "old:apps/Deployment:default/web"}
    assert live["metadata"]["labels"]["argosy.dev/tracking"].startswith("id-1.")
    assert "/ConfigMap/default/a" in json.dumps(world.live("argosy-system"))


async def test_what_was_adopted_is_managed_from_then_on_and_owned_by_nobody_else(world: World) -> None:
    world.cluster.put(config_map("a", k="1", old="x"), manager="kubectl-client-side-apply")
    first = [config_map("a", k="1", old="x")]
    await world.sync(world.assignment(*first, policy=ADOPT))
    calls = writes(world)
    done = await world.sync(world.assignment(*first, policy=AUTO))
    assert done.status.phase == "Succeeded"
    assert world.live()["a"]["data"] == {"k": "1", "old": "x"}
    assert writes(world) - calls <= 2  # the inventory

    done = await world.sync(world.assignment(config_map("a", k="2"), policy=AUTO))
    assert done.status.sync is Sync.SYNCED
    assert world.live()["a"]["data"] == {"k": "2"}


async def test_what_differs_is_left_and_told_and_what_lacks_is_not_made(world: World) -> None:
    world.cluster.put(config_map("a", k="theirs"), manager="helm")
    world.cluster.put(config_map("b"), manager="helm")
    wanted = world.assignment(
        config_map("a"), config_map("b", k="1", more="2"), config_map("c"), policy=ADOPT
    )

    done = await world.sync(wanted)

    assert {name: item["data"] for name, item in world.live().items()} == {
        "a": {"k": "theirs"},
        "b": {"k": "1"},
    }
    assert not any("argosy.dev/tracking" in json.dumps(item) for item in world.live().values())
    found = lines(done)
    assert 'left as it is: "helm" owns .data.k' in found["a"].message
    assert [(item.live, item.manager) for item in found["a"].differences] == [('"theirs"', "helm")]
    assert "left as it is: differs in .data.more" in found["b"].message
    assert "adopting makes nothing" in found["c"].message
    assert world.live("argosy-system") == {}


async def test_adopting_heals_and_prunes_nothing(world: World) -> None:
    theirs(world)
    wanted = world.assignment(config_map("a"), policy=ADOPT)
    await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "evil"}})

    done = await world.sync(wanted)
    assert world.live()["a"]["data"] == {"k": "evil"}
    assert lines(done)["a"].differences[0].manager == "kubectl-edit"

    await world.sync(world.assignment(config_map("x"), policy=ADOPT), world.removal("/ConfigMap/default/a"))
    assert set(world.live()) == {"a"}


async def test_an_app_that_was_only_adopted_is_given_back_when_it_goes(world: World) -> None:
    theirs(world)
    before = world.live()["a"]
    await world.sync(world.assignment(config_map("a"), policy=ADOPT))
    world.syncer.know([])

    done = await world.syncer.remove(world.removal(""))

    assert done.status.gone
    after = world.live()["a"]
    assert after["data"] == before["data"]
    assert "argosy" not in json.dumps(after)


@pytest.mark.parametrize("by", ["mode", "removal"])
async def test_releasing_takes_our_marks_off_and_nothing_else(world: World, by: str) -> None:
    wanted = world.assignment(deployment(), config_map("a", k="1"))
    await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"metadata": {"labels": {"theirs": "x"}}})
    before = world.cluster.objects()
    await world.quiet()

    if by == "mode":
        done = await world.sync(replace(wanted, policy=RELEASE))
        assert done.status.sync is Sync.SYNCED
        await world.sync(replace(wanted, policy=RELEASE))
    else:
        world.syncer.know([])
        assert (await world.syncer.remove(world.removal("", cascade=False))).status.gone

    assert world.live("argosy-system") == {}
    for key, live in world.cluster.objects().items():
        if key[1] not in ("Deployment", "ConfigMap"):
            continue
        assert "argosy" not in json.dumps(live)
        old = before[key]
        assert live["metadata"]["uid"] == old["metadata"]["uid"]
        assert live["metadata"].get("generation") == old["metadata"].get("generation")
        assert {name: live.get(name) for name in ("spec", "data")} == {
            name: old.get(name) for name in ("spec", "data")
        }
    assert world.live()["a"]["metadata"]["labels"] == {"theirs": "x"}


async def test_an_app_that_goes_gives_back_what_is_protected(world: World) -> None:
    protected = annotated(config_map("b"), **{"argosy.dev/protect": "true"})
    await world.sync(world.assignment(config_map("a"), protected))
    world.syncer.know([])

    await world.syncer.remove(world.removal(""))

    assert set(world.live()) == {"b"}
    assert "argosy.dev/tracking" not in json.dumps(world.live()["b"])
    assert world.live()["b"]["metadata"]["annotations"] == {"argosy.dev/protect": "true"}


async def test_a_user_who_says_manage_takes_what_others_own(world: World) -> None:
    world.cluster.put(config_map("a", k="theirs"), manager="helm")
    done = await world.sync(world.assignment(config_map("a")))
    assert "annotation argosy.dev/mode: manage on the Application takes it" in lines(done)["a"].message
    world.now += 400

    done = await world.sync(world.assignment(config_map("a"), policy=MANAGE))

    assert done.status.sync is Sync.SYNCED
    assert world.live()["a"]["data"] == {"k": "1"}
