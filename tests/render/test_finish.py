"""What is added to rendered objects, and what is refused before anything is assigned."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from argosy import bundle
from hub.core.apps import finish
from hub.core.apps.finish import Limits, Target

TARGET = Target("there", "app")


def an(kind: str, name: str = "x", api: str = "v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}}


def one(manifest: dict[str, Any], target: Target = TARGET) -> dict[str, Any]:
    found = finish.finish([manifest], target)
    assert found.problems == ()
    return found.objects[0]["metadata"]


def test_namespaced_objects_get_the_destinations_namespace_and_keep_their_own() -> None:
    assert one(an("ConfigMap"))["namespace"] == "there"
    assert one(an("ConfigMap", namespace="own"))["namespace"] == "own"
    assert one(an("Widget", api="example.com/v1"))["namespace"] == "there"


@pytest.mark.parametrize(
    ("api", "kind"),
    [
        ("v1", "Namespace"),
        ("rbac.authorization.k8s.io/v1", "ClusterRole"),
        ("storage.k8s.io/v1beta1", "StorageClass"),
        ("cert-manager.io/v1", "ClusterIssuer"),
    ],
)
def test_objects_outside_namespaces_have_none(api: str, kind: str) -> None:
    assert "namespace" not in one(an(kind, api=api, namespace="wrong"))


def test_definitions_of_the_same_app_decide_the_scope() -> None:
    def definition(kind: str, group: str, scope: str) -> dict[str, Any]:
        spec = {"group": group, "scope": scope, "names": {"kind": kind}}
        return {**an("CustomResourceDefinition", kind, "apiextensions.k8s.io/v1"), "spec": spec}

    found = finish.finish(
        [
            an("Widget", api="example.com/v1"),
            definition("Widget", "example.com", "Cluster"),
            an("ClusterIssuer", api="cert-manager.io/v1"),
            definition("ClusterIssuer", "cert-manager.io", "Namespaced"),
        ],
        TARGET,
    )
    namespaces = {each["kind"]: each["metadata"].get("namespace") for each in found.objects}
    assert namespaces == {"Widget": None, "CustomResourceDefinition": None, "ClusterIssuer": "there"}


def test_tracking_is_argo_cds() -> None:
    assert one(an("Deployment", api="apps/v1"))["annotations"] == {
        "argocd.argoproj.io/tracking-id": "app:apps/Deployment:there/x"
    }
    assert one(an("Namespace"))["annotations"]["argocd.argoproj.io/tracking-id"] == "app:/Namespace:there/x"
    assert "annotations" not in one(an("CustomResourceDefinition", api="apiextensions.k8s.io/v1"))
    labelled = one(an("ConfigMap", labels={"a": "b"}), Target("there", "a" * 70, finish.LABEL))
    assert labelled["labels"] == {"a": "b", "app.kubernetes.io/instance": "a" * 63}
    assert "annotations" not in labelled
    both = one(an("ConfigMap"), Target("there", "app", finish.BOTH, installation="id"))
    assert both["annotations"]["argocd.argoproj.io/installation-id"] == "id"
    assert set(one(an("ConfigMap"), Target("there", method=finish.NONE))) == {"name", "namespace"}


def test_marks_of_others_go_and_a_label_ends_with_a_letter_or_digit() -> None:
    foreign = {"argocd.argoproj.io/installation-id": "other"}
    assert one(an("ConfigMap", annotations=foreign))["annotations"] == {
        "argocd.argoproj.io/tracking-id": "app:/ConfigMap:there/x"
    }
    long = Target("there", "a" * 60 + "-._b", finish.BOTH)
    assert one(an("ConfigMap"), long)["labels"] == {"app.kubernetes.io/instance": "a" * 60}


def test_a_definition_is_marked_only_where_it_named_a_namespace() -> None:
    found = one(an("CustomResourceDefinition", api="apiextensions.k8s.io/v1", namespace="own"))
    assert found["annotations"] == {
        "argocd.argoproj.io/tracking-id": "app:apiextensions.k8s.io/CustomResourceDefinition:there/x"
    }


@pytest.mark.parametrize(
    ("api", "kind", "marked"),
    [("apps/v1", "Deployment", True), ("batch/v1", "Job", True), ("batch/v1", "CronJob", False)],
)
def test_the_oldest_label_is_put_on_pods_as_well(api: str, kind: str, marked: bool) -> None:
    old = "applications.argoproj.io/app-name"
    manifest = {**an(kind, api=api), "spec": {"template": {"metadata": {"labels": {"a": "b"}}, "spec": {}}}}
    found = finish.finish([manifest], Target("there", "app", finish.LABEL, old)).objects[0]
    assert found["metadata"]["labels"] == {old: "app"}
    assert found["spec"]["template"]["metadata"]["labels"] == {"a": "b"} | ({old: "app"} if marked else {})
    assert manifest["spec"]["template"]["metadata"]["labels"] == {"a": "b"}


def test_without_tracking_equal_sources_of_many_apps_are_one_bundle() -> None:
    digests = {
        bundle.pack(finish.finish([an("ConfigMap")], Target("there", method=finish.NONE)).objects)[0]
        for _ in range(3)
    }
    assert len(digests) == 1


def test_of_two_objects_with_one_key_the_later_wins_with_a_warning() -> None:
    first, second = (
        {**an("ConfigMap"), "data": {"a": "1"}},
        {**an("ConfigMap", namespace="there"), "data": {"a": "2"}},
    )
    found = finish.finish([first, second], TARGET)
    assert [each["data"] for each in found.objects] == [{"a": "2"}]
    assert [str(warning) for warning in found.warnings] == [
        "ConfigMap there/x: appears more than once; the last one is used"
    ]


@pytest.mark.parametrize(
    ("manifest", "message"),
    [
        ("text", "object 1: a mapping is expected, found str"),
        ({"apiVersion": "v1", "metadata": {"name": "x"}}, "object 1: kind is missing"),
        ({"kind": "A", "metadata": {"name": "x"}}, "object 1: apiVersion is missing"),
        ({"apiVersion": "v1", "kind": "A"}, "A (object 1): metadata is missing"),
        ({"apiVersion": "v1", "kind": "A", "metadata": {}}, "A (object 1): metadata.name is missing"),
        (
            {"apiVersion": "v1", "kind": "A", "metadata": {"name": True}},
            "A (object 1): metadata.name: True is no text",
        ),
        (an("A", labels={"n": 1}), "A x: metadata.labels.n: 1 is no text; write it in quotes"),
        (an("A", annotations=["n"]), "A x: metadata.annotations: a mapping is expected"),
        (an("A", namespace=5), "A x: metadata.namespace: 5 is no text"),
        ({**an("A"), "n": 2**70}, "A there/x: cannot be written as JSON: Integer exceeds 64-bit range"),
    ],
)
def test_mistakes_are_problems_that_name_the_object(manifest: Any, message: str) -> None:
    found = finish.finish([manifest, an("ConfigMap", "good")], TARGET)
    assert [str(problem) for problem in found.problems] == [message]
    assert found.objects == []


def test_a_namespace_must_come_from_somewhere() -> None:
    found = finish.finish([an("ConfigMap"), an("Namespace")], Target("", "app"))
    assert [str(problem) for problem in found.problems] == [
        "ConfigMap x: has no namespace, and spec.destination.namespace is not set"
    ]


def test_limits_are_problems() -> None:
    large = {**an("ConfigMap"), "data": {"a": "x" * 5000}}
    assert "at most 1000" in str(finish.finish([large], TARGET, Limits(object_bytes=1000)).problems[0])
    assert "at most 2000" in str(finish.finish([large], TARGET, Limits(total_bytes=2000)).problems[0])
    assert "at most 1 are" in str(finish.finish([large, an("A")], TARGET, Limits(count=1)).problems[0])


def test_the_given_objects_are_not_changed() -> None:
    given = [an("ConfigMap", labels={"a": "b"}, creationTimestamp=None, managedFields=[{}]), an("Namespace")]
    before = copy.deepcopy(given)
    found = finish.finish(given, Target("there", "app", finish.BOTH))
    assert given == before
    assert not {"creationTimestamp", "managedFields"} & set(found.objects[0]["metadata"])
