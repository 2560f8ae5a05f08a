"""What `expand` promises to the hub's loops: typed completeness, requests, inputs, and one bad app at a time."""

from __future__ import annotations

from typing import Any

import pytest

from argosy.errors import Invalid
from hub.core.apps import advice
from hub.core.appsets.expand import Settings, expand
from hub.core.generators.base import TreeRequest
from hub.core.schema import parse
from hub.core.tree import MemoryTree
from hub.core.types import ClusterFacts, Complete, Failed, Partial
from tests.support.worlds import World


def appset(generators: list[Any], *, name: str = "{{.name}}", go: bool = True, **spec: Any) -> parse.AppSet:
    manifest = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "set", "namespace": "argocd"},
        "spec": {
            "goTemplate": go,
            "goTemplateOptions": ["missingkey=error"],
            "generators": generators,
            "template": {
                "metadata": {"name": name},
                "spec": {
                    "project": "default",
                    "source": {"repoURL": "https://git", "path": "{{.path}}" if go else "p"},
                    "destination": {"server": "https://s"},
                },
            },
            **spec,
        },
    }
    return parse.application_set(manifest)


def names(found: Any) -> list[str]:
    return [app["metadata"]["name"] for app in found.applications]


ELEMENTS = {"list": {"elements": [{"name": "a", "path": "x"}, {"name": "b"}, {"name": "c", "path": "y"}]}}


def test_one_bad_parameter_set_makes_one_app_invalid() -> None:
    found = expand(appset([ELEMENTS]), World())
    assert names(found) == ["a", "c"]
    assert [(problem.app, problem.reason, problem.where) for problem in found.problems] == [
        ("b", "RenderTemplateParamsError", "spec.template.spec.source.path")
    ]
    assert found.completeness == Complete(None)


def test_strict_stops_the_whole_set_as_argo_cd_does() -> None:
    found = expand(appset([ELEMENTS]), World(), Settings(strict=True))
    assert (names(found), len(found.problems)) == ([], 1)
    assert isinstance(found.completeness, Failed)


def test_of_ten_thousand_apps_one_bad_one_leaves_9999() -> None:
    elements: list[Any] = [{"name": f"a{index}", "path": "p"} for index in range(10_000)]
    del elements[5000]["path"]
    found = expand(appset([{"list": {"elements": elements}}]), World())
    assert (len(found.applications), len(found.problems)) == (9_999, 1)


GIT = {"git": {"repoURL": "https://git", "revision": "main", "directories": [{"path": "*"}]}}


def test_what_is_not_fetched_is_asked_for() -> None:
    other = {"git": {**GIT["git"], "repoURL": "https://other"}}
    found = expand(appset([GIT, ELEMENTS, other], name="{{.path.basename}}"), World())
    assert found.requests == (
        TreeRequest("https://git", "main", "default"),
        TreeRequest("https://other", "main", "default"),
    )
    assert isinstance(found.completeness, Failed)
    assert found.applications == ()


def test_a_matrix_asks_for_all_second_children_at_once() -> None:
    second = {"git": {**GIT["git"], "repoURL": "https://{{.name}}"}}
    both = {"list": {"elements": [{"name": "one"}, {"name": "two"}]}}
    found = expand(appset([{"matrix": {"generators": [both, second]}}]), World())
    assert [request.repo_url for request in found.requests] == ["https://one", "https://two"]


def test_a_failed_input_fails_the_set_and_names_it() -> None:
    found = expand(appset([ELEMENTS, GIT]), World(trees={"https://git": Failed("https://git: no answer")}))
    assert found.applications == ()
    assert found.completeness == Failed("spec.generators[1].git: https://git: no answer")


def test_a_partial_input_makes_the_evaluation_partial() -> None:
    tree = MemoryTree({"web/x": b""})
    found = expand(
        appset([GIT], name="{{.path.basename}}"), World(trees={"https://git": Partial(tree, "shallow")})
    )
    assert isinstance(found.completeness, Partial)


