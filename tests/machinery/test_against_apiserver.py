"""The machinery answers seeded histories of requests as a real kube-apiserver does."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import Any

import histories
import pytest
import subjects
from histories import Reply, Request, Target
from testbed import controlplane

from argosy.machinery import failure, kinds, write

NOW = "2026-01-02T03:04:05Z"


class Model:
    """The smallest store around the machinery: one dictionary, one counter."""

    def __init__(self, kind: kinds.Kind, namespace: str) -> None:
        self.kind, self.namespace = kind, namespace
        self.objects: dict[str, dict[str, Any]] = {}
        self.versions = itertools.count(100)

    def __call__(self, request: Request) -> Reply:
        live = self.objects.get(request.name)
        try:
            outcome = self._outcome(request, live)
        except failure.ApiFailure as error:
            return Reply(error.code, error.to_status())
        return self._stored(request, live, outcome)

    def _outcome(self, request: Request, live: dict[str, Any] | None) -> write.Outcome:
        place = kinds.Place(self.kind, self.namespace, request.name, request.subresource)
        options = write.Options(
            request.query.get("fieldManager", ""),
            NOW,
            uid=f"uid-{next(self.versions)}",
            validation=request.query.get("fieldValidation", "Warn"),
            force=request.query.get("force") == "true",
        )
        version = live["metadata"]["resourceVersion"] if live else ""
        body = histories.with_version(request.body, version)
        if request.method == "POST":
            outcome = write.create(place, body, options)
            if live is not None:
                deleting = "deletionTimestamp" in live["metadata"]
                raise failure.already_exists(
                    self.kind.plural, self.kind.group, request.name, deleting=deleting
                )
            return outcome
        if request.method == "PUT":
            return write.update(place, live, body, options)
        if request.method == "DELETE":
            return write.delete(place, live, write.Deletion(NOW))
        if request.media == histories.APPLY:
            return write.apply(place, live, body, options)
        return write.patched(place, live, request.media, body, options)

    def _stored(self, request: Request, live: dict[str, Any] | None, outcome: write.Outcome) -> Reply:
        made = outcome.object
        if outcome.action == write.DELETED:
            del self.objects[request.name]
            if request.method == "DELETE":
                return Reply(200, failure.success())
        elif outcome.action != write.UNCHANGED:
            metadata = {**made["metadata"], "resourceVersion": str(next(self.versions))}
            made = self.objects[request.name] = {**made, "metadata": metadata}
        return Reply(201 if live is None else 200, made)


class Real:
    """A real API server, seen as something that answers requests."""

    def __init__(self, plane: controlplane.ControlPlane, target: Target) -> None:
        self.plane, self.target = plane, target

    def __call__(self, request: Request) -> Reply:
        version = ""
        if histories.CURRENT in str(request.body):
            version = self.get(request.name).body.get("metadata", {}).get("resourceVersion", "")
        name = "" if request.method == "POST" else request.name
        answer = self.plane.request(
            request.method,
            self.target.path(name, request.subresource),
            histories.with_version(request.body, version),
            media=request.media,
            query=request.query,
        )
        return Reply(answer.status, answer.json())

    def get(self, name: str) -> Reply:
        answer = self.plane.request("GET", self.target.path(name))
        return Reply(answer.status, answer.json())


@pytest.fixture(scope="session")
def plane(testbed_clusters: controlplane.Testbed) -> controlplane.ControlPlane:
    (plane,) = testbed_clusters.add("machinery")
    made = plane.request("POST", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", subjects.CRD)
    assert made.status == 201, made.body
    deadline = time.monotonic() + 60
    path = f"/apis/{subjects.GROUP}/{subjects.VERSION}/namespaces/default/{subjects.PLURAL}"
    while plane.request("GET", path).status != 200:
        assert time.monotonic() < deadline, "the kind was never served"
        time.sleep(0.05)
    return plane


def _builtin(name: str) -> kinds.Kind:
    return next(kind for kind in kinds.builtin() if kind.kind == name)


def _thing() -> kinds.Kind:
    (kind,) = kinds.from_crd(subjects.CRD)
    return kind


CASES: dict[str, tuple[Callable[[], kinds.Kind], Callable[..., list[Request]]]] = {
    "things": (_thing, histories.things),
    "configmaps": (lambda: _builtin("ConfigMap"), histories.config_maps),
    "deployments": (lambda: _builtin("Deployment"), histories.deployments),
    "services": (lambda: _builtin("Service"), histories.services),
}


SEEDS = [*range(3), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(3, 40))]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("case", CASES)
def test_answers_a_history_as_a_real_server_does(
    plane: controlplane.ControlPlane, case: str, seed: int
) -> None:
    kind, make = CASES[case][0](), CASES[case][1]
    namespace = f"{case}-{seed}"
    made = plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    assert made.status == 201, made.body
    target = Target(kind.api_version, kind.kind, kind.plural, namespace)
    model, real = Model(kind, namespace), Real(plane, target)

    for step, request in enumerate(make(seed, target)):
        ours, theirs = model(request), real(request)
        same = histories.comparable(ours, request) == histories.comparable(theirs, request)
        assert same, f"seed {seed}, step {step}: {request}"
