"""Sync options do what Argo CD's do; those that nobody knows are said, not passed over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from passes import AUTO, CONFIG_MAP, World, annotated, config_map

from agent.cluster.faults import Fault
from agent.core import merging, options
from agent.core.options import How, Mode
from argosy.bundle import HUBS_ALONE, STAGE_TIMEOUT, Policy
from argosy.kinds import NAMESPACE
from argosy.objects import Manifest, ObjectKey
from argosy.status import Sync

SYNC_OPTIONS = "argocd.argoproj.io/sync-options"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
KEY = ObjectKey("", "ConfigMap", "default", "a")


def said(manifest: Manifest, text: str) -> Manifest:
    return annotated(manifest, **{SYNC_OPTIONS: text})


def with_options(*texts: str) -> Policy:
    return replace(AUTO, sync_options=texts)


@pytest.mark.parametrize(
    ("app", "own", "expected"),
    [
        ((), "", How()),
        (("Replace=true",), "", How(Mode.REPLACE)),
        (("Replace=true",), "Replace=false", How()),
        (("ServerSideApply=false",), "", How(Mode.MERGE)),
        (("ServerSideApply=false",), "ServerSideApply=true", How()),
        (("ServerSideApply=false",), "Replace=true", How(Mode.REPLACE)),
        (("Validate=false",), "", How(validate=False)),
        ((), "Validate=false, Force=true", How(validate=False, recreate=True)),
        (("Force=true",), "", How()),
        (("replace=true",), "Replace=True", How()),
    ],
)
def test_an_objects_own_option_wins(app: tuple[str, ...], own: str, expected: How) -> None:
    assert options.how(app, said(config_map("a"), own), KEY) == expected


def test_what_others_live_in_is_never_made_anew() -> None:
    forced = said(config_map("a"), "Force=true")
    for key in (
        ObjectKey("", "Namespace", "", "a"),
        ObjectKey("apiextensions.k8s.io", "CustomResourceDefinition", "", "a"),
    ):
        assert not options.how((), forced, key).recreate
        assert not options.how((options.FORCED,), config_map("a"), key).recreate


def test_options_that_have_no_effect_are_named() -> None:
    manifest = said(config_map("a"), "CreateNamespace=true,Prune=maybe,Prune=false")
    found = options.problems(
        ("Frobnicate=true", "Force=true", "Validate=false", "PruneLast"), [(KEY, manifest)]
    )
    assert found == (
        'sync option "Frobnicate=true" is not known and has no effect',
        'sync option "Force=true" has no effect in spec.syncPolicy.syncOptions',
        'sync option "PruneLast" without a value has no effect, expected PruneLast=true|false',
        'sync option "CreateNamespace=true" has no effect in an object\'s annotation: /ConfigMap/default/a',
        'sync option "Prune=maybe" has no effect, expected Prune=true|false|confirm: /ConfigMap/default/a',
    )


def test_an_operations_options_win_over_the_apps() -> None:
    assert options.merged(("Replace=true", "Validate=false"), ("Replace=false",)) == (
        "Replace=false",
        "Validate=false",
    )


async def test_unknown_options_are_a_condition_and_stop_nothing(world: World) -> None:
    wanted = world.assignment(said(config_map("a"), "Prunes=false"), policy=with_options("Frobnicate=true"))
    done = await world.sync(wanted)
    assert done.status.sync is Sync.SYNCED
    assert [kind for kind, _ in done.status.conditions] == ["SyncOptionWarning", "SyncOptionWarning"]


async def test_replace_takes_away_what_others_added_when_the_content_changes(world: World) -> None:
    await world.sync(world.assignment(said(config_map("a", k="1"), "Replace=true")))
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"theirs": "x"}})
    again = await world.sync(world.assignment(said(config_map("a", k="1"), "Replace=true")))
    assert again.status.sync is Sync.SYNCED
    assert world.live()["a"]["data"] == {"k": "1", "theirs": "x"}, "an addition is no drift"

    await world.sync(world.assignment(said(config_map("a", k="2"), "Replace=true")))
    assert world.live()["a"]["data"] == {"k": "2"}
    assert LAST_APPLIED not in world.live()["a"]["metadata"]["annotations"]


@pytest.mark.parametrize("option", ["Replace=true", "ServerSideApply=false"])
async def test_written_otherwise_drift_is_healed_and_rest_is_quiet(world: World, option: str) -> None:
    wanted = world.assignment(config_map("a"), policy=with_options(option))
    await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "evil"}})
    await world.sync(wanted)
    assert world.live()["a"]["data"] == {"k": "1"}
    await world.sync(wanted)
    before = world.api.total
    await world.quiet()
    done = await world.sync(wanted)
    assert done.status.sync is Sync.SYNCED
    assert world.api.calls["update"] <= 2
    assert world.api.total - before <= 1


async def test_a_client_side_merge_takes_away_what_it_said_before_and_nothing_else(world: World) -> None:
    policy = with_options("ServerSideApply=false")
    await world.sync(world.assignment(config_map("a", k="1", old="x"), policy=policy))
    assert LAST_APPLIED in world.live()["a"]["metadata"]["annotations"]
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"theirs": "y"}})

    await world.sync(world.assignment(config_map("a", k="2"), policy=policy))

    assert world.live()["a"]["data"] == {"k": "2", "theirs": "y"}


async def test_a_client_side_merge_takes_over_what_others_wrote(world: World) -> None:
    world.cluster.put(config_map("a", k="theirs", more="1"), manager="kubectl-client-side-apply")
    done = await world.sync(world.assignment(config_map("a"), policy=with_options("ServerSideApply=false")))
    assert done.status.phase == "Succeeded"
    assert world.live()["a"]["data"] == {"k": "1", "more": "1"}


async def test_a_client_side_merge_does_not_fight_without_end(world: World) -> None:
    wanted = world.assignment(config_map("a", k="1", m="1"), policy=with_options("ServerSideApply=false"))
    await world.sync(wanted)
    for number in range(5):
        world.now += 10
        world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": f"theirs-{number}"}}, manager="robot")
        done = await world.sync(wanted)
    assert world.live()["a"]["data"] == {"k": "theirs-4", "m": "1"}
    assert "contested" in done.status.resources[0].message


def test_lists_of_built_in_kinds_merge_by_their_keys() -> None:
    def deployment(*containers: Manifest) -> Manifest:
        spec = {"template": {"spec": {"containers": list(containers)}}}
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": spec}

    first = merging.remembered(deployment({"name": "web", "image": "1"}, {"name": "old", "image": "1"}))
    live = {**first, "metadata": {**first["metadata"], "resourceVersion": "7"}}
    live["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "image": "s"})

    out = merging.merged(live, deployment({"name": "web", "image": "2"}))

    assert out["spec"]["template"]["spec"]["containers"] == [
        {"name": "web", "image": "2"},
        {"name": "sidecar", "image": "s"},
    ]
    assert out["metadata"]["resourceVersion"] == "7"


def frozen(option: str = "", **data: str) -> Manifest:
    """A ConfigMap that no server lets be changed."""
    made = {**config_map("a", **data), "immutable": True}
    return said(made, option) if option else made


async def test_force_makes_anew_what_cannot_be_changed(world: World) -> None:
    await world.sync(world.assignment(frozen("Force=true", k="1")))
    first = world.live()["a"]["metadata"]["uid"]
    done = await world.sync(world.assignment(frozen("Force=true", k="2")))
    assert done.status.sync is Sync.SYNCED
    assert world.live()["a"]["data"] == {"k": "2"}
    assert world.live()["a"]["metadata"]["uid"] != first


@pytest.mark.parametrize("option", ["", "Force=true,Delete=false"])
async def test_nothing_is_made_anew_unasked_or_protected(world: World, option: str) -> None:
    await world.sync(world.assignment(frozen(option, k="1")))
    first = world.live()["a"]["metadata"]["uid"]
    done = await world.sync(world.assignment(frozen(option, k="2")))
    assert done.status.phase == "Failed"
    assert (world.live()["a"]["data"], world.live()["a"]["metadata"]["uid"]) == ({"k": "1"}, first)
    assert "immutable" in done.status.resources[0].message


async def test_what_is_not_ours_is_never_made_anew(world: World) -> None:
    world.cluster.put(frozen(k="theirs"), manager="other")
    await world.sync(world.assignment(frozen("Force=true", k="2")))
    assert world.live()["a"]["data"] == {"k": "theirs"}


async def test_without_validation_the_server_drops_what_it_does_not_know(world: World) -> None:
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.dev"},
        "spec": {
            "group": "example.dev",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {
                                "spec": {"type": "object", "properties": {"size": {"type": "integer"}}}
                            },
                        }
                    },
                }
            ],
        },
    }
    widget = {
        "apiVersion": "example.dev/v1",
        "kind": "Widget",
        "metadata": {"name": "a", "namespace": "default"},
        "spec": {"size": 1, "sise": 2},
    }
    policy = with_options("Replace=true")
    done = await world.sync(world.assignment(crd, widget, policy=policy))
    assert "unknown field" in next(line.message for line in done.status.resources if line.kind == "Widget")

    done = await world.sync(world.assignment(crd, said(widget, "Validate=false"), policy=policy))
    assert done.status.phase == "Succeeded"
    live = next(item for item in world.cluster.objects().values() if item["kind"] == "Widget")
    assert live["spec"] == {"size": 1}


@pytest.mark.parametrize(
    ("policy", "phase"), [(AUTO, "Succeeded"), (with_options("FailOnSharedResource=true"), "Failed")]
)
async def test_a_shared_object_fails_the_sync_only_where_that_is_asked_for(
    world: World, policy: Policy, phase: str
) -> None:
    first = world.assignment(config_map("a"))
    await world.sync(first)
    second = world.assignment(config_map("a", k="2"), config_map("b"), policy=policy, id="id-2", app="other")
    world.syncer.know([first, second])

    done = await world.syncer.sync(second)

    assert (done.status.phase, done.status.sync) == (phase, Sync.OUT_OF_SYNC)
    assert world.live()["a"]["data"] == {"k": "1"}
    assert any(kind == "SharedResourceWarning" for kind, _ in done.status.conditions)


async def test_a_namespace_that_cannot_be_changed_stays(world: World) -> None:
    manifest = said(
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}, "Force=true,Replace=true"
    )
    await world.sync(world.assignment(manifest))
    first = await world.cluster.get(NAMESPACE, "", "shop")
    changed = {**manifest, "metadata": {**manifest["metadata"], "labels": {"a": "b"}}}
    await world.sync(world.assignment(changed))
    second = await world.cluster.get(NAMESPACE, "", "shop")
    assert first is not None
    assert second is not None
    assert first["metadata"]["uid"] == second["metadata"]["uid"]
    assert second["metadata"]["labels"]["a"] == "b"


@pytest.mark.parametrize(
    ("options", "manager", "left"),
    [
        ((), "kubectl-client-side-apply", {"k": "1"}),
        (("ClientSideApplyMigration=false",), "kubectl-client-side-apply", {"k": "1", "old": "x"}),
        (("ClientSideApplyMigrationManager=mine",), "mine", {"k": "1"}),
        ((), "kubectl-edit", {"k": "1", "old": "x"}),
    ],
)
async def test_what_kubectl_applied_is_taken_over(
    world: World, options: tuple[str, ...], manager: str, left: dict[str, str]
) -> None:
    world.cluster.put(config_map("a", k="1", old="x"), manager=manager)
    wanted = world.assignment(config_map("a"), policy=with_options(*options))
    done = await world.sync(wanted)
    assert done.status.sync is Sync.SYNCED
    assert world.live()["a"]["data"] == left
    before = world.api.total
    await world.quiet()
    assert (await world.sync(wanted)).status.sync is Sync.SYNCED
    assert world.api.total - before <= 1, "once"


def test_the_page_lists_every_option_and_where_it_has_an_effect() -> None:
    page = (Path(__file__).parents[2] / "docs/syncing.md").read_text()
    listed = {}
    for line in page.partition("## Sync options")[2].partition("\n## ")[0].splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| `"):
            for name in cells[0].split(","):
                listed[name.strip(" `")] = (cells[1] == "yes", cells[2] == "yes")
    own = {STAGE_TIMEOUT, *HUBS_ALONE}
    own.add(options.FORCED.partition("=")[0])
    known = {name: (place.app, place.resource) for name, place in options.KNOWN.items() if name not in own}
    assert listed == known


@pytest.mark.parametrize("remade", ["by force", "because it was gone"])
async def test_an_object_made_anew_is_not_forgotten_though_nobody_answered(world: World, remade: str) -> None:
    first = frozen("Force=true", k="1")
    await world.sync(world.assignment(first, config_map("b")))
    changed = frozen("Force=true", k="2")
    if remade != "by force":
        changed = first
        world.cluster.remove(CONFIG_MAP, "default", "a")
    # By force the first apply is refused, and the one that makes it anew is not answered.
    after = 1 if remade == "by force" else 0
    world.cluster.faults.inject(Fault("apply", "lost", kind="ConfigMap", name="a", after=after))
    await world.sync(world.assignment(changed, config_map("b")))
    assert world.cluster.faults.counts["lost"] == 1

    await world.sync(world.assignment(config_map("b")), world.removal("/ConfigMap/default/a"))

    assert set(world.live()) == {"b"}
