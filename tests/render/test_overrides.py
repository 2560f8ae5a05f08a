"""Every field of an Application's `helm`, `kustomize` and `directory` block, one by one, with the real tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from chart_case import chart
from render_case import application, config_map, names, needs_kustomize, rendered, tree

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.apps import sources
from hub.core.schema import app_fields
from hub.render.rendering import Rendering

Objects = list[Manifest]


@dataclass(frozen=True)
class Case:
    """`field` of the block is set by `options`. `found` picks from the objects what `with_it` and `without` say, the
    latter of the block without the field; `without` is None where that is refused. `also` stays in both."""

    field: str
    options: dict[str, Any]
    found: Callable[[Objects], Any]
    with_it: Any
    without: Any = None
    also: dict[str, Any] = field(default_factory=dict)


def ids(case: Case) -> str:
    return f"{case.field}={json.dumps(case.options)[:40]}"


async def check(rendering: Rendering, files: Any, block: str, case: Case) -> None:
    objects = await rendered(rendering, files, **{block: {**case.also, **case.options}})
    assert case.found(objects) == case.with_it
    rest = {name: value for name, value in case.options.items() if name != case.field}
    if case.without is None:
        with pytest.raises(Invalid):
            await rendered(rendering, files, **{block: {**case.also, **rest}})
    else:
        assert case.found(await rendered(rendering, files, **{block: {**case.also, **rest}})) == case.without


# --- Helm


def values(objects: Objects) -> dict[str, Any]:
    shown = next(one for one in objects if one["metadata"]["name"].endswith("-shown"))
    told: dict[str, Any] = json.loads(shown["data"]["values"])
    return {name: value for name, value in told.items() if name != "from"}


def data(name: str) -> Callable[[Objects], Any]:
    return lambda objects: next(one["data"][name] for one in objects if name in (one.get("data") or {}))


def names_of_shown(objects: Objects) -> str:
    return next(one for one in names(objects) if one.endswith("-shown"))


def kinds_of(objects: Objects) -> list[str]:
    return sorted(one["kind"] for one in objects)


CAPABLE = """\
apiVersion: v1
kind: ConfigMap
metadata: {name: capable}
data:
  version: {{ .Capabilities.KubeVersion.Version | quote }}
  has: {{ .Capabilities.APIVersions.Has "x.example.com/v1/X" | quote }}
