"""Details in which Argo CD 3.6.1 surprises, each found by running its own code next to ours."""

from __future__ import annotations

import time
from typing import Any

import pytest

from argosy.errors import Invalid
from hub.core.appsets.expand import Evaluation, Settings, expand, limit_of
from hub.core.schema import parse
from hub.core.types import ClusterFacts, Failed
from tests.support.worlds import World

FAST = "{{name}}"
CLUSTER = ClusterFacts(
    "eu", "https://eu.example.com", {"env": "prod", "argocd.argoproj.io/secret-type": "cluster"}, {}
)


def app_spec(**changes: Any) -> dict[str, Any]:
    spec = {"project": "default", "source": {"repoURL": "r"}, "destination": {"name": "in-cluster"}}
    return {**spec, **changes}


def evaluated(
    generators: list[Any],
    *,
    metadata: Any = None,
    spec: Any = None,
    world: Any = None,
    limit: int = 20_000,
    **more: Any,
) -> Evaluation:
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "s"},
        "spec": {
            "generators": generators,
            "template": {"metadata": metadata or {"name": FAST}, "spec": spec or app_spec()},
            **more,
        },
    }
    found = parse.application_set(manifest)
    return expand(found, world or World((CLUSTER,)), Settings(strict=True, limit=limit))


ONE = [{"list": {"elements": [{"name": "a"}]}}]


def test_jsonnet_without_settings_is_left_out_and_plugin_parameters_keep_what_is_empty() -> None:
    parameters = [{"map": {}}, {"name": "l", "array": []}, {"name": "s", "string": ""}]
    source = {"repoURL": "r", "directory": {"recurse": True, "jsonnet": {"libs": []}}}
    sources = [source, {"repoURL": "r", "plugin": {"parameters": parameters}}]
    found = evaluated(ONE, spec=app_spec(sources=sources))
    assert found.applications[0]["spec"]["sources"] == [
        {"repoURL": "r", "directory": {"recurse": True}},
        {
            "repoURL": "r",
            "plugin": {
                "parameters": [
                    {"name": "", "map": {}},
                    {"name": "l", "array": []},
                    {"name": "s", "string": ""},
                ]
            },
        },
    ]


def test_a_null_under_a_name_is_dropped_as_the_api_server_does() -> None:
    found = evaluated(
        [*ONE, {"clusters": None}],
        metadata={"name": FAST, "labels": {"x": None, "y": "z"}},
        spec=app_spec(syncPolicy={"automated": None}),
    )
    assert found.applications[0]["metadata"]["labels"] == {"y": "z"}
    assert found.applications[0]["spec"]["syncPolicy"] == {}


@pytest.mark.parametrize("path", ["", ".", "/"])
def test_a_hydrator_path_that_is_no_folder_is_refused_by_its_field(path: str) -> None:
    hydrator = {
        "drySource": {"repoURL": "r", "targetRevision": "HEAD", "path": "p"},
        "syncSource": {"targetBranch": "b", "path": path},
    }
    with pytest.raises(Invalid, match=r"sourceHydrator\.syncSource\.path: expected text that matches"):
        evaluated(ONE, spec=app_spec(sourceHydrator=hydrator))


def test_the_label_that_makes_a_cluster_can_have_no_other_value() -> None:
    selector = {"matchLabels": {"argocd.argoproj.io/secret-type": "any thing"}}
    found = evaluated([{"clusters": {"selector": selector}}])
    assert [app["metadata"]["name"] for app in found.applications] == ["eu"]


def test_a_second_child_is_not_looked_at_before_the_first_has_parameters() -> None:
    none = {"list": {"elements": []}}
    wrong = {"list": {"elements": [{}]}, "selector": {"matchExpressions": [{"key": "a", "operator": "Bad"}]}}
    assert evaluated([{"matrix": {"generators": [none, wrong]}}]).problems == ()
    found = evaluated([{"matrix": {"generators": [ONE[0], wrong]}}])
    assert "'Bad' is not a valid label selector operator" in found.problems[0].message