def test_inputs_name_what_may_change_the_result() -> None:
    selector = {"matchExpressions": [{"key": "env", "operator": "Exists"}]}
    tree = MemoryTree({"web/x": b""}, "c0ffee")
    children = [GIT, {"clusters": {"selector": selector}}]
    world = World([ClusterFacts("c1", "https://c1", {"env": "x"})], {"https://git": Complete(tree, "c0ffee")})
    found = expand(appset([{"matrix": {"generators": children}}], name="{{.name}}"), world)
    assert found.inputs.trees == {TreeRequest("https://git", "main", "default"): "c0ffee"}
    assert found.inputs.label_keys == {"env"}
    assert found.inputs.clusters
    assert found.inputs.requeue == 180


def test_evaluating_twice_gives_the_same_and_changes_no_input() -> None:
    tree = MemoryTree({"web/x": b"", "api/y": b""})
    world = World([ClusterFacts("c1", "https://c1", {"env": "x"})], {"https://git": Complete(tree)})
    generators = [{"matrix": {"generators": [GIT, {"clusters": {"values": {"v": "{{.name}}"}}}]}}]
    found = appset(generators, name="{{.path.basename}}-{{.values.v}}")
    first, second = expand(found, world), expand(found, world)
    assert first == second
    assert names(first) == ["api-c1", "api-in-cluster", "web-c1", "web-in-cluster"]


PULL = {
    "number": 7,
    "title": "T",
    "branch": "feat/Add_Login&More-" + "x" * 60,
    "target_branch": "main",
    "head_sha": "0123456789abcdef",
    "author": "ann",
    "labels": ["ui"],
}


def test_pull_requests_are_filtered_and_slugged() -> None:
    spec = {"github": {"owner": "o", "repo": "r"}, "filters": [{"branchMatch": "^feat", "titleMatch": "^T$"}]}
    world = World(provided=Complete([PULL, {**PULL, "number": 8, "branch": "fix"}]))
    found = expand(appset([{"pullRequest": spec}], name="{{.number}}-{{.branch_slug}}-{{.labels}}"), world)
    assert not found.applications
    found = expand(
        appset([{"pullRequest": {**spec, "values": {"p": "x"}}}], name="pr", go=False, goTemplateOptions=[]),
        world,
    )
    assert names(found) == ["pr"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "exactly one of github"),
        ({"github": {"owner": "o", "repo": "r"}, "gitlab": {"project": "p"}}, "exactly one of github"),
        (
            {"github": {"owner": "o", "repo": "r"}, "filters": [{"branchMatch": "("}]},
            "error compiling filter",
        ),
        (
            {"gitea": {"owner": "o", "repo": "r", "api": "https://evil"}},
            "scm provider not allowed: https://evil",
        ),
        (
            {"github": {"owner": "o", "repo": "r", "tokenRef": {"secretName": "s", "key": "k"}}},
            "secrets 's' not found in namespace 'argocd'",
        ),
    ],
)
def test_a_provider_that_cannot_be_asked_is_a_clear_failure(spec: Any, message: str) -> None:
    settings = Settings(allowed_scm_providers=("https://gitea.example.com/*",))
    found = expand(appset([{"pullRequest": spec}]), World(provided=Complete([])), settings)
    assert isinstance(found.completeness, Failed)
    assert message in found.completeness.reason


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generators": [{"lists": {}}]}, "spec.generators[0].lists: unknown field, did you mean list?"),
        ({"generators": [None]}, "spec.generators[0]: expected an object, found null"),
        (
            {"generators": [{"git": {"repoURL": "x", "revision": None}}]},
            "spec.generators[0].git.revision: required field is missing",
        ),
        (
            {"generators": [{"git": {"repoURL": "x"}}]},
            "spec.generators[0].git.revision: required field is missing",
        ),
        ({"goTemplate": "yes"}, "spec.goTemplate: expected a boolean, found the string 'yes'"),
        (
            {"syncPolicy": {"applicationsSync": "never"}},
            "spec.syncPolicy.applicationsSync: expected one of create-only",
        ),
        (
            {"strategy": {"deletionSync": "x"}},
            "spec.strategy.deletionSync: unknown field: the field is deletionOrder",
        ),
    ],
)
def test_admission_names_the_field(change: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid) as caught:
        appset(change.pop("generators", [ELEMENTS]), **{"go": change.pop("goTemplate", True), **change})
    assert message in caught.value.message


