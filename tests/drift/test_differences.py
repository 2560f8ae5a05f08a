"""Each differing field is told with both values and who has it, and nothing that must not be seen is told."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
import statuses
from passes import CONFIG_MAP, World, annotated, config_map

from agent.core import differences
from agent.core.contested import Claim
from agent.core.marks import MANAGER, Wanted
from argosy import convert
from argosy import differences as objects_differences
from argosy.bundle import Policy
from argosy.differences import MASK
from argosy.kinds import Gvk, gvk_of
from argosy.objects import Manifest, key_of
from argosy.status import AppStatus, Difference, Sync
from hub.core.views import views
from hub.core.views.views import AppView

CANARY = "correct horse battery"
WATCHING = Policy(automated=True)


def wanted(manifest: Manifest, *sealed: str) -> Wanted:
    return Wanted(key_of(manifest), gvk_of(manifest), manifest, sealed=sealed)


def deployment(image: str, replicas: int, **env: str) -> Manifest:
    container = {"name": "web", "image": image, "env": [{"name": k, "value": v} for k, v in env.items()]}
    sidecar = {"name": "side", "image": "side:1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": [sidecar, container]}}},
    }


def test_items_of_lists_are_told_by_their_names() -> None:
    new, old = deployment("web:2", 3, A="1", B="2"), deployment("web:1", 3, B="3")

    found = differences.between(
        wanted(new), old, new, [Claim("kubectl-set", '.spec.template.spec.containers[name="web"].image')]
    )

    place = '.spec.template.spec.containers[name="web"]'
    assert found == (
        Difference(f'{place}.env[name="B"].value', '"2"', '"3"'),
        Difference(f'{place}.env[name="A"]', '{"name":"A","value":"1"}', ""),
        Difference(f"{place}.image", '"web:2"', '"web:1"', "kubectl-set"),
    )


def test_a_long_value_is_cut() -> None:
    new, old = config_map("a", k="x" * 10_000), config_map("a", k="y")
    (found,) = differences.between(wanted(new), old, new)
    assert len(found.desired) < 300
    assert found.live == '"y"'


def secret(value: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s", "namespace": "shop"},
        "stringData": {"password": value},
    }


def test_the_content_of_secrets_is_masked() -> None:
    (found,) = differences.between(wanted(secret(CANARY)), secret("theirs-and-secret"), secret(CANARY))
    assert found == Difference(".stringData.password", "***", "***")

    without = {name: value for name, value in secret("x").items() if name != "stringData"}
    (found,) = differences.between(wanted(secret(CANARY)), without, secret(CANARY))
    assert found == Difference(".stringData", "***", "")


@pytest.mark.parametrize("mask", ["/data/token", ".data.token", "data.token", "/data"])
def test_paths_that_the_user_marks_are_masked(mask: str) -> None:
    new = annotated(config_map("a", token=CANARY, plain="1"), **{"argosy.dev/mask": mask})
    old = annotated(config_map("a", token="x", plain="2"), **{"argosy.dev/mask": mask})

    found = {item.field: item for item in differences.between(wanted(new), old, new)}

    assert found[".data.token"] == Difference(".data.token", "***", "***")
    assert found[".data.plain"].desired == ("***" if mask == "/data" else '"1"')


def test_what_came_encrypted_is_masked_whatever_its_kind() -> None:
    new, old = config_map("a", token=CANARY), config_map("a", token="x")
    (found,) = differences.between(wanted(new, ".data.token"), old, new)
    assert CANARY not in str(found)


def users(*pairs: tuple[str, str]) -> Manifest:
    """An object of a list, whose entries SOPS does not tell apart: a leaf's place is the names on its way alone."""
    people = [{"name": name, "password": password} for name, password in pairs]
    metadata = {"name": "db", "namespace": "shop"}
    return {"apiVersion": "db.dev/v1", "kind": "Database", "metadata": metadata, "spec": {"users": people}}