"""
TEST_POD = (
    'apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {"helm.sh/hook": test}}\n'
    "spec: {containers: [{name: c, image: x}]}\n"
)
CHART: dict[str, str | bytes] = {
    **chart(),
    "templates/capable.yaml": CAPABLE,
    "templates/test.yaml": TEST_POD,
    "crds/x.yaml": "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x}\n",
    "values.schema.json": '{"properties": {"port": {"type": "integer"}}}',
    "one.yaml": "a: one\n",
    "two.yaml": "a: two\n",
    "banner.txt": "a banner, with commas\nof two lines\n",
}
ALL = ["ConfigMap", "ConfigMap", "CustomResourceDefinition", "Pod"]
HELM = [
    Case("values", {"values": "a: {b: 1}\n"}, values, {"a": {"b": 1}}, {}),
    Case("values", {"values": "a: 1\n", "valuesObject": {"c": 2}}, values, {"c": 2}, {"c": 2}),
    Case("valuesObject", {"valuesObject": {"a": {"b": [1, "2", None, True]}}}, values,
         {"a": {"b": [1, "2", None, True]}}, {}),
    Case("valueFiles", {"valueFiles": ["one.yaml", "two.yaml"]}, values, {"a": "two"}, {}),
    Case("valueFiles", {"valueFiles": ["two.yaml", "one.yaml"]}, values, {"a": "one"}, {}),
    Case("ignoreMissingValueFiles", {"valueFiles": ["no.yaml", "one.yaml"], "ignoreMissingValueFiles": True}, values,
         {"a": "one"}, None),
    Case("parameters", {"parameters": [{"name": "a.b", "value": "1"}]}, values, {"a": {"b": 1}}, {}),
    Case("parameters", {"parameters": [{"name": "a", "value": "1", "forceString": True}]}, values, {"a": "1"}, {}),
    Case("parameters", {"parameters": [{"name": "a", "value": "true", "forceString": True}]}, values, {"a": "true"}, {}),
    Case("parameters", {"parameters": [{"name": "a", "value": "x,y=z"}]}, values, {"a": "x,y=z"}, {}),
    Case("parameters", {"parameters": [{"name": "a", "value": r"x\,y"}]}, values, {"a": "x,y"}, {}),
    Case("parameters", {"parameters": [{"name": "a", "value": "{x,y}"}]}, values, {"a": ["x", "y"]}, {}),
    Case("parameters", {"parameters": [{"name": "a", "value": "{x,y}", "forceString": True}]}, values,
         {"a": ["x", "y"]}, {}),
    Case("parameters", {"parameters": [{"name": "a[1]", "value": "x"}]}, values, {"a": [None, "x"]}, {}),
    Case("parameters", {"parameters": [{"name": r"a\.b/c", "value": "x"}]}, values, {"a.b/c": "x"}, {}),
    Case("parameters", {"parameters": [{"name": "a", "value": ""}]}, values, {"a": ""}, {}),
    Case("parameters", {"parameters": [{"name": "a"}]}, values, {"a": ""}, {}),
    Case("parameters", {"parameters": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]}, values, {"a": 2}, {}),
    Case("parameters", {"parameters": [{"name": "a", "value": "$ARGOCD_APP_NAME-$$x"}]}, values, {"a": "app-$x"}, {}),
    Case("fileParameters", {"fileParameters": [{"name": "a", "path": "banner.txt"}]}, values,
         {"a": "a banner, with commas\nof two lines\n"}, {}),
    Case("releaseName", {"releaseName": "mine"}, names_of_shown, "mine-shown", "app-shown"),
    Case("namespace", {"namespace": "elsewhere"}, data("namespace"), "elsewhere", "there"),
    Case("skipCrds", {"skipCrds": True}, kinds_of, ["ConfigMap", "ConfigMap", "Pod"], ALL),
    Case("skipTests", {"skipTests": True}, kinds_of, ["ConfigMap", "ConfigMap", "CustomResourceDefinition"], ALL),
    Case("skipSchemaValidation", {"skipSchemaValidation": True}, values, {"port": "x"}, None,
         {"valuesObject": {"port": "x"}}),
    Case("kubeVersion", {"kubeVersion": "1.29.3"}, lambda found: data("version")(found) == "v1.29.3", True, False),
    Case("apiVersions", {"apiVersions": ["x.example.com/v1/X"]}, data("has"), "true", "false"),
    Case("version", {"version": "v3"}, kinds_of, ALL, ALL),
    Case("passCredentials", {"passCredentials": True}, kinds_of, ALL, ALL),
]  # fmt: skip


@pytest.mark.usefixtures("helm")
@pytest.mark.parametrize("case", HELM, ids=ids)
async def test_helm(rendering: Rendering, case: Case) -> None:
    await check(rendering, tree(CHART), "helm", case)


# --- Kustomize

WEB = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {known: one}, annotations: {known: one}}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "nginx:1.0"}, {name: side, image: "example.com:5000/side@sha256:aa"}]}
"""
KUSTOMIZATION = """\
resources: [web.yaml]
commonAnnotations: {there: one}
labels: [{pairs: {there: one}}]
images: [{name: nginx, newTag: "2.0"}]
replicas: [{name: web, count: 2}]
namePrefix: old-
"""
FOLDER: dict[str, str | bytes] = {
    "kustomization.yaml": KUSTOMIZATION,
    "web.yaml": WEB,
    "more.yaml": "- {op: add, path: /metadata/labels/patched, value: file}\n",
    "part/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [extra.yaml]\n"
    ),
    "part/extra.yaml": config_map("extra"),
}


def web(objects: Objects) -> Manifest:
    return next(one for one in objects if one["kind"] == "Deployment")


def name(objects: Objects) -> str:
    return str(web(objects)["metadata"]["name"])


def images(objects: Objects) -> list[str]:
    return [one["image"] for one in web(objects)["spec"]["template"]["spec"]["containers"]]


def replicas(objects: Objects) -> int:
    return int(web(objects)["spec"]["replicas"])


