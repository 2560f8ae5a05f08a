"""Passes within the cluster's own policy: refusals are per object, deletions are counted over restarts, tenants' objects
are written in the tenant's name, and what is encrypted is opened whole or not at all.
"""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sopsfile
from passes import AUTO, CONFIG_MAP, World, annotated, config_map
from sopsfile import Keys

from agent.answering import Answerer
from agent.core.localpolicy import LocalPolicy, Rule
from agent.sops.keys import KeyRing
from argosy import objects, sealed
from argosy.bundle import Policy
from argosy.differences import MASK
from argosy.errors import Invalid, NotFound
from argosy.kinds import Gvk
from argosy.objects import Manifest
from argosy.questions import Kind, Question
from argosy.status import Sync

SECRET = Gvk("", "v1", "Secret")
CANARY = "correct horse battery"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    made = World()
    made.folder = tmp_path
    await made.restart()
    yield made
    await made.syncer.close()


def messages(done: Any) -> dict[str, str]:
    return {line.name: line.message for line in done.status.resources}


async def test_a_refused_object_is_told_and_the_others_are_applied(world: World) -> None:
    world.policy = LocalPolicy(namespaces=Rule(deny=("team-b",)), source="policy.yaml")
    world.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-b"}})

    done = await world.sync(world.assignment(config_map("a"), config_map("b", "team-b")))

    assert set(world.live()) == {"a"}
    assert world.live("team-b") == {}
    assert (
        "namespace team-b is refused by this cluster's own policy: spec.namespaces.deny of policy.yaml"
        in (messages(done)["b"])
    )
    assert done.status.phase == "Failed"


async def test_a_policy_that_gives_way_is_noticed(world: World) -> None:
    world.policy = LocalPolicy(namespaces=Rule(allow=()), source="policy.yaml")
    wanted = world.assignment(config_map("a"))
    await world.sync(wanted)
    assert world.live() == {}

    world.policy, world.now = LocalPolicy(), world.now + 400
    await world.sync(wanted)
    assert set(world.live()) == {"a"}


async def test_neither_hooks_nor_namespaces_get_past_the_policy(world: World) -> None:
    world.policy = LocalPolicy(namespaces=Rule(allow=("default",)), source="policy.yaml")
    hook = annotated(config_map("hook", "team-b"), hook="PreSync")
    policy = Policy(sync_options=("CreateNamespace=true",))
    manifest = config_map("a")
    del manifest["metadata"]["namespace"]

    await world.sync(world.assignment(hook))
    await world.sync(world.assignment(manifest, policy=policy, destination_namespace="team-b"))

    assert await world.cluster.get(Gvk("", "v1", "Namespace"), "", "team-b") is None


async def test_deletions_within_an_hour_are_bounded_over_restarts(world: World) -> None:
    world.policy = LocalPolicy(max_deletions=2, source="policy.yaml")
    await world.sync(world.assignment(*(config_map(name) for name in "abcdef")))
    smaller = world.assignment(config_map("a"))
    listed = [world.removal(f"/ConfigMap/default/{name}", expires=world.now + 1e6) for name in "bcdef"]

    done = await world.sync(smaller, *listed)
    assert len(world.live()) == 4
    assert any("maxDeletionsPerHour of policy.yaml" in text for text in messages(done).values())

    await world.restart()
    world.now += 1800
    await world.sync(smaller, *listed)
    assert len(world.live()) == 4

    world.now += 1900
    await world.sync(smaller, *listed)
    assert len(world.live()) == 2


async def test_a_mode_that_is_not_manage_deletes_nothing(world: World) -> None:
    from agent.core.adoption import Adoption

    await world.sync(world.assignment(config_map("a"), config_map("b")))
    world.policy = LocalPolicy(mode=Adoption.ADOPT, source="policy.yaml")

    await world.sync(world.assignment(config_map("a")), world.removal("/ConfigMap/default/b"))
    world.syncer.know([])
    done = await world.syncer.remove(world.removal(""))

    assert set(world.live()) == {"a", "b"}
    assert not done.status.gone