def test_a_templated_boolean_is_refused_with_the_way_out() -> None:
    template = {
        "metadata": {"name": "x"},
        "spec": {
            "project": "p",
            "destination": {},
            "syncPolicy": {"automated": {"prune": "{{.p}}"}, "preserveResourcesOnDeletion": True},
        },
    }
    with pytest.raises(Invalid) as caught:
        appset([ELEMENTS], template=template)
    assert "automated.prune: expected a boolean" in caught.value.message
    assert "use templatePatch" in caught.value.message
    assert "it belongs to spec.syncPolicy of the ApplicationSet" in caught.value.message


@pytest.mark.parametrize(
    "text", ['{"spec": {"project": "no", "info": [\t]}}', "spec: {project: other}", "", "  \n"]
)
def test_a_patch_may_be_json_yaml_or_nothing(text: str) -> None:
    found = expand(appset([ELEMENTS], templatePatch=text), World(), Settings())
    assert [app["spec"]["project"] for app in found.applications] == ["default", "default"]


def test_a_map_on_both_sides_of_a_values_object_fails_only_where_argo_cd_is_followed() -> None:
    helm = {"helm": {"valuesObject": {"a": {"x": 1}, "b": 1}}}
    template = {
        "metadata": {"name": "one"},
        "spec": {"project": "p", "destination": {"server": "s"}, "source": {"repoURL": "r", **helm}},
    }
    text = "spec: {source: {helm: {valuesObject: {a: {z: 2}, b: 2}}}}"
    one = appset([{"list": {"elements": [{"k": "v"}]}}], template=template, templatePatch=text)
    merged = expand(one, World()).applications[0]["spec"]["source"]["helm"]["valuesObject"]
    assert merged == {"a": {"x": 1, "z": 2}, "b": 2}
    strict = expand(one, World(), Settings(strict=True))
    assert "unable to find api field in struct RawExtension" in str(strict.problems[0])


def test_a_parameter_without_its_dot_is_explained() -> None:
    found = expand(appset([ELEMENTS], name="{{name}}"), World())
    assert "{{.name}}" in found.problems[0].message


def test_advice_on_what_argo_cd_takes_without_a_word() -> None:
    template = {
        "metadata": {"name": "{{.name}}", "finalizers": ["resource-finalizer.argocd.argoproj.io"]},
        "spec": {
            "project": "p",
            "destination": {"name": "a", "server": "b"},
            "source": {"repoURL": "r", "chart": "c", "path": "p", "helm": {"valueFiles": ["$vals/x.yaml"]}},
            "syncPolicy": {"syncOptions": ["createNamespace=true", "CreateProjects=true"]},
        },
    }
    found = appset([{}, {"list": {}, "clusters": {}}], go=False, template=template)
    texts = [str(problem) for problem in advice.on_application_set(found.spec)]
    for words in (
        "spec.generators[0]: names no generator",
        "spec.generators[1]: holds several generators (list, clusters)",
        "did you mean resources-finalizer.argocd.argoproj.io?",
        "both server and name are set",
        "unknown sync option 'createNamespace=true', did you mean CreateNamespace?",
        "unknown sync option 'CreateProjects=true'",
        "both chart and path are set",
        "a chart needs targetRevision",
        "'$vals/x.yaml': no source has ref: vals",
        "spec.template.metadata.name: holds a Go template, but goTemplate is not set",
    ):
        assert any(words in text for text in texts), words


def plugin_world(config: dict[str, str], **secret: str) -> World:
    return World(
        provided=Complete([{"name": "a", "path": "p"}]),
        objects=[
            {"kind": "ConfigMap", "metadata": {"name": "cm"}, "data": config},
            {"kind": "Secret", "metadata": {"name": "argocd-secret"}, "stringData": secret},
        ],
    )