def notes(objects: Objects) -> dict[str, str]:
    return dict(web(objects)["metadata"]["annotations"])


def labels(objects: Objects) -> list[dict[str, str]]:
    """Of the object, of its selector, of its pods."""
    spec = web(objects)["spec"]
    found = (
        web(objects)["metadata"],
        {"labels": spec["selector"]["matchLabels"]},
        spec["template"]["metadata"],
    )
    return [{key: value for key, value in one["labels"].items() if key != "known"} for one in found]


SIDE = "example.com:5000/side@sha256:aa"
BASE = [{"there": "one"}, {"app": "web"}, {"app": "web"}]
OWN = {"known": "one", "there": "one"}


def labelled(*places: int, **added: str) -> list[dict[str, str]]:
    return [{**one, **added} if at in places else one for at, one in enumerate(BASE)]


PATCH = "- {op: add, path: /metadata/labels/patched, value: inline}\n"
KUSTOMIZE = [
    Case("namePrefix", {"namePrefix": "new-"}, name, "new-web", "old-web"),
    Case("nameSuffix", {"nameSuffix": "-x"}, name, "old-web-x", "old-web"),
    Case("namespace", {"namespace": "ns"}, lambda found: web(found)["metadata"].get("namespace", ""), "ns", ""),
    Case("images", {"images": ["nginx:3.0"]}, images, ["nginx:3.0", SIDE], ["nginx:2.0", SIDE]),
    Case("images", {"images": ["nginx=r.example.com/n"]}, images, ["r.example.com/n:1.0", SIDE], ["nginx:2.0", SIDE]),
    Case("images", {"images": ["nginx=r.example.com/n:*"]}, images, ["r.example.com/n:2.0", SIDE], ["nginx:2.0", SIDE]),
    Case("images", {"images": ["nginx=r:5000/n:4@sha256:bb"]}, images, ["r:5000/n:4@sha256:bb", SIDE],
         ["nginx:2.0", SIDE]),
    Case("images", {"images": ["example.com:5000/side:5"]}, images, ["nginx:2.0", "example.com:5000/side:5"],
         ["nginx:2.0", SIDE]),
    Case("images", {"images": ["nginx:1", "nginx:2"]}, images, ["nginx:2", SIDE], ["nginx:2.0", SIDE]),
    Case("replicas", {"replicas": [{"name": "web", "count": 5}]}, replicas, 5, 2),
    Case("replicas", {"replicas": [{"name": "web", "count": "6"}]}, replicas, 6, 2),
    Case("replicas", {"replicas": [{"name": "web", "count": 0}]}, replicas, 0, 2),
    Case("commonLabels", {"commonLabels": {"l": "1"}}, labels, labelled(0, 1, 2, l="1"), BASE),
    Case("commonLabels", {"commonLabels": {"l": "$ARGOCD_APP_NAME"}}, labels, labelled(0, 1, 2, l="app"), BASE),
    Case("labelWithoutSelector", {"labelWithoutSelector": True}, labels, labelled(0, l="1"), labelled(0, 1, 2, l="1"),
         {"commonLabels": {"l": "1"}}),
    Case("labelIncludeTemplates", {"labelIncludeTemplates": True}, labels, labelled(0, 2, l="1"), labelled(0, l="1"),
         {"commonLabels": {"l": "1"}, "labelWithoutSelector": True}),
    Case("forceCommonLabels", {"forceCommonLabels": True}, labels, labelled(0, there="two"), None,
         {"commonLabels": {"there": "two"}, "labelWithoutSelector": True}),
    Case("commonAnnotations", {"commonAnnotations": {"a": "1"}}, notes, {**OWN, "a": "1"}, OWN),
    Case("commonAnnotations", {"commonAnnotations": {"a": "$ARGOCD_APP_NAME"}}, notes,
         {**OWN, "a": "$ARGOCD_APP_NAME"}, OWN),
    Case("commonAnnotationsEnvsubst", {"commonAnnotationsEnvsubst": True}, notes,
         {**OWN, "a": "app"}, {**OWN, "a": "$ARGOCD_APP_NAME"}, {"commonAnnotations": {"a": "$ARGOCD_APP_NAME"}}),
    Case("forceCommonAnnotations", {"forceCommonAnnotations": True}, notes, {**OWN, "there": "two"}, None,
         {"commonAnnotations": {"there": "two"}}),
    Case("patches", {"patches": [{"target": {"kind": "Deployment"}, "patch": PATCH}]}, labels,
         labelled(0, patched="inline"), BASE),
    Case("patches", {"patches": [{"target": {"labelSelector": "known=one"}, "path": "more.yaml"}]}, labels,
         labelled(0, patched="file"), BASE),
    Case("patches", {"patches": [{"target": {"name": "other"}, "patch": PATCH}]}, labels, BASE, BASE),
    Case("patches", {"patches": [{"patch": "kind: Deployment\napiVersion: apps/v1\nmetadata: {name: other}\n",
                                  "target": {"name": "web"}, "options": {"allowNameChange": True}}]}, name, "old-other",
         "old-web"),
    Case("components", {"components": ["part"]}, names, ["old-extra", "old-web"], ["old-web"]),
    Case("ignoreMissingComponents", {"components": ["part", "gone"], "ignoreMissingComponents": True}, names,
         ["old-extra", "old-web"], None),
    Case("kubeVersion", {"kubeVersion": "1.30.0"}, name, "old-web", "old-web"),
    Case("apiVersions", {"apiVersions": ["x/v1"]}, name, "old-web", "old-web"),
]  # fmt: skip


