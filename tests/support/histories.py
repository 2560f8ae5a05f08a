"""Seeded histories of requests against one Kubernetes-style API, and what of two answers must be the same.

A history is a list of requests as kubectl and other writers send them, aimed at a few objects of one kind
so that managers meet each other's fields. Whoever can answer a `Request` can be compared with a real API
server: the pure machinery, the in-memory cluster, the hub's API.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import subjects
from subjects import Manifest

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
JSON = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
PLAIN = "application/json"

CURRENT = "$current"
"""Stands for the object's resourceVersion as that server last gave it."""


@dataclass(frozen=True, slots=True)
class Target:
    """One kind in one namespace."""

    api_version: str
    kind: str
    plural: str
    namespace: str

    def path(self, name: str = "", subresource: str = "") -> str:
        """The URL path of the collection, of an object, of its subresource."""
        root = f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        parts = [
            root,
            "namespaces",
            self.namespace,
            self.plural,
            *(part for part in (name, subresource) if part),
        ]
        return "/".join(parts)


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `body` may hold `CURRENT` as its resourceVersion."""

    method: str
    name: str
    body: Any = None
    media: str = PLAIN
    subresource: str = ""
    query: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        tail = f"/{self.subresource}" if self.subresource else ""
        return f"{self.method} {self.name}{tail} {self.media.rpartition('/')[2]} {self.query} {self.body}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered: the status code and the decoded body."""

    code: int
    body: Any


Answer = Callable[[Request], Reply]


# --- making histories ---------------------------------------------------------------------------------------------

MANAGERS = ("alpha", "beta", "gamma", "kubectl")


def things(seed: int, target: Target, length: int = 40) -> list[Request]:
    """A history over custom resources with every kind of list, map and default."""
    return _History(random.Random(seed), target, subjects.thing_spec, subjects.thing_status).requests(length)


def config_maps(seed: int, target: Target, length: int = 40) -> list[Request]:
    """A history over ConfigMaps."""
    return _History(random.Random(seed), target, None, None).requests(length)


def deployments(seed: int, target: Target, length: int = 40) -> list[Request]:
    """A history over Deployments, strategic merge patches included."""
    return _History(
        random.Random(seed), target, subjects.deployment_spec, subjects.deployment_status
    ).requests(length)


def services(seed: int, target: Target, length: int = 40) -> list[Request]:
    """A history over headless Services, which need no address from the server."""
    return _History(random.Random(seed), target, subjects.service_spec, None).requests(length)


def over(seed: int, target: Target, spec: Any, status: Any, length: int = 40) -> list[Request]:
    """A history over another kind.

    `spec(rng, odd=...)` makes specs, `odd` ones with a mistake; `status(rng)` is None where there is no such subresource.
    """
    return _History(random.Random(seed), target, spec, status).requests(length)


