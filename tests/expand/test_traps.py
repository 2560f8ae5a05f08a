"""Traps of ApplicationSets, one by one: what Argo CD 3.6.1 makes of input that is easily read otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.tree import MemoryTree
from hub.core.types import ClusterFacts, Complete
from tests.expand.test_argo_details import app_spec, evaluated
from tests.support.worlds import World

GO = "{{.name}}"
SECRET = {"argocd.argoproj.io/secret-type": "cluster"}
PROD = ClusterFacts("prod", "https://prod", {**SECRET, "env": "prod"}, {"a.b/c": "note"})
DEV = ClusterFacts("dev", "https://dev", {**SECRET, "env": "dev"}, {})


def texts(
    generators: list[Any], template: str, *, go: bool = True, world: World | None = None, **more: Any
) -> list[str]:
    """What a text in the template gives for each parameter set; the Application's name stands for it."""
    metadata = {"name": GO if go else "{{name}}", "annotations": {"text": template}}
    spec = app_spec()
    found = evaluated(
        generators, metadata=metadata, spec=spec, goTemplate=go, world=world or World((PROD, DEV)), **more
    )
    assert found.problems == (), found.problems
    return [app["metadata"]["annotations"]["text"] for app in found.applications]


def problem(generators: list[Any], template: str, *, go: bool = True, **more: Any) -> str:
    metadata = {"name": GO if go else "{{name}}", "annotations": {"text": template}}
    found = evaluated(generators, metadata=metadata, goTemplate=go, world=World((PROD, DEV)), **more)
    assert found.applications == ()
    return "; ".join(str(one) for one in found.problems)


def listed(**params: Any) -> list[Any]:
    return [{"list": {"elements": [{"name": "a", **params}]}}]


def yamlled(text: str) -> list[Any]:
    return [{"list": {"elementsYaml": text}}]


class TestTheLocalCluster:
    def names(self, generator: dict[str, Any]) -> list[str]:
        found = evaluated(
            [{"clusters": generator}], metadata={"name": GO}, goTemplate=True, world=World((PROD, DEV))
        )
        return [app["metadata"]["name"] for app in found.applications]

    def test_it_is_there_without_a_secret_and_comes_last(self) -> None:
        assert self.names({})[-1] == "in-cluster"

    @pytest.mark.parametrize(
        "selector",
        [
            {"matchExpressions": [{"key": "absent", "operator": "DoesNotExist"}]},
            {"matchLabels": {"env": "prod"}},
        ],
    )
    def test_a_selector_leaves_it_out(self, selector: dict[str, Any]) -> None:
        assert "in-cluster" not in self.names({"selector": selector})

    def test_it_has_no_labels_at_all(self) -> None:
        assert texts([{"clusters": {}}], "{{.metadata.labels.env}}")[-1] == "<no value>"
        assert "metadata" in problem(
            [{"clusters": {}}], "{{.metadata.labels.env}}", goTemplateOptions=["missingkey=error"]
        )


@pytest.mark.parametrize(
    ("value", "template", "text"),
    [
        (1234567, "{{.v}}", "1.234567e+06"),
        (1234567, "{{.v | int}}", "1234567"),
        (1234567, "{{.v | toJson}}", "1234567"),
        (100000, "{{.v}}", "100000"),
        (0.5, "{{.v}}", "0.5"),
        (None, "{{.v}}", "<no value>"),
        (None, "{{.absent}}", "<no value>"),
        (None, '{{.v | toString}}{{print .v}}{{printf "%v" .v}}', "<nil><nil><nil>"),
        (None, "{{toJson .v}}{{toYaml .v}}", "nullnull"),
        ({"x": None}, "{{.v}}", "map[x:<nil>]"),
        ([None, 1], "{{.v}}", "[<nil> 1]"),
        (True, "{{.v}}", "true"),
        ("äö", "{{.v | trunc 1}}|{{len .v}}", "\ufffd|4"),
        ("x", "{{ .v | }}", "x"),
    ],
)
def test_values_print_as_go_prints_them(value: Any, template: str, text: str) -> None:
    assert texts(listed(v=value), template) == [text]


