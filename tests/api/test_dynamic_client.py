"""The official Python client against the hub's API: what operators, Terraform and scripts do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hubapi import RunningApi
from kubernetes import client as k8s
from kubernetes import config, dynamic
from kubernetes.dynamic.exceptions import ConflictError, NotFoundError


@pytest.fixture(scope="module")
def connection(api: RunningApi) -> Iterator[k8s.ApiClient]:
    with config.new_client_from_config(str(api.kubeconfig)) as connection:
        yield connection


@pytest.fixture(scope="module")
def apps(connection: k8s.ApiClient) -> Any:
    found = dynamic.DynamicClient(connection)
    return found.resources.get(api_version="argoproj.io/v1alpha1", kind="Application")


def application(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "destination": {"name": "c1"},
            "source": {"repoURL": "https://a", "path": "x"},
        },
    }


def test_the_dynamic_client_creates_applies_watches_and_deletes(apps: Any) -> None:
    made = apps.create(body=application("dynamic"))
    version = apps.get(namespace="argocd").metadata.resourceVersion
    made.spec.project = "other"
    assert apps.replace(body=made.to_dict(), namespace="argocd").spec.project == "other"
    with pytest.raises(ConflictError):
        apps.replace(body=made.to_dict(), namespace="argocd")
    changed = application("dynamic")
    changed["spec"]["project"] = "applied"
    with pytest.raises(ConflictError):
        apps.server_side_apply(body=changed, namespace="argocd", field_manager="scripts")
    applied = apps.server_side_apply(
        body=changed, namespace="argocd", field_manager="scripts", force_conflicts=True
    )
    assert applied.spec.project == "applied"
    patched = apps.patch(
        body={"metadata": {"labels": {"a": "b"}}},
        name="dynamic",
        namespace="argocd",
        content_type="application/merge-patch+json",
    )
    assert patched.metadata.labels.a == "b"
    apps.delete(name="dynamic", namespace="argocd")
    with pytest.raises(NotFoundError):
        apps.get(name="dynamic", namespace="argocd")
    events = apps.watch(namespace="argocd", resource_version=version, timeout=60)
    verbs = []
    for event in events:
        verbs.append(event["type"])
        if event["type"] == "DELETED":
            break
    # Changes that nobody had read when the next one came are told as one.
    assert verbs[-1] == "DELETED"
    assert set(verbs[:-1]) == {"MODIFIED"}


def test_the_typed_client_reads_core_kinds(connection: k8s.ApiClient) -> None:
    core = k8s.CoreV1Api(connection)
    body = k8s.V1Secret(metadata=k8s.V1ObjectMeta(name="typed"), string_data={"a": "b"})
    assert core.create_namespaced_secret("argocd", body).data == {"a": "Yg=="}
    assert [each.metadata.name for each in core.list_namespace().items] == [
        "argocd",
        "default",
        "kube-system",
    ]
    core.delete_namespaced_secret("typed", "argocd")
    review = k8s.V1SelfSubjectAccessReview(
        spec=k8s.V1SelfSubjectAccessReviewSpec(
            resource_attributes=k8s.V1ResourceAttributes(
                verb="delete", group="argoproj.io", resource="applications"
            )
        )
    )
    assert k8s.AuthorizationV1Api(connection).create_self_subject_access_review(review).status.allowed
    assert k8s.VersionApi(connection).get_code().git_version.startswith("v1.")