def tenant(world: World) -> set[tuple[str, str]]:
    """Gives team-a's deployer rights in its namespace; returns what is asked in a ServiceAccount's name."""
    asked: set[tuple[str, str]] = set()

    def may(account: str, verb: str, gvk: Gvk, namespace: str) -> bool:
        asked.add((account, verb))
        return account == "team-a:deployer" and namespace == "team-a"

    world.cluster.rights = may
    world.cluster.put({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team-a"}})
    return asked


async def test_a_tenants_objects_are_written_and_deleted_in_the_tenants_name(world: World) -> None:
    asked = tenant(world)
    policy = replace(AUTO, account="team-a:deployer")
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": "root"}}

    done = await world.sync(world.assignment(config_map("a", "team-a"), role, policy=policy))
    assert set(world.live("team-a")) == {"a"}
    assert "team-a:deployer cannot patch ClusterRole" in messages(done)["root"]

    world.syncer.know([])
    await world.restart()
    done = await world.syncer.remove(world.removal(""))
    assert done.status.gone
    assert world.live("team-a") == {}
    assert {("team-a:deployer", "patch"), ("team-a:deployer", "delete")} <= asked


async def test_an_account_that_the_cluster_does_not_permit_writes_nothing(world: World) -> None:
    asked = tenant(world)
    world.policy = LocalPolicy(accounts=Rule(allow=("team-a:*",)), source="policy.yaml")
    admin = replace(AUTO, account="kube-system:admin")

    done = await world.sync(world.assignment(config_map("a", "team-a"), policy=admin))

    assert "serviceAccounts.allow" in messages(done)["a"]
    assert world.live("team-a") == {}
    assert not any(verb == "patch" for _, verb in asked)


async def test_a_contested_field_stays_contested_after_a_restart_until_its_content_changes(
    world: World,
) -> None:
    wanted = world.assignment(config_map("a"))
    await world.sync(wanted)
    for number in range(3):
        world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": f"theirs-{number}"}}, manager="fighter")
        world.now += 10
        await world.sync(wanted)
    await world.restart()
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "theirs"}}, manager="fighter")

    done = await world.sync(wanted)
    assert world.live()["a"]["data"] == {"k": "theirs"}
    assert 'contested: "fighter" owns .data.k' in messages(done)["a"]

    # What is written down of the objects comes with the next release.
    wanted = world.assignment(config_map("a"), config_map("b"))
    await world.sync(wanted)
    await world.restart()
    done = await world.sync(wanted)
    assert 'contested: "fighter" owns .data.k' in messages(done)["a"]

    await world.restart()
    await world.sync(world.assignment(config_map("a", k="2")))
    assert world.live()["a"]["data"] == {"k": "2"}


def encrypted(keys: Keys, name: str = "db", **notes: str) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "namespace": "default"}
    if notes:
        metadata["annotations"] = notes
    plain = {"kind": "Secret", "apiVersion": "v1", "metadata": metadata, "stringData": {"password": CANARY}}
    written = sopsfile.sealed([plain], lambda key: {"age": [keys.wrap(key)]})
    carried = sealed.carrying(written[0], "apps/db.yaml", sopsfile.text(written))
    found: Manifest = json.loads(objects.canonical(carried))
    return found


async def test_an_encrypted_object_is_applied_in_clear_and_drift_of_it_is_healed(
    world: World, tmp_path: Path
) -> None:
    keys = Keys(tmp_path / "keys")
    world.keys = KeyRing(keys.folder)
    await world.restart()
    hook = encrypted(keys, "hook", **{"argocd.argoproj.io/hook": "PreSync"})
    wanted = world.assignment(config_map("a"), encrypted(keys), hook)

    done = await world.sync(wanted)

    assert done.status.sync is Sync.SYNCED, done.status
    live = await world.cluster.get(SECRET, "default", "db")
    assert live is not None
    assert "sops" not in live
    assert base64.b64decode(live["data"]["password"]).decode() == CANARY
    assert (await world.cluster.get(SECRET, "default", "hook")) is not None
    assert CANARY not in json.dumps(world.live("argosy-system"))

    world.cluster.edit(SECRET, "default", "db", {"data": {"password": "eA=="}})
    done = await world.sync(wanted)
    live = await world.cluster.get(SECRET, "default", "db")
    assert live is not None
    assert base64.b64decode(live["data"]["password"]).decode() == CANARY
    assert CANARY not in str(done.status)


async def test_what_came_encrypted_is_no_part_of_an_answer_to_the_hub(world: World, tmp_path: Path) -> None:
    keys = Keys(tmp_path / "keys")
    world.keys = KeyRing(keys.folder)
    await world.restart()
    (secret,) = sopsfile.sealed([config_map("a", token=CANARY)], lambda key: {"age": [keys.wrap(key)]})
    wanted = world.assignment(secret)
    await world.sync(wanted)

    async def nothing(digest: str) -> bytes:
        raise NotFound(digest)

    asking = Answerer(world.cluster, world.syncer, world.load, nothing)
    question = Question(Kind.DIFF, wanted.id)
    assert await asking.answer(question) == {"objects": []}

    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"token": "somebody else's secret"}})
    (found,) = (await asking.answer(question))["objects"]
    data = [field for field in found["fields"] if field["path"].startswith("data")]
    assert data == [{"path": "data.token", "before": MASK, "after": MASK, "masked": True}]
    assert CANARY not in str(found)
    assert "somebody else's secret" not in str(found)

    async def refusing(*_: Any, **__: Any) -> Manifest:
        raise Invalid(f'data.token: Invalid value: "{CANARY}"')

    world.cluster.apply = refusing  # type: ignore[method-assign]
    (found,) = (await asking.answer(question))["objects"]
    assert found["error"] == 'data.token: Invalid value: "***"'


@pytest.mark.parametrize("harm", ["key", "mac"])
async def test_what_cannot_be_opened_stops_the_whole_app_and_names_file_and_key(
    world: World, tmp_path: Path, harm: str
) -> None:
    keys, other = Keys(tmp_path / "keys"), Keys(tmp_path / "other")
    world.keys = KeyRing((other if harm == "key" else keys).folder)
    await world.restart()
    secret = encrypted(keys)
    if harm == "mac":
        text = secret["sops"]["argosy"]["text"].replace("kind: Secret", "kind: ConfigMap")
        secret["sops"]["argosy"]["text"] = text

    done = await world.sync(world.assignment(config_map("a"), secret))

    assert world.live() == {}
    assert "apps/db.yaml: cannot be decrypted" in done.status.message
    assert (keys.recipient in done.status.message) is (harm == "key")
    assert CANARY not in str(done.status)