def test_nulls_of_a_second_child_are_dropped_even_if_it_holds_no_template() -> None:
    second = {"list": {"elements": [{"x": None, "y": {"z": None}}]}}
    found = evaluated(
        [{"matrix": {"generators": [*ONE, second]}}],
        metadata={"name": "{{.name}}", "annotations": {"all": "{{toJson .}}"}},
        goTemplate=True,
    )
    assert found.applications[0]["metadata"]["annotations"] == {"all": '{"name":"a","y":{}}'}


@pytest.mark.parametrize(
    "generator",
    [
        {"matrix": {"generators": [ONE[0], {"list": {"elements": []}}]}},
        {"clusters": {"values": {"a": "b"}}, "selector": {"matchLabels": {"no": "match"}}},
    ],
)
def test_unknown_template_options_are_met_before_there_is_an_application(generator: Any) -> None:
    found = evaluated([generator], goTemplate=True, goTemplateOptions=["missingkey=bad"])
    assert "unrecognized option 'missingkey=bad'" in found.problems[0].message


def squared(number: int, **more: Any) -> Evaluation:
    """A matrix of a list with itself."""
    elements = [{"list": {"elements": [{key: str(one)} for one in range(number)]}} for key in ("name", "b")]
    return evaluated([{"matrix": {"generators": elements}}], metadata={"name": "{{name}}-{{b}}"}, **more)


def test_three_hundred_times_three_hundred_is_refused_before_it_is_made() -> None:
    begun = time.process_time()
    found = squared(300)
    assert time.process_time() - begun < 1.0
    (problem,) = found.problems
    assert problem.where == "spec.generators[0].matrix.generators"
    assert "parameter sets or more, at most 20000 are accepted" in problem.message
    assert "argosy.dev/max-applications" in problem.message
    assert isinstance(found.completeness, Failed)


def test_generators_count_together_and_a_set_may_have_a_limit_of_its_own() -> None:
    assert len(squared(5, limit=25).applications) == 25
    assert squared(5, limit=24).problems
    found = evaluated([*ONE, {"list": {"elements": [{"name": "b"}]}}], limit=1)
    assert found.problems[0].where == "spec.generators[1]"


@pytest.mark.parametrize(("text", "limit"), [("", 20_000), ("7", 7), ("many", 20_000), ("-1", 20_000)])
def test_the_limit_is_an_annotation(text: str, limit: int) -> None:
    assert limit_of({"argosy.dev/max-applications": text}) == limit


DUCK = {"configMapRef": "placement"}


def duck_world(decision: Any) -> World:
    config = {"apiVersion": "x.example.com/v1", "kind": "places", "matchKey": "cluster"}
    clusters = (CLUSTER, ClusterFacts("5", "https://five.example.com", {}, {}))
    place = {
        "apiVersion": "x.example.com/v1",
        "kind": "Place",
        "metadata": {"name": "p", "labels": {"a": "b"}},
        "status": {"clusters": [decision]},
    }
    placement = {"kind": "ConfigMap", "metadata": {"name": "placement"}, "data": config}
    return World(clusters, objects=[placement, place])


def test_a_decision_may_name_its_cluster_by_a_number() -> None:
    found = evaluated(
        [{"clusterDecisionResource": {**DUCK, "name": "p"}}], world=duck_world({"cluster": 5, "n": 1234567})
    )
    assert [app["metadata"]["name"] for app in found.applications] == ["5"]


def test_an_empty_selector_for_decisions_is_an_error() -> None:
    spec = {**DUCK, "labelSelector": {"matchLabels": {}}}
    found = evaluated([{"clusterDecisionResource": spec}], world=duck_world({"cluster": "eu"}))
    assert isinstance(found.completeness, Failed)


