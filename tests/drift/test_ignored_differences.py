"""`ignoreDifferences` in all its forms: pointers, jq expressions, managers; for the comparison and, where asked, for
what is applied."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from passes import AUTO, CONFIG_MAP, World, annotated, config_map

from agent.core import drift, merging
from agent.sandbox.jq import Jq
from argosy.bundle import Policy
from argosy.objects import ObjectKey
from argosy.status import Sync

KEY = ObjectKey("apps", "Deployment", "shop", "web")
DEPLOYMENT: dict[str, Any] = {
    "spec": {
        "replicas": 3,
        "template": {"spec": {"containers": [{"name": "web", "image": "1"}, {"name": "mesh", "image": "2"}]}},
    }
}


@pytest.fixture(scope="module")
def jq() -> Iterator[Jq]:
    made = Jq()
    yield made
    made.close()


def ignoring(*entries: dict[str, Any], policy: Policy = AUTO, **changes: Any) -> Policy:
    return replace(policy, ignore_differences=json.dumps(entries), **changes)


@pytest.mark.parametrize(
    ("expression", "path", "left"),
    [
        (".spec.replicas", ("spec",), {"template": DEPLOYMENT["spec"]["template"]}),
        (
            '.spec.template.spec.containers[] | select(.name == "mesh")',
            ("spec", "template", "spec", "containers"),
            [{"name": "web", "image": "1"}],
        ),
        (
            ".spec.template.spec.containers[].image",
            ("spec", "template", "spec", "containers"),
            [{"name": "web"}, {"name": "mesh"}],
        ),
        (".spec.nosuch[]?.field", ("spec",), DEPLOYMENT["spec"]),
    ],
)
def test_an_expression_takes_away_what_it_names(
    jq: Jq, expression: str, path: tuple[str, ...], left: Any
) -> None:
    rules = drift.ignores(json.dumps([{"group": "*", "kind": "Deploy*", "jqPathExpressions": [expression]}]))
    found: Any = drift.ignored(rules, KEY, jq.without).strip(DEPLOYMENT)
    for name in path:
        found = found[name]
    assert found == left
    assert jq.problems == {}


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        (".spec[", "syntax error"),
        (".spec.replicas | error", ""),
        (".spec) | (.x", "gives no object"),
        (".spec.replicas[0]", "index"),
    ],
)
def test_a_bad_expression_is_said_and_changes_nothing(expression: str, why: str) -> None:
    made = Jq()
    try:
        assert made.without(expression, DEPLOYMENT) == DEPLOYMENT
        assert why in made.problems[expression]
    finally:
        made.close()


def test_an_expression_that_does_not_fit_one_object_counts_for_the_others(jq: Jq) -> None:
    expression = ".spec.template.spec.containers[].image"
    bare = {"spec": {"replicas": 1}}
    assert jq.without(expression, bare) == bare
    found = jq.without(expression, DEPLOYMENT)["spec"]["template"]["spec"]["containers"]
    assert found == [{"name": "web"}, {"name": "mesh"}]


@pytest.mark.parametrize("expression", [".a | until(false; .)", ".[[range(1e9)] | length | tostring]"])
def test_an_expression_without_end_costs_a_moment_once_in_a_while(
    expression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [1000.0]
    made = Jq(seconds=2.0, clock=lambda: now[0])
    asked: list[str] = []
    ask = made._worker.ask

    def counted(question: dict[str, Any]) -> Any:
        asked.append(question["delete"])
        return ask(question)

    monkeypatch.setattr(made._worker, "ask", counted)
    try:
        assert made.without(".spec[]?", DEPLOYMENT) == {"spec": {}}
        for _ in range(3):
            assert made.without(expression, DEPLOYMENT) == DEPLOYMENT
        assert asked == [".spec[]?", expression], "it rests"
        assert made.problems.keys() == {expression}
        assert made.without(".spec[]?", DEPLOYMENT) == {"spec": {}}, "others go on"
        now[0] += 301
        assert made.without(expression, DEPLOYMENT) == DEPLOYMENT
        assert asked[-1] == expression, "it is tried again"
    finally:
        made.close()


def test_an_expression_that_was_slow_once_counts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    made = Jq(clock=lambda: now[0])

    def slow(question: dict[str, Any]) -> Any:
        raise TimeoutError

    try:
        with monkeypatch.context() as busy:
            busy.setattr(made._worker, "ask", slow)
            assert made.without(".spec[]?", DEPLOYMENT) == DEPLOYMENT
        assert made.problems == {".spec[]?": "takes longer than 1 s"}
        now[0] += 301
        assert made.without(".spec[]?", DEPLOYMENT) == {"spec": {}}
        assert made.problems == {}
    finally:
        made.close()


def test_programs_see_nothing_of_the_agent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIDDEN", "treasure")
    made = Jq()
    try:
        assert made.without('.a[] | select(. == ($ENV.HIDDEN // "none"))', {"a": ["treasure", "none"]}) == {
            "a": ["treasure"]
        }
    finally:
        made.close()


@pytest.mark.parametrize(
    ("group", "kind", "fits"),
    [
        ("apps", "Deployment", True),
        ("*", "*", True),
        ("**", "Deploy*", True),
        ("{apps,batch}", "{Deployment,StatefulSet}", True),
        ("{batch,extensions}", "*", False),
        ("", "Deployment", False),
        ("app[r-t]", "[!A-C]eployment", True),
        ("app[rst]", "[!D]eployment", False),
        ("app[^r]", "*", False),
        ("a\\pps", "*", True),
        ("apps", "[D-]eployment", False),
        ("apps", "deployment", False),
        ("ap?s", "*", True),
        ("{apps", "*", False),
    ],
)
def test_groups_and_kinds_are_argo_cds_globs(group: str, kind: str, fits: bool) -> None:
    rules = drift.ignores(json.dumps([{"group": group, "kind": kind, "jsonPointers": ["/spec"]}]))
    assert bool(drift.ignored(rules, KEY).pointers) is fits


@pytest.mark.parametrize(
    "expression", [".spec.a-b", ".spec.0", ".spec.\u00e9", ".spec.a.", ".spec..a", "spec.a"]
)
def test_only_names_are_read_without_jq(expression: str) -> None:
    rules = drift.ignores(json.dumps([{"group": "*", "kind": "*", "jqPathExpressions": [expression]}]))
    found = drift.ignored(rules, KEY)
    assert (found.pointers, found.expressions) == ((), (expression,))


def test_keys_of_a_map_are_visited_in_their_order(jq: Jq) -> None:
    assert jq.without("first(.data[])", {"data": {"b": 1, "a": 2}}) == {"data": {"b": 1}}


async def test_what_jq_names_is_no_drift(world: World) -> None:
    policy = ignoring({"kind": "ConfigMap", "jqPathExpressions": ['.data | select(.k != null) | .["k"]']})
    wanted = world.assignment(config_map("a", k="1", m="1"), policy=policy)
    await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "theirs"}})
    done = await world.sync(wanted)
    assert (done.status.sync, world.live()["a"]["data"]) == (Sync.SYNCED, {"k": "theirs", "m": "1"})

    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"m": "theirs"}})
    await world.sync(wanted)
    assert world.live()["a"]["data"]["m"] == "1"


@pytest.mark.parametrize("option", ["RespectIgnoreDifferences=true", "ServerSideApply=false"])
@pytest.mark.parametrize("rule", [{"jsonPointers": ["/data/k"]}, {"jqPathExpressions": ['.data["k"]']}])
async def test_ignored_fields_are_compared_in_no_way_of_writing(
    world: World, option: str, rule: dict[str, Any]
) -> None:
    policy = ignoring({"kind": "ConfigMap", **rule}, sync_options=(option,))
    wanted = world.assignment(config_map("a", k="1", m="1"), policy=policy)
    await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "theirs"}})
    assert (await world.sync(wanted)).status.sync is Sync.SYNCED
    before = world.api.total
    await world.quiet()
    assert (await world.sync(wanted)).status.sync is Sync.SYNCED
    assert world.api.total - before <= 1, "nothing is asked again"
    assert world.live()["a"]["data"] == {"k": "theirs", "m": "1"}


@pytest.mark.parametrize("how", ["ServerSideApply=false", "Replace=true", "ServerSideApply=true"])
async def test_what_a_named_manager_owns_is_no_drift_however_an_object_is_written(
    world: World, how: str
) -> None:
    rule = {"kind": "ConfigMap", "managedFieldsManagers": ["autoscaler"]}
    wanted = world.assignment(config_map("a", k="1", m="1"), policy=ignoring(rule, sync_options=(how,)))
    await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "theirs"}}, manager="autoscaler")
    assert (await world.sync(wanted)).status.sync is Sync.SYNCED
    assert world.live()["a"]["data"] == {"k": "theirs", "m": "1"}

    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"m": "by hand"}}, manager="kubectl-edit")
    assert (await world.sync(wanted)).status.sync is Sync.SYNCED
    assert world.live()["a"]["data"]["m"] == "1"


@pytest.mark.parametrize("how", ["ServerSideApply=false", "Replace=true"])
@pytest.mark.parametrize(("respect", "left"), [("true", "theirs"), ("false", "1")])
async def test_a_sync_leaves_what_a_named_manager_owns_only_where_that_is_asked_for(
    world: World, how: str, respect: str, left: str
) -> None:
    rule = {"kind": "ConfigMap", "managedFieldsManagers": ["autoscaler"]}
    policy = ignoring(rule, sync_options=(how, f"RespectIgnoreDifferences={respect}"))
    await world.sync(world.assignment(config_map("a", k="1", m="1"), policy=policy))
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "theirs"}}, manager="autoscaler")
    await world.sync(world.assignment(config_map("a", k="1", m="2"), policy=policy))
    assert world.live()["a"]["data"] == {"k": left, "m": "2"}


def test_a_managers_field_in_a_list_is_found_by_its_key() -> None:
    def deployment(web: str, mesh: str) -> dict[str, Any]:
        containers = [{"name": "web", "image": web}, {"name": "mesh", "image": mesh}]
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": "web", "namespace": "shop"},
            "spec": {"template": {"spec": {"containers": containers}}},
        }

    live = deployment("9", "9")
    path = {"f:containers": {'k:{"name":"mesh"}': {"f:image": {}}}}
    owned = {"f:spec": {"f:template": {"f:spec": path}}}
    live["metadata"]["managedFields"] = [{"manager": "mesh", "operation": "Update", "fieldsV1": owned}]
    assert merging.yielded(live, deployment("1", "1"), {"mesh"}) == deployment("1", "9")
    assert merging.yielded(live, deployment("1", "1"), {"other"}) == deployment("1", "1")


async def test_a_bad_expression_is_a_condition(world: World) -> None:
    policy = ignoring({"kind": "ConfigMap", "jqPathExpressions": [".data[", ".data.k"]})
    wanted = world.assignment(config_map("a", k="1"), policy=policy)
    await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": {"k": "theirs"}})
    done = await world.sync(wanted)
    assert done.status.sync is Sync.SYNCED
    kinds = [kind for kind, text in done.status.conditions if '".data["' in text]
    assert kinds == ["IgnoreDifferencesWarning"]


async def test_an_extra_object_may_be_told_not_to_count(world: World) -> None:
    extra = annotated(config_map("b"), **{"argocd.argoproj.io/compare-options": "IgnoreExtraneous"})
    policy = replace(AUTO, prune=False)
    await world.sync(world.assignment(config_map("a"), extra, config_map("c"), policy=policy))
    wanted = world.assignment(config_map("a"), config_map("c"), policy=policy)
    done = await world.sync(wanted, world.removal("/ConfigMap/default/b"))
    line = next(line for line in done.status.resources if line.name == "b")
    assert (line.sync, line.requires_pruning) == (Sync.OUT_OF_SYNC, True)
    assert done.status.sync is Sync.SYNCED


async def test_excluded_kinds_are_neither_applied_nor_removed(world: World) -> None:
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "default"}}
    await world.sync(world.assignment(config_map("a"), secret))
    shut = replace(AUTO, sync_options=('ResourceExclusions={"in":[],"out":[[[""],["Secret"]]]}',))
    changed = {**secret, "stringData": {"k": "2"}}

    done = await world.sync(world.assignment(config_map("a"), changed, policy=shut))
    live = next(item for item in world.cluster.objects().values() if item["kind"] == "Secret")
    assert "data" not in live
    assert [line.kind for line in done.status.resources] == ["ConfigMap"]
    assert done.status.sync is Sync.SYNCED
    assert (
        "ExcludedResourceWarning",
        "Resource /Secret s is excluded in the settings",
    ) in done.status.conditions

    await world.sync(world.assignment(config_map("a"), policy=shut), world.removal("/Secret/default/s"))
    assert any(item["kind"] == "Secret" for item in world.cluster.objects().values())