def test_what_came_encrypted_in_entries_of_lists_is_masked() -> None:
    new, old = users(("ann", "x-secret"), ("bob", CANARY)), users(("ann", "x-secret"), ("bob", "old-secret"))
    ours = wanted(new, ".spec.users.password")
    (found,) = differences.between(ours, old, new)
    assert found == Difference('.spec.users[name="bob"].password', "***", "***")
    (claimed,) = differences.of_claims(ours, old, [Claim("them", '.spec.users[name="bob"].password')])
    assert claimed == Difference('.spec.users[name="bob"].password', "***", "***", "them")
    assert differences.hushed(ours, f"what is {CANARY}?") == "what is ***?"
    # Where the names themselves came encrypted, they are no part of a path either.
    ours = wanted(new, ".spec.users.name", ".spec.users.password")
    for found in differences.between(ours, users(("ann", "x-secret")), users(("secret-name", "y"))):
        assert found.desired in ("***", "")
        assert found.live in ("***", "")


@pytest.mark.parametrize(
    "mask", ["/spec/users/1/password", ".spec.users.password", '.spec.users[name="bob"].password']
)
def test_what_must_not_be_seen_is_compared_all_the_same(mask: str) -> None:
    new = annotated(users(("ann", "1"), ("bob", CANARY)), **{"argosy.dev/mask": mask})
    old = annotated(users(("ann", "1"), ("bob", "old-secret")), **{"argosy.dev/mask": mask})
    ours = wanted(new)
    assert (
        objects_differences.between(differences.veiled(ours, new), differences.veiled(ours, new)).fields == ()
    )
    veiled = objects_differences.between(differences.veiled(ours, old), differences.veiled(ours, new))
    (field,) = veiled.fields
    assert (field.path, field.before, field.after) == ("spec.users[name=bob].password", MASK, MASK)
    assert field.masked
    # Nor is it seen in the whole that came or went.
    gone = {**old, "spec": {}}
    (field,) = objects_differences.between(
        differences.veiled(ours, gone), differences.veiled(ours, new)
    ).fields
    assert CANARY not in orjson.dumps(field.document()).decode()
    assert field.masked


def test_a_servers_message_is_told_without_the_values() -> None:
    import base64

    encoded = base64.b64encode(CANARY.encode()).decode()
    message = f'Invalid value: "{CANARY}", or {encoded}'
    assert differences.hushed(wanted(secret(CANARY)), message) == 'Invalid value: "***", or ***'


def test_differences_travel_whole() -> None:
    from agent.core import report
    from argosy.status import AppStatus, Health, ObjectStatus, Sync

    line = ObjectStatus(
        "", "v1", "ConfigMap", "n", "a", Sync.OUT_OF_SYNC, differences=(Difference(".a", "1", "2", "m"),)
    )
    state = AppStatus("id", "r", "b", "c", Sync.OUT_OF_SYNC, Health.HEALTHY, resources=(line,))
    assert statuses.read(report.detail(state)) == state


def told(done: Any) -> tuple[Difference, ...]:
    found: tuple[Difference, ...] = done.status.resources[0].differences
    return found


async def test_drift_is_reported_with_the_manager_and_stays_reported(world: World) -> None:
    watched = world.assignment(config_map("a", k="1", gone="x"), policy=WATCHING)
    await world.sync(watched)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "evil", "gone": None}})

    done = await world.sync(watched)

    assert told(done) == (
        Difference(".data.gone", '"x"', ""),
        Difference(".data.k", '"1"', '"evil"', "kubectl-edit"),
    )
    assert told(await world.sync(watched)) == told(done)


async def test_a_correction_is_reported_with_what_was_taken_back_from_whom(world: World) -> None:
    wanted_ = world.assignment(config_map("a"))
    await world.sync(wanted_)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "evil"}})

    done = await world.sync(wanted_)

    assert done.status.resources[0].sync.value == "Synced"
    assert told(done) == (Difference(".data.k", '"1"', '"evil"', "kubectl-edit"),)