@pytest.mark.parametrize(
    ("scalar", "template", "text"),
    [
        ("010", "{{.v}}", "8"),
        ("08", "{{.v}}", "8"),
        ("+5", "{{.v}}", "5"),
        (".5", "{{.v}}", "0.5"),
        ("1_000", "{{.v}}", "1000"),
        ("on", "{{.v}}", "true"),
        ("'on'", "{{.v}}", "on"),
        ("1e3", "{{.v}}", "1000"),
        ("0x1F", "{{.v}}", "31"),
    ],
)
def test_scalars_are_those_of_kubernetes_yaml(scalar: str, template: str, text: str) -> None:
    assert texts(yamlled(f"[{{name: a, v: {scalar}}}]"), template) == [text]


def test_y_as_a_key_is_true() -> None:
    assert texts(yamlled("[{name: a, y: 1}]"), '{{index . "true"}}') == ["1"]


def test_elements_of_a_text_stay_nested_without_go_templates() -> None:
    assert texts(yamlled("[{name: a, meta: {x: 1}}]"), "{{name}} {{meta.x}}", go=False) == ["a {{meta.x}}"]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{ unknown }}-{{name}}", "{{ unknown }}-a"),
        ("{{\nname}}", "{{\nname}}"),
        ("{{{{name}}}}", "{{{{name}}}}"),
        ("{{name}}}}", "a}}"),
        ("{{ {{name}} }}", "{{ {{name}} }}"),
    ],
)
def test_tags_without_go_templates(template: str, text: str) -> None:
    assert texts(listed(), template, go=False) == [text]


def test_an_open_tag_beside_a_whole_one_is_an_error() -> None:
    assert problem(listed(), "{{name}} {{", go=False)


PROD_ONLY = [{"clusters": {"selector": {"matchLabels": {"env": "prod"}}, "values": {"x": "1"}}}]


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{{index .metadata.labels "none"}}|', "|"),
        ('{{index .values "none"}}|{{index .values "x"}}', "|1"),
        ("{{range $k, $v := .metadata.annotations}}{{$k}}={{$v}};{{end}}", "a.b/c=note;"),
        ("{{len .metadata.labels}}", "2"),
        ("{{with .values}}{{.x}}{{end}}", "1"),
        ("{{toJson .values}}", '{"x":"1"}'),
    ],
)
def test_labels_annotations_and_values_are_maps_of_texts(template: str, text: str) -> None:
    assert texts(PROD_ONLY, template) == [text]


@pytest.mark.parametrize("call", ["dig", "get", "keys", "hasKey", "pick", "omit", "pluck"])
def test_functions_on_dictionaries_do_not_take_them(call: str) -> None:
    rest = {"dig": '"x" "" .values', "pluck": '"x" .values', "keys": ".values"}.get(call, '.values "x"')
    assert problem(PROD_ONLY, f"{{{{{call} {rest}}}}}")


def test_annotations_with_a_slash_are_names_of_tags() -> None:
    assert texts(PROD_ONLY, "{{metadata.annotations.a.b/c}}", go=False) == ["note"]


@pytest.mark.parametrize(
    "name",
    [
        "argocd.argoproj.io/refresh",
        "argocd.argoproj.io/refresh-timestamp",
        "argocd.argoproj.io/hydrate",
        "argocd.argoproj.io/hydrate-timestamp",
        "argocd.argoproj.io/tracking-id",
        "argocd.argoproj.io/installation-id",
        "kubectl.kubernetes.io/last-applied-configuration",
    ],
)
def test_annotations_of_argo_cd_itself_are_no_parameters(name: str) -> None:
    cluster = ClusterFacts("one", "https://one", SECRET, {name: "x"})
    generators = [{"clusters": {"selector": {"matchLabels": SECRET}}}]
    assert texts(generators, "{{.metadata.annotations}}", world=World((cluster,))) == ["map[]"]


@pytest.mark.parametrize("elements", [[None], [{"name": "a"}, None]])
def test_an_element_that_is_null_is_an_error(elements: list[Any]) -> None:
    assert problem([{"list": {"elements": elements}}], "x")


def selected(selector: dict[str, Any], *elements: dict[str, Any], go: bool = True) -> list[str]:
    return texts(
        [{"list": {"elements": list(elements)}, "selector": selector}], GO if go else "{{name}}", go=go
    )


@pytest.mark.parametrize("go", [True, False])
def test_not_in_matches_what_has_no_such_label(go: bool) -> None:
    selector = {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["prod"]}]}
    assert selected(selector, {"name": "a"}, {"name": "b", "env": "prod"}, go=go) == ["a"]


