"""A pass brings the cluster to what the bundle says, costs nothing when nothing changed, and deletes only what is listed."""

from __future__ import annotations

import pytest
from passes import CONFIG_MAP, World, annotated, config_map

from agent.cluster.faults import Fault
from argosy.bundle import Policy
from argosy.kinds import Gvk
from argosy.objects import ObjectKey
from argosy.status import Health, Sync

MANUAL = Policy(automated=False)


async def test_objects_are_applied_and_reported(world: World) -> None:
    done = await world.sync(world.assignment(config_map("a"), config_map("b")))

    assert set(world.live()) == {"a", "b"}
    assert done.status.sync is Sync.SYNCED
    assert done.status.health is Health.HEALTHY
    assert done.status.phase == "Succeeded"
    assert [line.name for line in done.status.resources] == ["a", "b"]


async def test_a_pass_over_nothing_new_asks_the_cluster_nothing(world: World) -> None:
    wanted = world.assignment(*(config_map(f"m{number}") for number in range(20)))
    first = await world.sync(wanted)
    await world.quiet()
    before = dict(world.api.calls)

    second = await world.sync(wanted)

    assert {
        name: count - before.get(name, 0) for name, count in world.api.calls.items() if name != "kinds"
    } == {name: 0 for name in before if name != "kinds"}
    assert second.status == first.status


async def test_a_restarted_agent_needs_no_dry_run_for_what_did_not_change(world: World) -> None:
    wanted = world.assignment(config_map("a"), config_map("b"))
    await world.sync(wanted)
    await world.restart()
    world.api.calls.clear()

    done = await world.sync(wanted)

    assert done.status.sync is Sync.SYNCED
    assert world.api.calls["apply"] == world.api.calls["dry run"] == 0


async def test_only_what_changed_is_applied(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), config_map("b")))
    world.api.calls.clear()

    await world.sync(world.assignment(config_map("a"), config_map("b", k="2")))

    assert world.live()["b"]["data"] == {"k": "2"}
    # Two are the inventory: before the first apply, and with what came of it.
    assert world.api.calls["apply"] == 3


async def test_drift_is_taken_back(world: World) -> None:
    wanted = world.assignment(config_map("a"))
    await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "evil", "own": "stays"}})
    await world.quiet()
    assert world.changed == {"id-1"}

    done = await world.sync(wanted)

    assert world.live()["a"]["data"] == {"k": "1", "own": "stays"}
    assert done.status.sync is Sync.SYNCED


async def test_drift_is_only_reported_without_self_heal(world: World) -> None:
    wanted = world.assignment(config_map("a"), policy=Policy(automated=True))
    await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "evil"}})

    done = await world.sync(wanted)

    assert done.status.sync is Sync.OUT_OF_SYNC
    assert world.live()["a"]["data"] == {"k": "evil"}
    assert "kubectl-edit" in done.status.resources[0].message


async def test_a_deleted_object_comes_back(world: World) -> None:
    wanted = world.assignment(config_map("a"))
    await world.sync(wanted)
    world.cluster.remove(CONFIG_MAP, "default", "a")

    await world.sync(wanted)

    assert "a" in world.live()


async def test_a_manual_app_is_compared_and_not_touched_until_a_sync_is_asked_for(world: World) -> None:
    done = await world.sync(world.assignment(config_map("a"), policy=MANUAL))
    assert done.status.sync is Sync.OUT_OF_SYNC
    assert done.status.health is Health.MISSING
    assert world.live() == {}

    asked = Policy(automated=False, sync_request="op-1")
    done = await world.sync(world.assignment(config_map("a"), policy=asked))
    assert (done.status.sync, done.status.operation) == (Sync.SYNCED, "op-1")

    done = await world.sync(world.assignment(config_map("a", k="2"), policy=asked))
    assert done.status.sync is Sync.OUT_OF_SYNC
    assert world.live()["a"]["data"] == {"k": "1"}