async def test_a_foreign_value_is_reported_while_it_is_not_taken(world: World) -> None:
    world.cluster.put(config_map("a", k="theirs"), manager="other-tool")
    wanted_ = world.assignment(config_map("a"))

    for done in (await world.sync(wanted_), await world.sync(wanted_)):
        assert told(done) == (Difference(".data.k", '"1"', '"theirs"', "other-tool"),)


async def test_a_contested_field_is_reported_with_both_values(world: World) -> None:
    wanted_ = world.assignment(config_map("a"))
    await world.sync(wanted_)
    for number in range(4):
        world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": f"t{number}"}}, manager="fighter")
        world.now += 10
        done = await world.sync(wanted_)

    assert told(done) == (Difference(".data.k", '"1"', '"t3"', "fighter"),)


async def test_the_applications_status_shows_what_differs_and_what_was_taken_back(world: World) -> None:
    watched = world.assignment(config_map("a"), policy=WATCHING)
    await world.sync(watched)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "by hand"}}, manager="kubectl-edit")
    assert shown((await world.sync(watched)).status) == {
        "status": "OutOfSync",
        "differences": [
            {"field": ".data.k", "desired": '"1"', "live": '"by hand"', "manager": "kubectl-edit"}
        ],
    }
    healing = world.assignment(config_map("a"), policy=Policy(automated=True, self_heal=True))
    assert shown((await world.sync(healing)).status) == {
        "status": "Synced",
        "corrected": [{"field": ".data.k", "desired": '"1"', "live": '"by hand"', "manager": "kubectl-edit"}],
    }


def shown(status: AppStatus) -> dict[str, Any]:
    """What of the only object's line in the API is about its state."""
    report = orjson.loads(convert.detail_of(status))
    (line,) = views.application({"spec": {}}, AppView("b", "c", report=report))["status"]["resources"]
    return {name: line[name] for name in ("status", "differences", "corrected") if name in line}


async def test_no_value_of_a_secret_leaves_the_agent(world: World) -> None:
    watched = world.assignment(
        secret(CANARY) | {"metadata": {"name": "s", "namespace": "default"}}, policy=WATCHING
    )
    await world.sync(watched)
    world.cluster.edit(
        Gvk("", "v1", "Secret"), "default", "s", {"data": {"password": "ZXZpbC1hbmQtc2VjcmV0"}}
    )

    done = await world.sync(watched)

    assert [item.desired for item in told(done)] == ["***"]
    assert shown(done.status)["differences"][0]["live"] == "***"
    assert CANARY not in str(done.status)
    assert "ZXZpbC1hbmQtc2VjcmV0" not in str(done.status)


@pytest.mark.parametrize("heals", [True, False])
async def test_a_field_that_was_changed_and_put_back_is_no_drift(heals: bool) -> None:
    """Whoever put it back owns it now. It becomes ours again where we heal, so that it can leave the source."""
    world = World()
    try:
        policy = Policy(automated=True, self_heal=heals)
        wanted = world.assignment(config_map("a", k="1", m="1"), policy=policy)
        await world.sync(wanted)
        for value in ("2", "1"):
            world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": value}})
        done = await world.sync(wanted)
        line = done.status.resources[0]
        assert (done.status.sync, line.sync, line.message) == (Sync.SYNCED, Sync.SYNCED, "")
        ours = [
            entry for entry in world.live()["a"]["metadata"]["managedFields"] if entry["manager"] == MANAGER
        ]
        assert ("f:k" in ours[0]["fieldsV1"]["f:data"]) is heals
        world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"m": "2"}})
        done = await world.sync(wanted)
        assert done.status.sync is (Sync.SYNCED if heals else Sync.OUT_OF_SYNC)
    finally:
        await world.syncer.close()