class _History:
    """Makes requests one after another; knows nothing of how they are answered."""

    def __init__(self, rng: random.Random, target: Target, spec: Any, status: Any) -> None:
        self.rng, self.target, self.spec, self.status = rng, target, spec, status
        self.last: dict[str, Manifest] = {}

    def requests(self, length: int) -> list[Request]:
        return [self._next() for _ in range(length)]

    def _manifest(self, name: str) -> Manifest:
        rng = self.rng
        odd = rng.random() < 0.12
        metadata: Manifest = {"name": name}
        metadata |= subjects.some(
            rng,
            {"labels": lambda: subjects.text_map(rng), "annotations": lambda: subjects.text_map(rng)},
            0.35,
        )
        if rng.random() < 0.08:
            metadata["finalizers"] = rng.sample(["argosy.test/one", "argosy.test/two"], rng.randint(0, 2))
        out: Manifest = {
            "apiVersion": self.target.api_version,
            "kind": self.target.kind,
            "metadata": metadata,
        }
        if self.spec is None:
            out |= subjects.some(rng, {"data": lambda: subjects.text_map(rng)}, 0.9)
            if odd:
                out |= rng.choice(
                    [{"unknown": 1}, {"data": {"a": 1}}, {"data": {"bad key": "x"}}, {"data": None}]
                )
        else:
            out["spec"] = self.spec(rng, odd=odd)
        if self.status is not None and rng.random() < 0.2:
            out["status"] = self.status(rng)
        return out

    def _next(self) -> Request:
        rng = self.rng
        name = rng.choice(["one", "one", "two"])
        query = {"fieldManager": rng.choice(MANAGERS)}
        if rng.random() < 0.5:
            query["fieldValidation"] = rng.choice(["Strict", "Warn", "Ignore"])
        steps: list[tuple[int, Callable[[str, dict[str, str]], Request]]] = [
            (10, self._apply),
            (3, self._put),
            (3, self._merge),
            (2, self._json),
            (2, self._create),
            (1, self._delete),
            (1, self._release),
        ]
        if self.status is not None:
            steps.append((3, self._write_status))
        if self.target.api_version != f"{subjects.GROUP}/{subjects.VERSION}":
            steps.append((2, self._strategic))
        weights = [weight for weight, _ in steps]
        return rng.choices([step for _, step in steps], weights)[0](name, query)

    def _apply(self, name: str, query: dict[str, str]) -> Request:
        rng = self.rng
        body = self._manifest(name)
        if name in self.last and rng.random() < 0.35:
            body = self.last[name]
            if rng.random() < 0.5:
                body = self._shrunk(body)
        self.last[name] = body
        if rng.random() < 0.03:
            body = copy.deepcopy(body)
            body["metadata"] |= rng.choice(
                [
                    {"managedFields": []},
                    {"resourceVersion": "1"},
                    {"uid": "other"},
                    {"name": "else"},
                    {"namespace": "no"},
                ]
            )
        return Request("PATCH", name, body, APPLY, query=query | {"force": rng.choice(["true", "false"])})

    def _shrunk(self, body: Manifest) -> Manifest:
        out = copy.deepcopy(body)
        for part in ("spec", "data"):
            if isinstance(out.get(part), dict) and out[part]:
                out[part].pop(self.rng.choice(sorted(out[part])))
        return out

    def _put(self, name: str, query: dict[str, str]) -> Request:
        body = self._manifest(name)
        chance = self.rng.random()
        if chance < 0.85:
            body["metadata"]["resourceVersion"] = CURRENT
        elif chance < 0.92:
            body["metadata"]["resourceVersion"] = "1"
        return Request("PUT", name, body, query=query)

    def _merge(self, name: str, query: dict[str, str]) -> Request:
        rng = self.rng
        whole = self._manifest(name)
        patch: Manifest = {}
        for part in ("spec", "data", "status"):
            if isinstance(whole.get(part), dict):
                picked = {key: whole[part][key] for key in whole[part] if rng.random() < 0.4}
                patch[part] = {key: None if rng.random() < 0.3 else value for key, value in picked.items()}
        labels = subjects.text_map(rng)
        patch["metadata"] = {"labels": {key: rng.choice([value, None]) for key, value in labels.items()}}
        if rng.random() < 0.08:
            patch["metadata"]["managedFields"] = rng.choice([[{}], []])
        if rng.random() < 0.06:
            patch["metadata"]["resourceVersion"] = rng.choice(["1", CURRENT])
        return Request("PATCH", name, patch, MERGE, query=query)

    def _strategic(self, name: str, query: dict[str, str]) -> Request:
        whole = self._manifest(name)
        patch = {part: whole[part] for part in ("spec", "data") if part in whole}
        if self.target.kind == "Deployment" and self.rng.random() < 0.4:
            patch = {"spec": {"template": {"spec": {"containers": [{"name": "side", "$patch": "delete"}]}}}}
        return Request("PATCH", name, patch, STRATEGIC, query=query)

    def _json(self, name: str, query: dict[str, str]) -> Request:
        rng = self.rng
        root = "data" if self.spec is None else "spec"
        operations = [
            rng.choice(
                [
                    {"op": "add", "path": f"/{root}/a", "value": "j"},
                    {"op": "add", "path": "/metadata/labels", "value": {"j": "1"}},
                    {"op": "remove", "path": f"/{root}/replicas"},
                    {"op": "replace", "path": f"/{root}/replicas", "value": 2},
                    {"op": "replace", "path": f"/{root}/args/0", "value": "w"},
                    {"op": "add", "path": f"/{root}/args/-", "value": "w"},
                    {"op": "test", "path": f"/{root}/mode", "value": "fast"},
                    {"op": "copy", "from": f"/{root}", "path": "/metadata/annotations"},
                    {"op": "move", "from": f"/{root}/labels", "path": f"/{root}/solid"},
                    {"op": "replace", "path": "/metadata/managedFields", "value": [{}]},
                ]
            )
            for _ in range(rng.randint(1, 2))
        ]
        return Request("PATCH", name, operations, JSON, query=query)

    def _create(self, name: str, query: dict[str, str]) -> Request:
        return Request("POST", name, self._manifest(name), query=query)

    def _delete(self, name: str, query: dict[str, str]) -> Request:
        return Request("DELETE", name)

    def _release(self, name: str, query: dict[str, str]) -> Request:
        return Request("PATCH", name, {"metadata": {"finalizers": None}}, MERGE, query=query)

    def _write_status(self, name: str, query: dict[str, str]) -> Request:
        rng = self.rng
        body = self._manifest(name) | {"status": self.status(rng)}
        way = rng.choice(["apply", "put", "merge"])
        if way == "apply":
            if rng.random() < 0.7:
                body.pop("spec", None)
            query = query | {"force": rng.choice(["true", "false"])}
            return Request("PATCH", name, body, APPLY, "status", query)
        if way == "put":
            body["metadata"]["resourceVersion"] = CURRENT
            return Request("PUT", name, body, subresource="status", query=query)
        return Request("PATCH", name, {"status": self.status(rng)}, MERGE, "status", query)