async def test_a_foreign_value_is_not_taken_at_first_contact(world: World) -> None:
    world.cluster.put(config_map("a", k="theirs"), manager="other-tool")

    done = await world.sync(world.assignment(config_map("a"), config_map("b")))

    assert world.live()["a"]["data"] == {"k": "theirs"}
    assert "b" in world.live()
    line = next(line for line in done.status.resources if line.name == "a")
    assert '"other-tool" owns .data.k' in line.message
    assert done.status.phase == "Failed"
    assert done.status.sync is Sync.OUT_OF_SYNC


async def test_a_new_field_that_is_foreign_is_a_first_contact_too(world: World) -> None:
    await world.sync(world.assignment(config_map("a", mine="1")))
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"theirs": "x", "mine": "drifted"}})

    done = await world.sync(world.assignment(config_map("a", mine="2", theirs="y")))

    assert '"kubectl-edit" owns .data.theirs' in done.status.resources[0].message
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"theirs": None}})
    await world.sync(world.assignment(config_map("a", mine="2", theirs="y")))
    assert world.live()["a"]["data"] == {"mine": "2", "theirs": "y"}


async def test_a_field_fought_over_is_left_alone_after_three_corrections(world: World) -> None:
    wanted = world.assignment(config_map("a", k="1", other="1"))
    await world.sync(wanted)
    for number in range(3):
        world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": f"theirs-{number}"}}, manager="fighter")
        world.now += 10
        await world.sync(wanted)
        assert world.live()["a"]["data"]["k"] == "1"
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "theirs", "other": "x"}}, manager="fighter")
    world.now += 10

    done = await world.sync(wanted)

    assert world.live()["a"]["data"] == {"k": "theirs", "other": "1"}
    assert 'contested: "fighter" owns .data.k' in done.status.resources[0].message
    applies = world.api.calls["apply"]
    done = await world.sync(wanted)
    assert world.api.calls["apply"] == applies
    assert "contested" in done.status.resources[0].message


async def test_one_bad_object_does_not_stop_the_others_of_its_stage_but_later_stages(world: World) -> None:
    bad = config_map("Bad_Name")
    later = annotated(config_map("later"), wave="1")

    done = await world.sync(world.assignment(config_map("a"), bad, later))

    assert set(world.live()) == {"a"}
    assert done.status.phase == "Failed"
    messages = {line.name: line.message for line in done.status.resources}
    assert "wave 0" in messages["later"]
    assert done.again is not None


async def test_a_refused_object_is_not_sent_again_at_once(world: World) -> None:
    wanted = world.assignment(config_map("Bad_Name"))
    await world.sync(wanted)
    applies = world.api.calls["apply"]

    await world.sync(wanted)

    assert world.api.calls["apply"] == applies


async def test_the_destination_namespace_is_created_when_asked_for(world: World) -> None:
    manifest = config_map("a")
    del manifest["metadata"]["namespace"]
    policy = Policy(sync_options=("CreateNamespace=true",))

    done = await world.sync(world.assignment(manifest, policy=policy, destination_namespace="team-a"))

    assert done.status.sync is Sync.SYNCED
    assert "a" in world.live("team-a")