@needs_kustomize
@pytest.mark.parametrize("case", KUSTOMIZE, ids=ids)
async def test_kustomize(rendering: Rendering, case: Case) -> None:
    await check(rendering, tree(FOLDER), "kustomize", case)


# --- plain folders

PLAIN: dict[str, str | bytes] = {
    "a.yaml": config_map("a"),
    "b.yml": config_map("b"),
    "c.json": '{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}',
    "d.tpl": config_map("d"),
    "below/e.yaml": config_map("e"),
    "below/deep/f.yaml": config_map("f"),
}
DIRECTORY = [
    Case("recurse", {"recurse": True}, names, ["a", "b", "f", "e", "c"], ["a", "b", "c"]),
    Case("include", {"include": "*.yaml"}, names, ["a"], ["a", "b", "c"]),
    Case("include", {"include": "{a.yaml,c.*}"}, names, ["a", "c"], ["a", "b", "c"]),
    Case(
        "include",
        {"include": "below/*.yaml"},
        names,
        ["f", "e"],
        ["a", "b", "f", "e", "c"],
        {"recurse": True},
    ),
    Case("exclude", {"exclude": "*.yaml"}, names, ["b", "c"], ["a", "b", "c"]),
    Case("exclude", {"exclude": "a*"}, names, [], ["a"], {"include": "*.yaml"}),
    Case(
        "disableExtensionFilter",
        {"disableExtensionFilter": True},
        names,
        ["a", "b", "c", "d"],
        ["a", "b", "c"],
    ),
]


@pytest.mark.parametrize("case", DIRECTORY, ids=ids)
async def test_directory(rendering: Rendering, case: Case) -> None:
    files = tree(PLAIN)

    def sorted_names(objects: Objects) -> Any:
        return sorted(case.found(objects))

    even = Case(case.field, case.options, sorted_names, sorted(case.with_it), sorted(case.without), case.also)
    await check(rendering, files, "directory", even)


@pytest.mark.parametrize(
    ("block", "table", "elsewhere"),
    [
        ("helm", HELM, set()),
        ("kustomize", KUSTOMIZE, {"version"}),
        ("directory", DIRECTORY, {"jsonnet"}),
    ],
)
def test_every_field_has_a_case(block: str, table: list[Case], elsewhere: set[str]) -> None:
    """`elsewhere` are those that are refused by name, or tried in a module of their own."""
    shape = {"helm": app_fields.HELM, "kustomize": app_fields.KUSTOMIZE, "directory": app_fields.DIRECTORY}[
        block
    ]
    assert {case.field for case in table} | elsewhere == set(shape.fields)
    for name in elsewhere:
        app = application(**{block: {name: "v1"}})
        assert sources.of(app)[0].options == {name: "v1"}
