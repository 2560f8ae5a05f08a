"""Questions answered by a real kube-apiserver: what defaulting, other managers and admission make of a change."""

from __future__ import annotations

from typing import Any

from passes import config_map
from realworld import RealWorld

from agent.answering import Answerer
from argosy.errors import NotFound
from argosy.kinds import Gvk
from argosy.objects import Manifest
from argosy.questions import Kind, Question

DEPLOYMENT = Gvk("apps", "v1", "Deployment")


def deployment(namespace: str, *, replicas: int = 1, image: str = "web:1") -> Manifest:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "web", "image": image}]},
            },
        },
    }


def secret(namespace: str, value: str) -> Manifest:
    metadata = {"name": "keys", "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"key": value}}


def answerer(world: RealWorld) -> Answerer:
    async def fetch(digest: str) -> bytes:
        raise NotFound(digest)

    return Answerer(world.real, world.syncer, world.bundles.get, fetch)


def by_name(objects: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each["name"]: each for each in objects}


async def test_a_dry_run_says_what_the_server_would_make_of_a_change(world: RealWorld) -> None:
    place = world.namespace
    now = world.assignment(
        deployment(place), config_map("a", place), config_map("b", place), secret(place, "hush")
    )
    await world.sync(now)
    asking = answerer(world)
    assert await asking.answer(Question(Kind.DIFF, now.id)) == {"objects": []}, (
        "what is applied is no difference"
    )

    wrong = {**config_map("wrong", place), "data": {"k": {"not": "a text"}}}
    elsewhere = config_map("far", "no-such-namespace")
    then = world.assignment(
        deployment(place, replicas=3, image="web:2"),
        config_map("a", place),
        secret(place, "quiet"),
        wrong,
        elsewhere,
    )
    question = Question(Kind.DRY_RUN, now.id, then.bundle, place)
    found = by_name((await asking.answer(question))["objects"])
    assert {name: each["change"] for name, each in found.items()} == {
        "web": "changed",
        "keys": "changed",
        "b": "removed",
        "wrong": "added",
        "far": "added",
    }
    paths = {field["path"]: (field.get("before"), field.get("after")) for field in found["web"]["fields"]}
    assert paths["spec.replicas"] == (1, 3)
    assert paths["spec.template.spec.containers[name=web].image"] == ("web:1", "web:2")
    assert not any(path.startswith(("status", "metadata.managedFields")) for path in paths)
    assert "hush" not in str(found)
    assert "quiet" not in str(found)
    assert found["wrong"]["error"]
    assert "no-such-namespace" in found["far"]["error"]
    live = await world.real.get(DEPLOYMENT, place, "web")
    assert live is not None
    assert live["spec"]["replicas"] == 1, "a dry run writes nothing"


async def test_what_others_changed_is_a_difference_and_defaults_are_none(world: RealWorld) -> None:
    place = world.namespace
    now = world.assignment(deployment(place))
    await world.sync(now)
    await world.real.apply(deployment(place, replicas=5), manager="hand", force=True)
    found = by_name((await answerer(world).answer(Question(Kind.DIFF, now.id)))["objects"])
    assert [field["path"] for field in found["web"]["fields"]] == ["spec.replicas"]
    nodes = by_name((await answerer(world).answer(Question(Kind.TREE, now.id)))["nodes"])
    assert nodes["web"]["health"] in ("Progressing", "Healthy", "Degraded")
    assert (await answerer(world).answer(Question(Kind.EVENTS, now.id)))["events"] == []
