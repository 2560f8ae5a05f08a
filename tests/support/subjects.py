"""What histories of requests are about: a kind with every sort of list, map and default, and specs of built-in kinds.

Each `..._spec(rng, odd=...)` makes a spec, an `odd` one with a mistake; each `..._status(rng)` a status.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

Manifest = dict[str, Any]

GROUP, VERSION, KIND, PLURAL = "histories.argosy.test", "v1", "Thing", "things"

_SPEC: Manifest = {
    "type": "object",
    "required": ["mode"],
    "properties": {
        "mode": {"type": "string", "enum": ["fast", "slow", "off"]},
        "replicas": {"type": "integer", "minimum": 0, "default": 1},
        "title": {"type": "string", "pattern": "^[a-z]*$", "maxLength": 8},
        "ready": {"type": "boolean"},
        "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
        "maybe": {"type": "string", "nullable": True},
        "tags": {"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"},
        "args": {"type": "array", "items": {"type": "string"}},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "solid": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "x-kubernetes-map-type": "atomic",
        },
        "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        "ports": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["number", "protocol"],
            "items": {
                "type": "object",
                "required": ["number"],
                "properties": {
                    "number": {"type": "integer"},
                    "protocol": {"type": "string", "default": "TCP"},
                    "note": {"type": "string"},
                    "extra": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            },
        },
        "inner": {
            "type": "object",
            "properties": {
                "a": {"type": "string"},
                "b": {"type": "object", "properties": {"c": {"type": "string"}, "d": {"type": "string"}}},
            },
        },
    },
}
_STATUS: Manifest = {
    "type": "object",
    "properties": {
        "phase": {"type": "string"},
        "count": {"type": "integer"},
        "conditions": {
            "type": "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
            "items": {
                "type": "object",
                "required": ["type"],
                "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
            },
        },
    },
}

CRD: Manifest = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"{PLURAL}.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": PLURAL, "singular": "thing", "kind": KIND, "listKind": "ThingList"},
        "versions": [
            {
                "name": VERSION,
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {"type": "object", "properties": {"spec": _SPEC, "status": _STATUS}}
                },
            }
        ],
    },
}


def some(rng: random.Random, parts: dict[str, Callable[[], Any]], chance: float = 0.45) -> Manifest:
    return {name: make() for name, make in parts.items() if rng.random() < chance}


def text_map(rng: random.Random) -> Manifest:
    return {key: rng.choice("xyz") for key in "abc" if rng.random() < 0.5}


def thing_spec(rng: random.Random, *, odd: bool) -> Manifest:
    def ports() -> list[Manifest]:
        keys = [(80, "TCP"), (80, "UDP"), (81, "TCP")]
        out = []
        for number, protocol in rng.sample(keys, rng.randint(0, 3)):
            port: Manifest = {"number": number}
            if protocol != "TCP" or rng.random() < 0.5:
                port["protocol"] = protocol
            port |= some(rng, {"note": lambda: rng.choice("pq"), "extra": lambda: text_map(rng)})
            out.append(port)
        return out

    spec = some(
        rng,
        {
            "replicas": lambda: rng.randint(0, 3),
            "title": lambda: rng.choice(["one", "two", ""]),
            "ready": lambda: rng.random() < 0.5,
            "port": lambda: rng.choice([80, "http"]),
            "maybe": lambda: rng.choice(["x", None]),
            "tags": lambda: rng.sample(["r", "s", "t"], rng.randint(0, 3)),
            "args": lambda: [rng.choice("uv") for _ in range(rng.randint(0, 3))],
            "labels": lambda: text_map(rng),
            "solid": lambda: text_map(rng),
            "free": lambda: rng.choice(
                [{}, {"p": 1}, {"p": {"q": [1, 2]}}, {"p": None}, {"p": [1]}, {"r": True}]
            ),
            "ports": ports,
            "inner": lambda: some(
                rng,
                {
                    "a": lambda: rng.choice("mn"),
                    "b": lambda: some(rng, {"c": lambda: "1", "d": lambda: "2"}),
                },
            ),
        },
    )
    if rng.random() < 0.95:
        spec["mode"] = rng.choice(["fast", "slow", "off"])
    if odd:
        spec |= rng.choice(
            [
                {"mode": "warp"},
                {"replicas": -1},
                {"replicas": "3"},
                {"title": "Nope"},
                {"title": "muchtoolong"},
                {"unknown": 1},
                {"inner": {"nope": {"x": 1}}},
                {"ports": [{"number": 80}, {"number": 80}]},
                {"tags": ["r", "r"]},
                {"ports": [{"note": "x"}]},
                {"labels": {"a": 1}},
                {"replicas": None},
                {"args": None},
                {"ports": None},
                {"inner": None},
                {"labels": "text"},
            ]
        )
    return spec


def thing_status(rng: random.Random) -> Manifest:
    return some(
        rng,
        {
            "phase": lambda: rng.choice(["Up", "Down"]),
            "count": lambda: rng.randint(0, 2),
            "conditions": lambda: [
                {"type": kind, "status": rng.choice(["True", "False"])}
                for kind in rng.sample(["A", "B"], rng.randint(0, 2))
            ],
        },
        0.6,
    )


def _container(rng: random.Random, name: str) -> Manifest:
    out: Manifest = {"name": name, "image": rng.choice(["img:1", "img:2", "img"])}
    out |= some(
        rng,
        {
            "args": lambda: [rng.choice("ab")],
            "env": lambda: [
                {"name": key, "value": rng.choice("12")} for key in rng.sample("XYZ", rng.randint(0, 3))
            ],
            "ports": lambda: [
                {"containerPort": port} | some(rng, {"name": lambda port=port: f"p{port}"})
                for port in rng.sample([80, 81], rng.randint(0, 2))
            ],
            "resources": lambda: rng.choice([{}, {"limits": {"cpu": "1"}}]),
        },
        0.4,
    )
    return out


def deployment_spec(rng: random.Random, *, odd: bool) -> Manifest:
    names = rng.sample(["web", "side"], rng.randint(1, 2))
    spec: Manifest = {
        "selector": {"matchLabels": {"app": "x"}},
        "template": {
            "metadata": {"labels": {"app": "x"} | some(rng, {"tier": lambda: rng.choice("fb")})},
            "spec": {"containers": [_container(rng, name) for name in names]},
        },
    }
    spec |= some(
        rng,
        {
            "replicas": lambda: rng.randint(0, 3),
            "strategy": lambda: rng.choice([{"type": "Recreate"}, {"rollingUpdate": {"maxSurge": 1}}]),
            "paused": lambda: rng.random() < 0.5,
        },
    )
    if odd:
        spec |= rng.choice(
            [
                {"replicas": "3"},
                {"unknown": 1},
                {"selector": {"matchLabels": {"app": "y"}}},
                {"template": {"spec": {"containers": []}}},
                {"replicas": None},
            ]
        )
    return spec


def deployment_status(rng: random.Random) -> Manifest:
    return some(
        rng, {"replicas": lambda: rng.randint(0, 2), "observedGeneration": lambda: rng.randint(1, 3)}, 0.7
    )


def service_spec(rng: random.Random, *, odd: bool) -> Manifest:
    ports = []
    for number, protocol in rng.sample([(80, "TCP"), (53, "UDP"), (81, "TCP")], rng.randint(1, 3)):
        port: Manifest = {"port": number, "name": f"p{number}{protocol.lower()}"}
        if protocol != "TCP" or rng.random() < 0.5:
            port["protocol"] = protocol
        port |= some(rng, {"targetPort": lambda: rng.choice([8080, "http"])})
        ports.append(port)
    spec: Manifest = {"clusterIP": "None", "ports": ports, "selector": {"app": rng.choice("xy")}}
    spec |= {"ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"]}
    spec |= some(rng, {"publishNotReadyAddresses": lambda: rng.random() < 0.5})
    return spec | ({"unknown": 1} if odd else {})
