"""Seeded histories of requests, answered by the hub's API and by a real kube-apiserver that holds the same
kinds.

The real server gets our kinds as CustomResourceDefinitions made from the table the API itself is made from.
Objects, owners of fields, status codes, reasons and causes must be the same. A store of dictionaries with a
shallow merge does not get past the first conflict.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import histories
import hubapi
import pytest
import subjects
from histories import Reply, Request, Target
from subjects import Manifest
from testbed import controlplane

from hub.core.served import table
from hub.core.served.base import Served

STEPS = 30


def structural(schema: Any) -> Any:
    """Our schema as a real API server admits it: no descriptions, no items without the type array."""
    if isinstance(schema, list):
        return [structural(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    out = {}
    for name, value in schema.items():
        if name == "description" and isinstance(value, str):
            continue
        if name == "items" and schema.get("type") != "array":
            continue
        if name == "properties":
            out[name] = {field: structural(each) for field, each in value.items() if not _heavy(field, value)}
        elif name in ("default", "enum", "required"):
            out[name] = value
        else:
            out[name] = structural(value)
    return out


def _heavy(field: str, siblings: Manifest) -> bool:
    """Parts of generators that no history uses and that make the real server's schema a megabyte."""
    in_generator = "elements" in siblings or "requeueAfterSeconds" in siblings or "flatList" in siblings
    return field in ("scmProvider", "pullRequest") or (field == "template" and in_generator)


def definition(served: Served) -> Manifest:
    """The kind as a CustomResourceDefinition."""
    kind = served.kind
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{kind.plural}.{kind.group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"},
        },
        "spec": {
            "group": kind.group,
            "scope": "Namespaced" if kind.namespaced else "Cluster",
            "names": {
                "plural": kind.plural,
                "singular": served.singular,
                "kind": kind.kind,
                "listKind": kind.list_kind,
                "shortNames": list(kind.short_names),
                "categories": list(kind.categories),
            },
            "versions": [
                {
                    "name": kind.version,
                    "served": True,
                    "storage": True,
                    "subresources": {"status": {}} if kind.status else {},
                    "schema": {"openAPIV3Schema": structural(kind.structural)},
                }
            ],
        },
    }


@pytest.fixture(scope="module")
def plane(testbed_clusters: controlplane.Testbed) -> controlplane.ControlPlane:
    (plane,) = testbed_clusters.add("hubapi")
    for served in (table.APPLICATION, table.APPLICATION_SET, table.APP_PROJECT):
        kind = served.kind
        path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        made = plane.request("POST", path, definition(served))
        assert made.status == 201, made.body
        deadline = time.monotonic() + 60
        collection = f"/apis/{kind.api_version}/namespaces/default/{kind.plural}"
        while plane.request("GET", collection).status != 200:
            state = plane.request("GET", f"{path}/{kind.plural}.{kind.group}").json().get("status")
            assert time.monotonic() < deadline, f"{kind.plural} was never served: {state}"
            time.sleep(0.05)
    return plane


@pytest.fixture(scope="module")
def client(api: hubapi.RunningApi) -> Iterator[hubapi.Client]:
    with hubapi.Client(api) as client:
        yield client


class Server:
    """Something that answers requests over HTTP: (method, path, body, media, query) -> (code, JSON)."""

    def __init__(self, ask: Callable[..., tuple[int, Any]], target: Target) -> None:
        self.ask, self.target = ask, target

    def __call__(self, request: Request) -> Reply:
        version = ""
        if histories.CURRENT in str(request.body):
            found = self.ask("GET", self.target.path(request.name))[1]
            version = found.get("metadata", {}).get("resourceVersion", "")
        name = "" if request.method == "POST" else request.name
        return Reply(
            *self.ask(
                request.method,
                self.target.path(name, request.subresource),
                histories.with_version(request.body, version),
                media=request.media,
                query=request.query,
            )
        )


# --- what histories are about ---


def _application_spec(rng: random.Random, *, odd: bool) -> Manifest:
    def source() -> Manifest:
        out: Manifest = {"repoURL": rng.choice(["https://a", "https://b"])}
        parts: dict[str, Callable[[], Any]] = {
            "path": lambda: rng.choice(["x", "y"]),
            "targetRevision": lambda: rng.choice(["main", "v1", ""]),
            "directory": lambda: {"recurse": rng.random() < 0.5, "jsonnet": {}},
            "helm": lambda: {
                "valueFiles": rng.sample(["a", "b"], rng.randint(0, 2)),
                "parameters": [
                    {"name": n, "value": rng.choice("12")} for n in rng.sample("ab", rng.randint(0, 2))
                ],
                "valuesObject": rng.choice(
                    [{}, {"a": {"b": [1, {"c": 2}]}}, {"a": {"b": None}}, {"d": True}]
                ),
            },
            "kustomize": lambda: {
                "commonLabels": {"a": rng.choice("12")},
                "replicas": [{"name": "x", "count": 2}],
            },
        }
        return out | subjects.some(rng, parts)

    spec: Manifest = {
        "project": rng.choice(["default", "other"]),
        "destination": {rng.choice(["name", "server"]): rng.choice(["c1", "c2"])},
        "source": source(),
    }
    if rng.random() < 0.5:
        spec["destination"]["namespace"] = rng.choice("nm")
    parts: dict[str, Callable[[], Any]] = {
        "sources": lambda: [source() for _ in range(rng.randint(0, 2))],
        "revisionHistoryLimit": lambda: rng.randint(0, 3),
        "info": lambda: [{"name": n, "value": rng.choice("12")} for n in rng.sample("ab", rng.randint(0, 2))],
        "ignoreDifferences": lambda: [{"kind": "Deployment", "jsonPointers": ["/spec/replicas"]}],
        "syncPolicy": lambda: subjects.some(
            rng,
            {
                "automated": lambda: subjects.some(
                    rng, {n: lambda: rng.random() < 0.5 for n in ("prune", "selfHeal")}
                ),
                "syncOptions": lambda: rng.sample(["A=true", "B=true"], rng.randint(0, 2)),
                "retry": lambda: {"limit": rng.randint(0, 3), "backoff": {"duration": "5s"}},
                "managedNamespaceMetadata": lambda: {"labels": {"a": rng.choice("12")}},
            },
        ),
    }
    spec |= subjects.some(rng, parts)
    if odd:
        spec |= rng.choice(
            [
                {"projct": "x"},
                {"project": 3},
                {"project": None},
                {"destination": None},
                {"destination": {"nme": "c1"}},
                {"sources": [{"path": "x"}]},
                {"revisionHistoryLimit": "3"},
                {"syncPolicy": {"automated": {"prune": "yes"}}},
                {"syncPolicy": None},
                {"info": None},
            ]
        )
    return spec