# --- comparing ----------------------------------------------------------------------------------------------------


def with_version(body: Any, version: str) -> Any:
    """The body with the server's own current resourceVersion in it ("1" where the object was never seen)."""
    out = copy.deepcopy(body)
    if isinstance(out, dict) and (out.get("metadata") or {}).get("resourceVersion") == CURRENT:
        out["metadata"]["resourceVersion"] = version or "1"
    return out


def comparable(reply: Reply, request: Request) -> Any:
    """What of an answer must be the same everywhere: code, reason, causes; or the object without what is
    random.

    A delete that is done at once may answer with the object or with a Status: kinds differ.
    """
    body = reply.body
    if request.method == "DELETE" and reply.code == 200 and "deletionTimestamp" not in body["metadata"]:
        return reply.code
    if not isinstance(body, dict):
        return reply.code, body
    if body.get("kind") == "Status":
        details = body.get("details") or {}
        causes = {(cause.get("reason", ""), cause.get("field", "")) for cause in details.get("causes") or ()}
        return reply.code, body.get("reason", ""), causes
    out = copy.deepcopy(body)
    metadata = out["metadata"]
    for name in ("uid", "creationTimestamp", "resourceVersion", "selfLink"):
        if name in metadata:
            metadata[name] = "set"
    if "deletionTimestamp" in metadata:
        metadata["deletionTimestamp"] = "set"
    if out.get("kind") == "Service" and out["spec"].get("clusterIP", "None") != "None":
        out["spec"] |= {"clusterIP": "set", "clusterIPs": "set"}
    entries = metadata.get("managedFields") or []
    for entry in entries:
        entry["time"] = "time" in entry
    metadata["managedFields"] = sorted(
        entries, key=lambda entry: (entry["manager"], entry["operation"], entry.get("subresource", ""))
    )
    return reply.code, out