async def test_an_object_that_left_the_bundle_stays_until_a_removal_lists_it(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), config_map("b")))
    smaller = world.assignment(config_map("a"))

    done = await world.sync(smaller)
    assert "b" in world.live()
    extra = next(line for line in done.status.resources if line.name == "b")
    assert extra.requires_pruning
    assert done.status.sync is Sync.OUT_OF_SYNC

    removal = world.removal("/ConfigMap/default/b")
    done = await world.sync(smaller, removal)
    assert set(world.live()) == {"a"}
    assert done.status.removed == (removal.id,)
    assert done.status.sync is Sync.SYNCED


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("expired", "expired"),
        ("holding", "EpochUnknown"),
        ("protected", "Prune=false"),
        ("wanted", "the bundle wants it"),
        ("failing", "removed after the next complete sync"),
    ],
)
async def test_a_removal_is_refused(world: World, case: str, reason: str) -> None:
    doomed = config_map("b")
    if case == "protected":
        doomed = annotated(doomed, **{"argocd.argoproj.io/sync-options": "Prune=false"})
    await world.sync(world.assignment(config_map("a"), doomed))
    rest = [config_map("a")]
    if case == "wanted":
        rest.append(doomed)
    if case == "failing":
        rest.append(config_map("Bad_Name"))
    removal = world.removal("/ConfigMap/default/b", **({"expires": world.now} if case == "expired" else {}))

    done = await world.sync(
        world.assignment(*rest), removal, holding="EpochUnknown" if case == "holding" else ""
    )

    assert "b" in world.live()
    assert done.status.removed == ()
    if case != "wanted":
        assert any(reason in line.message for line in done.status.resources)


async def test_another_object_of_the_same_name_is_not_deleted(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), config_map("b")))
    world.cluster.remove(CONFIG_MAP, "default", "b")
    world.cluster.put(config_map("b", k="somebody else's"))

    await world.sync(world.assignment(config_map("a")), world.removal("/ConfigMap/default/b"))

    assert world.live()["b"]["data"] == {"k": "somebody else's"}


async def test_what_is_not_in_the_inventory_is_never_deleted(world: World) -> None:
    world.cluster.put(config_map("stranger"))

    done = await world.sync(world.assignment(config_map("a")), world.removal("/ConfigMap/default/stranger"))

    assert "stranger" in world.live()
    assert done.status.removed == ("rm-/ConfigMap/default/stranger",)


async def test_a_whole_app_goes_with_its_inventory(world: World) -> None:
    kept = annotated(config_map("kept"), **{"argocd.argoproj.io/sync-options": "Delete=false"})
    await world.sync(world.assignment(config_map("a"), annotated(config_map("b"), wave="3"), kept))
    assert world.live("argosy-system")
    world.syncer.know([])

    done = await world.syncer.remove(world.removal(""))

    assert done.status.gone
    assert done.status.removed == ("rm-",)
    assert set(world.live()) == {"kept"}
    assert world.live("argosy-system") == {}


async def test_the_apps_own_option_protects_when_the_assignment_is_gone(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), policy=Policy(sync_options=("Delete=false",))))
    await world.restart()

    done = await world.syncer.remove(world.removal(""))

    assert done.status.gone
    assert set(world.live()) == {"a"}


async def test_a_released_app_leaves_its_objects(world: World) -> None:
    await world.sync(world.assignment(config_map("a")))
    world.syncer.know([])

    done = await world.syncer.remove(world.removal("", cascade=False))

    assert done.status.gone
    assert set(world.live()) == {"a"}
    assert world.live("argosy-system") == {}


async def test_an_app_that_is_still_assigned_is_not_removed(world: World) -> None:
    await world.sync(world.assignment(config_map("a")))

    done = await world.syncer.remove(world.removal(""))

    assert not done.status.gone
    assert "a" in world.live()


async def test_an_object_that_changes_hands_is_not_deleted(world: World) -> None:
    first = world.assignment(config_map("a"), config_map("b"))
    await world.sync(first)
    shrunk = world.assignment(config_map("a"))
    second = world.assignment(config_map("b"), id="id-2", app="other")
    world.syncer.know([shrunk, second])
    await world.syncer.sync(second, [])

    await world.syncer.sync(shrunk, [world.removal("/ConfigMap/default/b")])

    assert "b" in world.live()
    assert world.live()["b"]["metadata"]["annotations"]["argosy.dev/tracking"].startswith("id-2:")


async def test_an_object_wanted_by_two_stays_with_the_first(world: World) -> None:
    first = world.assignment(config_map("a", k="first"))
    second = world.assignment(config_map("a", k="second"), id="id-2", app="other")
    world.syncer.know([first, second])
    await world.syncer.sync(first, [])

    done = await world.syncer.sync(second, [])

    assert world.live()["a"]["data"] == {"k": "first"}
    assert [kind for kind, _ in done.status.conditions].count("SharedResourceWarning") == 1