@pytest.mark.parametrize(
    ("patch", "wanted"),
    [
        ('{"metadata": {"annotations": {"$patch": "replace", "only": "this"}}}', {}),
        ('{"metadata": {"labels": {"$patch": "replace", "only": "this"}}}', {"labels": {"only": "this"}}),
        ('{"metadata": {"labels": {"$patch": "delete"}}}', {}),
        ('{"metadata": {"annotations": {"a": null, "b": "c"}}}', {"annotations": {"b": "c"}}),
        (
            '{"metadata": {"finalizers": ["second", "third"]}}',
            {"finalizers": ["first", "second", "third"]},
        ),
        ('{"metadata": {"finalizers": ["second", "first"]}}', {"finalizers": ["second", "first"]}),
    ],
)
def test_patches_follow_kubernetes_directives(patch: str, wanted: dict[str, Any]) -> None:
    metadata = {"name": FAST, "labels": {"x": "y"}, "finalizers": ["first", "second"]}
    found = evaluated(ONE, metadata=metadata, templatePatch=patch)
    plain = {"name": "a", "namespace": "argocd", "labels": {"x": "y"}, "finalizers": ["first", "second"]}
    if "labels" in patch:
        del plain["labels"]
    assert found.applications[0]["metadata"] == {**plain, **wanted}


@pytest.mark.parametrize(
    ("patch", "message"),
    [
        ('{"$patch": "merge", "spec": {}}', "unknown patch type"),
        ('{"spec": {"source": {"$retainKeys": ["path"], "repoURL": "x"}}}', "$retainKeys"),
        (
            '{"spec": {"sourceHydrator": {"drySource": {"helm": {"valuesObject": {"a": {"b": 1}}}}}}}',
            "unable to find api field",
        ),
    ],
)
def test_patches_that_kubernetes_refuses(patch: str, message: str) -> None:
    hydrator = {
        "drySource": {
            "repoURL": "r",
            "targetRevision": "HEAD",
            "path": "p",
            "helm": {"valuesObject": {"a": {"c": 1}}},
        },
        "syncSource": {"targetBranch": "b", "path": "ab"},
    }
    found = evaluated(ONE, spec=app_spec(sourceHydrator=hydrator), templatePatch=patch)
    assert message in found.problems[0].message


BIG = {
    "p53": 2**53,
    "r53": 2**53 + 1,
    "p63": 2**63 - 1,
    "q63": 2**63,
    "neg": -(2**63) + 1,
    "list": [2**53 + 1, "x"],
}
CARRIED = {
    "p53": 9007199254740992,
    "r53": 9007199254740992,
    "p63": 9223372036854776000,
    "q63": 9223372036854776000,
    "neg": -9223372036854775807 - 1,
    "list": [9007199254740992, "x"],
}


@pytest.mark.parametrize("go", [True, False])
def test_numbers_in_raw_json_pass_through_a_float64(go: bool) -> None:
    """Argo CD reads raw JSON into Go's `any` and writes it again, templates or not (3.6.1, `deeplyReplace`)."""
    spec = app_spec(source={"repoURL": "r", "helm": {"valuesObject": {**BIG, "deep": {"r53": 2**53 + 1}}}})
    metadata = {"name": "{{.name}}" if go else FAST}
    found = evaluated(ONE, spec=spec, metadata=metadata, goTemplate=go).applications[0]
    values = found["spec"]["source"]["helm"]["valuesObject"]
    assert values.pop("deep") == {"r53": 2**53}
    assert values.pop("neg") in (-9223372036854775808, -9.223372036854776e18)
    assert values == {name: number for name, number in CARRIED.items() if name != "neg"}


def test_numbers_of_a_patch_are_whole_as_far_as_an_int64_goes() -> None:
    patch = "spec: {source: {helm: {valuesObject: {a: 9007199254740993, b: 9223372036854775807, c: 9223372036854775808}}}}"
    metadata = {"name": "{{.name}}"}
    found = evaluated(ONE, metadata=metadata, goTemplate=True, templatePatch=patch).applications[0]
    values = found["spec"]["source"]["helm"]["valuesObject"]
    assert values == {"a": 2**53 + 1, "b": 2**63 - 1, "c": 9223372036854776000}