def _application_status(rng: random.Random) -> Manifest:
    return subjects.some(
        rng,
        {
            "health": lambda: {"status": rng.choice(["Healthy", "Degraded"])},
            "sync": lambda: {"status": rng.choice(["Synced", "OutOfSync"]), "revision": rng.choice("ab")},
            "conditions": lambda: [{"type": rng.choice("AB"), "message": "m"}],
            "operationState": lambda: {"phase": "Running", "free": {"form": rng.randint(0, 2)}},
        },
        0.6,
    )


def _project_spec(rng: random.Random, *, odd: bool) -> Manifest:
    parts: dict[str, Callable[[], Any]] = {
        "description": lambda: rng.choice(["one", "two", ""]),
        "sourceRepos": lambda: rng.sample(["*", "https://a"], rng.randint(0, 2)),
        "destinations": lambda: [{"server": "*", "namespace": rng.choice("nm")}],
        "clusterResourceWhitelist": lambda: [{"group": "*", "kind": "*"}] * rng.randint(0, 1),
        "roles": lambda: [{"name": n, "groups": ["g"]} for n in rng.sample("ab", rng.randint(0, 2))],
        "orphanedResources": lambda: {"warn": rng.random() < 0.5},
    }
    spec = subjects.some(rng, parts, 0.6)
    if odd:
        spec |= rng.choice([{"sourceRepo": []}, {"roles": [{}]}, {"description": 1}, {"destinations": None}])
    return spec


def _set_spec(rng: random.Random, *, odd: bool) -> Manifest:
    generators: list[Callable[[], Manifest]] = [
        lambda: {"clusters": {"selector": {"matchLabels": {"env": rng.choice("ab")}}}},
        lambda: {"list": {"elements": [{"name": rng.choice("ab"), "deep": {"x": [1]}}]}},
        lambda: {
            "git": {"repoURL": "https://a", "revision": rng.choice("ab"), "directories": [{"path": "apps/*"}]}
        },
        lambda: {
            "matrix": {"generators": [{"clusters": {}}, {"list": {"elements": [{"a": rng.choice("12")}]}}]},
        },
    ]
    spec: Manifest = {
        "generators": [make() for make in rng.sample(generators, rng.randint(0, 2))],
        "template": {
            "metadata": {"name": "{{name}}"},
            "spec": {"project": "default", "destination": {"name": rng.choice("ab")}},
        },
    }
    parts: dict[str, Callable[[], Any]] = {
        "goTemplate": lambda: rng.random() < 0.5,
        "goTemplateOptions": lambda: ["missingkey=error"],
        "syncPolicy": lambda: {"applicationsSync": rng.choice(["sync", "create-only"])},
        "strategy": lambda: {
            "type": "RollingSync",
            "rollingSync": {"steps": [{"maxUpdate": rng.choice([1, "10%"])}]},
        },
        "preservedFields": lambda: {"labels": rng.sample("ab", rng.randint(0, 2))},
    }
    spec |= subjects.some(rng, parts)
    if odd:
        spec |= rng.choice(
            [
                {"generator": []},
                {"generators": None},
                {"syncPolicy": {"applicationsSync": "never"}},
                {"generators": [{"clustres": {}}]},
                {"template": {"metadata": {}}},
            ]
        )
    return spec


CASES: dict[str, tuple[Served, Any, Any]] = {
    "applications": (table.APPLICATION, _application_spec, _application_status),
    "applicationsets": (table.APPLICATION_SET, _set_spec, lambda rng: {"resourcesCount": rng.randint(0, 3)}),
    "appprojects": (table.APP_PROJECT, _project_spec, None),
    "configmaps": (table.CONFIG_MAP, None, None),
}


@pytest.mark.e2e
@pytest.mark.parametrize(
    "seed", [*range(3), *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(3, 24))]
)
@pytest.mark.parametrize("case", CASES)
def test_answers_as_a_real_server_does(
    plane: controlplane.ControlPlane, client: hubapi.Client, case: str, seed: int
) -> None:
    served, spec, status = CASES[case]
    namespace = f"{case}-{seed}"

    def real(method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
        answer = plane.request(method, path, body, **options)
        return answer.status, answer.json()

    for ask in (real, client.ask):
        code, made = ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        assert code == 201, made
    target = Target(served.kind.api_version, served.kind.kind, served.kind.plural, namespace)
    ours, theirs = Server(client.ask, target), Server(real, target)
    for step, request in enumerate(histories.over(seed, target, spec, status, STEPS)):
        mine, wanted = ours(request), theirs(request)
        same = histories.comparable(mine, request) == histories.comparable(wanted, request)
        assert same, f"seed {seed}, step {step}: {request}\nours: {mine}\ntheirs: {wanted}"