async def test_a_lost_inventory_is_recovered_from_the_objects(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), config_map("b")))
    world.cluster.remove(CONFIG_MAP, "argosy-system", "argosy-inventory-id-1")
    await world.restart()

    await world.sync(world.assignment(config_map("a")), world.removal("/ConfigMap/default/b"))

    assert set(world.live()) == {"a"}


async def test_a_whole_app_goes_even_when_its_inventory_was_lost(world: World) -> None:
    await world.sync(world.assignment(config_map("a"), config_map("b")))
    world.cluster.put(config_map("stranger"))
    world.cluster.remove(CONFIG_MAP, "argosy-system", "argosy-inventory-id-1")
    await world.restart()

    done = await world.syncer.remove(world.removal(""))

    assert done.status.gone
    assert set(world.live()) == {"stranger"}


async def test_kinds_that_may_not_be_watched_are_synced_all_the_same(world: World) -> None:
    world.cluster.faults.inject(Fault("watch", "forbidden", times=0))

    done = await world.sync(world.assignment(config_map("a")))

    assert done.status.sync is Sync.SYNCED
    assert "a" in world.live()


async def test_a_bundle_that_is_not_here_changes_nothing(world: World) -> None:
    await world.sync(world.assignment(config_map("a")))

    done = await world.sync(world.assignment(bundle="sha256:missing"))

    assert done.status.sync is Sync.UNKNOWN
    assert "a" in world.live()
    assert [line.name for line in done.status.resources] == ["a"]


async def test_a_crd_and_its_object_arrive_in_one_pass(world: World) -> None:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.test.dev"},
        "spec": {
            "group": "test.dev",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                    },
                }
            ],
        },
    }
    widget = {"apiVersion": "test.dev/v1", "kind": "Widget", "metadata": {"name": "w"}, "spec": {"size": 3}}

    done = await world.sync(world.assignment(widget, crd))

    assert done.status.phase == "Succeeded", done.status
    assert ObjectKey("test.dev", "Widget", "default", "w") in {
        ObjectKey(line.group, line.kind, line.namespace, line.name) for line in done.status.resources
    }


async def test_ignored_differences_are_left_as_they_are(world: World) -> None:
    rule = '[{"group":"","kind":"ConfigMap","jsonPointers":["/data/k"]}]'
    wanted = world.assignment(
        config_map("a", k="1", z="1"), policy=Policy(self_heal=True, ignore_differences=rule)
    )
    await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "tuned"}})

    done = await world.sync(wanted)

    assert world.live()["a"]["data"]["k"] == "tuned"
    assert done.status.sync is Sync.SYNCED


async def test_objects_that_are_none_are_named(world: World) -> None:
    done = await world.sync(
        world.assignment(config_map("a"), {"kind": "ConfigMap", "metadata": {"name": "x"}})
    )

    assert "a" in world.live()
    assert any("object 2 of the bundle has no apiVersion" in text for _, text in done.status.conditions)


async def test_a_created_namespace_gets_its_managed_labels_and_changes_with_them(world: World) -> None:
    manifest = config_map("a")
    del manifest["metadata"]["namespace"]

    def policy(team: str) -> Policy:
        given = f'ManagedNamespaceMetadata={{"labels":{{"team":"{team}"}}}}'
        return Policy(sync_options=("CreateNamespace=true", given))

    for team in ("sea", "land"):
        wanted = world.assignment(manifest, policy=policy(team), destination_namespace="team-a")
        done = await world.sync(wanted)
        assert done.status.sync is Sync.SYNCED
        found = await world.api.get(Gvk("", "v1", "Namespace"), "", "team-a")
        assert found is not None
        assert found["metadata"]["labels"]["team"] == team
    assert [line.kind for line in done.status.resources] == ["ConfigMap"]
