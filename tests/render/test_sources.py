"""Which blocks of a source count, what a folder is, and what variables become: as Argo CD decides it."""

from __future__ import annotations

from typing import Any

import pytest
from render_case import application, config_map, tree

from argosy.errors import Invalid
from hub.core.apps import sources
from hub.render import table

VARIABLES = {"A": "1", "NAME": "web"}
EVERYTHING = {
    "Chart.yaml": "apiVersion: v2\nname: c\nversion: 1.0.0\n",
    "kustomization.yaml": "resources: [a.yaml]\n",
    "a.yaml": config_map(),
}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("$NAME-${A}", "web-1"),
        ("$$NAME", "$NAME"),
        ("$$$NAME", "$web"),
        ("$ABSENT${absent}.", "."),
        ("pa$1word", "paword"),
        ("a$-b$?c$*d", "abcd"),
        ("${}x${$}", "x$"),
        ("${A-default}", ""),
        ("${NAME", "NAME"),
        ("5$", "5$"),
        ("$ A $. $\u00e9", "$ A $. $\u00e9"),
        ("$NAME\u00e9", "web\u00e9"),
    ],
)
def test_variables_are_put_in_as_go_does(text: str, wanted: str) -> None:
    assert sources.expand(text, VARIABLES) == wanted


@pytest.mark.parametrize("path", [".", "web", "./web/", "web/../web"])
def test_the_build_environment_tells_the_path_as_it_was_written(path: str) -> None:
    app = application(path)
    found = sources.environment(app, sources.of(app)[0], "c" * 40)
    assert found["ARGOCD_APP_SOURCE_PATH"] == path


@pytest.mark.parametrize(
    "block",
    [
        {"directory": {"recurse": False}},
        {"directory": {"include": "", "jsonnet": {"libs": []}}},
        {"helm": {"values": "", "parameters": [], "skipCrds": False}},
        {"helm": {"valuesObject": None}},
        {"kustomize": {"commonLabels": {}, "forceCommonLabels": True}},
    ],
)
def test_a_block_that_asks_for_nothing_says_nothing(block: dict[str, Any]) -> None:
    (source,) = sources.of(
        application(**block, kustomize={"namePrefix": "x-"}) if "helm" in block else application(**block)
    )
    assert source.tool == ("kustomize" if "helm" in block else "")


@pytest.mark.parametrize(
    ("block", "tool"),
    [
        ({"directory": {"exclude": "x"}}, "directory"),
        ({"directory": {"jsonnet": {"libs": ["x"]}}}, "directory"),
        ({"helm": {"valuesObject": {}}}, "helm"),
        ({"kustomize": {"ignoreMissingComponents": True}}, "kustomize"),
    ],
)
def test_a_block_that_asks_for_something_decides(block: dict[str, Any], tool: str) -> None:
    assert sources.of(application(**block))[0].tool == tool


def test_a_plugin_is_refused_however_little_is_said_of_it() -> None:
    with pytest.raises(Invalid, match=r"spec\.source\.plugin: config management plugins are not supported"):
        sources.of(application(plugin={}))


@pytest.mark.parametrize(
    ("without", "tool"),
    [("", "kustomize"), ("kustomization.yaml", "helm"), ("Chart.yaml", "kustomize")],
)
def test_a_kustomization_beside_a_chart_decides(without: str, tool: str) -> None:
    files = {path: text for path, text in EVERYTHING.items() if path != without}
    assert table.detect(sources.of(application())[0], tree(files)).name == tool


@pytest.mark.parametrize(
    ("text", "tool", "message"),
    [
        ("helm: {}\n", "helm", ""),
        ("directory: {recurse: false}\n", "directory", ""),
        ("kustomize: {nope: 1}\n", "kustomize", ""),
        (
            "directory: {recurse: 'false'}\n",
            "",
            r"\.argocd-source\.yaml: directory\.recurse: expected a boolean",
        ),
        ("kustomize: {commonLabels: {a: 1}}\n", "", r"kustomize\.commonLabels\.a: expected a string"),
        ("helm: text\n", "", r"\.argocd-source\.yaml\.helm: a mapping is expected"),
    ],
)
def test_a_block_of_an_override_decides_and_has_the_right_types(text: str, tool: str, message: str) -> None:
    (source,) = sources.of(application())
    files = tree({**EVERYTHING, ".argocd-source.yaml": text})
    if message:
        with pytest.raises(Invalid, match=message):
            sources.overridden(source, files, "app")
    else:
        assert sources.overridden(source, files, "app").tool == tool


def test_a_null_of_an_override_takes_away_values_alone() -> None:
    helm = {"releaseName": "mine", "valuesObject": {"a": 1, "b": {"c": 2, "d": 3}}}
    (source,) = sources.of(application(helm=helm))
    text = "helm: {releaseName: null, valuesObject: {a: null, b: {c: null}}}\nkustomize: null\n"
    files = tree({".argocd-source.yaml": text, ".argocd-source-app.yaml": "helm: null\n"})
    found = sources.overridden(source, files, "app")
    assert found.options == {"releaseName": "mine", "valuesObject": {"b": {"d": 3}}}


def test_a_reference_alone_is_no_source() -> None:
    app = application()
    app["spec"]["source"] = {"repoURL": "https://git.example.com/a", "ref": "values"}
    with pytest.raises(Invalid, match=r"spec\.source\.path is missing"):
        sources.of(app)
    app["spec"]["sources"] = [app["spec"].pop("source")]
    assert not sources.of(app)[0].renders


def test_a_reference_that_no_source_has_is_told_also_where_missing_files_are_ignored() -> None:
    app = application()
    helm = {"valueFiles": ["$A.yaml", "$other/x.yaml"], "ignoreMissingValueFiles": True}
    first = {"repoURL": "https://git.example.com/a", "path": ".", "helm": helm}
    app["spec"] = {
        **app["spec"],
        "sources": [first, {"repoURL": "https://git.example.com/b", "ref": "values"}],
    }
    source = sources.of(app)[0]
    with pytest.raises(
        Invalid, match=r"valueFiles: \$other/x\.yaml: no source has the ref 'other' \(values\)"
    ):
        sources.substituted(source, VARIABLES, ["values"])
    found = sources.substituted(source, VARIABLES, ["values", "other"])
    assert found.options["valueFiles"] == ["1.yaml", "$other/x.yaml"]