PLUGIN = {"plugin": {"configMapRef": {"name": "cm"}, "input": {"parameters": {"team": "blue"}}}}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({}, "has no baseUrl"),
        ({"baseUrl": "http://x"}, "token: expected $KEY or $SECRET:KEY, found nothing"),
        ({"baseUrl": "http://x", "token": "plain"}, "found a text without a leading $"),
        ({"baseUrl": "http://x", "token": "$other:key"}, "secrets 'other' not found"),
        (
            {"baseUrl": "http://x", "token": "$k", "requestTimeout": "soon"},
            "requestTimeout: expected whole seconds",
        ),
    ],
)
def test_a_plugin_that_is_not_configured_is_a_clear_failure(config: dict[str, str], words: str) -> None:
    found = expand(appset([PLUGIN]), plugin_world(config, k="s3cret"))
    assert isinstance(found.completeness, Failed)
    assert words in found.completeness.reason


def test_a_plugins_input_is_json_for_json_functions_only() -> None:
    world = plugin_world({"baseUrl": "http://x", "token": "$k"}, k=" s3cret\n")
    template = {
        "metadata": {
            "name": "{{.name}}",
            "labels": {"json": "{{toJson .generator}}", "printed": "{{.generator.input.parameters.team}}"},
        },
        "spec": {"project": "p", "destination": {"server": "s"}},
    }
    found = expand(appset([PLUGIN], template=template), world)
    assert found.applications[0]["metadata"]["labels"] == {
        "json": '{"input":{"parameters":{"team":"blue"}}}',
        "printed": "{[34 98 108 117 101 34]}",
    }
    request = next(iter(found.inputs.providers))
    assert dict(request.secrets) == {"token": "s3cret"}
    assert "s3cret" not in repr(request)


def decisions(config: dict[str, str], status: Any) -> World:
    return World(
        [ClusterFacts("west", "https://west/")],
        objects=[
            {"kind": "ConfigMap", "metadata": {"name": "cm"}, "data": config},
            {"kind": "Placement", "apiVersion": "x.io/v1", "metadata": {"name": "web"}, "status": status},
        ],
    )


KIND = {"apiVersion": "x.io/v1", "kind": "placements"}


@pytest.mark.parametrize(
    ("config", "spec", "status", "words"),
    [
        ({"kind": "placements"}, {"name": "web"}, {}, "needs apiVersion (group/version) and kind"),
        (
            {"apiVersion": "v1", "kind": "pods"},
            {"name": "web"},
            {},
            "needs apiVersion (group/version) and kind",
        ),
        (KIND, {}, {}, "exactly one of name and labelSelector"),
        (KIND, {"name": "web", "labelSelector": {"matchLabels": {"a": "b"}}}, {}, "exactly one of name and"),
        (KIND, {"name": "gone"}, {}, "no clusterDecisionResources found"),
        (KIND, {"labelSelector": {"matchLabels": {"a": "b"}}}, {}, "no clusterDecisionResources found"),
        ({**KIND, "matchKey": "c"}, {"name": "web"}, {"other": []}, "web: status.clusters: expected a list"),
    ],
)
def test_a_cluster_decision_that_cannot_be_used_says_why(
    config: dict[str, str], spec: dict[str, Any], status: Any, words: str
) -> None:
    found = expand(
        appset([{"clusterDecisionResource": {"configMapRef": "cm", **spec}}]), decisions(config, status)
    )
    assert isinstance(found.completeness, Failed)
    assert words in found.completeness.reason


def test_cluster_decisions_without_a_match_key_or_a_status_are_none() -> None:
    generator = {"clusterDecisionResource": {"configMapRef": "cm", "name": "web"}}
    for world in (decisions(KIND, {"clusters": [{"c": "west"}]}), decisions({**KIND, "matchKey": "c"}, None)):
        found = expand(appset([generator]), world)
        assert (found.applications, found.completeness) == ((), Complete(None))


def test_a_cluster_decision_gives_the_server_without_its_slash() -> None:
    generator = {"clusterDecisionResource": {"configMapRef": "cm", "name": "web", "values": {"v": "{{.x}}"}}}
    world = decisions({**KIND, "matchKey": "c"}, {"clusters": [{"c": "west", "path": "p"}, {"c": "mars"}]})
    found = expand(appset([generator], name="{{.name}}-{{.values.v}}-{{.server}}"), world)
    assert names(found) == ["west-{{.x}}-https://west"]