def test_selectors_see_flat_parameters() -> None:
    assert selected({"matchLabels": {"l.0": "x"}}, {"name": "a", "l": ["x"]}, {"name": "b", "l": ["y"]}) == [
        "a"
    ]
    assert selected({"matchLabels": {"m.k": "1"}}, {"name": "a", "m": {"k": 1}}, {"name": "b"}) == ["a"]


REPO = {
    "apps/api/config.json": b'{"name": "a", "env": "x"}',
    "apps/web/config.json": b'{"name": "b"}',
    "apps/web/skip.json": b'{"name": "c"}',
}
AT = {"repoURL": "https://git.example.com/f", "revision": "HEAD"}


def in_git(generator: dict[str, Any], template: str, *, go: bool = True) -> list[str]:
    world = World((PROD,), trees={AT["repoURL"]: Complete(MemoryTree(REPO))})
    return texts([generator], template, go=go, world=world)


def test_segments_of_a_path_are_one_text_to_selectors() -> None:
    git = {"git": {**AT, "files": [{"path": "apps/*/config.json"}]}}
    assert in_git({**git, "selector": {"matchLabels": {"path.basename": "api"}}}, GO) == ["a"]
    assert in_git(
        {**git, "selector": {"matchExpressions": [{"key": "path.segments", "operator": "Exists"}]}}, GO
    ) == ["a", "b"]
    assert in_git({**git, "selector": {"matchLabels": {"path.segments.0": "apps"}}}, GO) == []


@pytest.mark.parametrize("go", [True, False])
def test_excluded_files_are_out_whatever_the_order(go: bool) -> None:
    picks = [{"path": "apps/*/*.json"}, {"path": "**/skip.json", "exclude": True}]
    for files in (picks, picks[::-1]):
        assert in_git({"git": {**AT, "files": files}}, GO if go else "{{name}}", go=go) == ["a", "b"]
    assert in_git({"git": {**AT, "files": picks[1:]}}, GO if go else "{{name}}", go=go) == []


def test_finalizers_of_a_patch_come_first() -> None:
    found = evaluated(
        listed(),
        metadata={"name": GO},
        goTemplate=True,
        templatePatch="metadata: {finalizers: [mine.example.com/x]}",
    )
    assert found.applications[0]["metadata"]["finalizers"] == [
        "mine.example.com/x",
        "resources-finalizer.argocd.argoproj.io",
    ]


def test_a_template_within_a_value_is_rendered_by_tpl() -> None:
    assert texts(listed(t="{{.x}}-{{.absent}}", x="1"), "{{tpl .t .}}") == ["1-"]
    assert problem(listed(t="{{tpl .t .}}"), "{{tpl .t .}}")


@pytest.mark.parametrize("absent", [False, 0, "", None])
def test_the_template_of_a_generator_cannot_unset(absent: Any) -> None:
    base = app_spec(syncPolicy={"automated": {"prune": True, "enabled": True}}, revisionHistoryLimit=3)
    mine = {
        "metadata": {"name": GO},
        "spec": {
            "project": "",
            "source": {"repoURL": ""},
            "destination": {},
            "syncPolicy": {"automated": {"prune": bool(absent), "enabled": bool(absent)}},
            "revisionHistoryLimit": 0,
        },
    }
    generators = [{"list": {"elements": [{"name": "a"}], "template": mine}}]
    spec = evaluated(generators, metadata={"name": GO}, spec=base, goTemplate=True).applications[0]["spec"]
    assert (spec["project"], spec["revisionHistoryLimit"]) == ("default", 3)
    assert spec["syncPolicy"]["automated"] == {"prune": True, "enabled": True}


def merged(base: dict[str, Any], override: dict[str, Any]) -> list[str]:
    children = [
        {"list": {"elements": [{"name": "a", **base}]}},
        {"list": {"elements": [{"name": "a", **override}]}},
    ]
    return texts([{"merge": {"mergeKeys": ["name"], "generators": children}}], "{{toJson .v}}")


@pytest.mark.parametrize(
    ("override", "result"),
    [
        ({}, '{"k":1}'),
        ([], "[]"),
        ("", '""'),
        (0, "0"),
        (False, "false"),
        (None, "null"),
        ({"l": 2}, '{"k":1,"l":2}'),
    ],
)
def test_what_an_override_of_a_merge_replaces(override: Any, result: str) -> None:
    assert merged({"v": {"k": 1}}, {"v": override}) == [result]
