"""Asks gates on behalf of rollouts: finds what a gate needs to know in the store, and turns every trouble into an answer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from argosy.errors import ArgosyError, Invalid
from hub.core.rollout.model import Gate, GateKind
from hub.core.served import table
from hub.gates.base import Answer, Ask, Question
from hub.gates.table import GATES
from hub.git import credentials
from hub.store import agents, reports
from hub.store.base import Store, Tx
from hub.store.resources import Resources

AT_ONCE = 8
"""Gates that are asked side by side."""
SECRET_TYPE = "argosy.dev/secret-type"  # noqa: S105  # a label
"""The label, with the value `gate`, of Secrets that gates may use."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Which rollout asks: its namespace and name, and the stage with its members (Application uid -> cluster id)."""

    namespace: str
    name: str
    stage: str
    apps: Mapping[str, str] = field(default_factory=dict)


class Asker:
    """`gates` are the implementations."""

    def __init__(self, store: Store, resources: Resources, gates: Mapping[GateKind, Ask] = GATES) -> None:
        self._store = store
        self._resources = resources
        self._gates = gates
        self._limit = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, gate: Gate, asking: Asking) -> Answer:
        """What the gate says. Whatever goes wrong is an answer, and no good one."""
        try:
            question = await self._store.read(lambda tx: self._question(tx, gate, asking))
            async with self._limit:
                return await self._gates[gate.kind](question)
        except ArgosyError as error:
            return Answer(False, error.message)

    def _question(self, tx: Tx, gate: Gate, asking: Asking) -> Question:
        name = str(gate.config.get("secretRef") or "")
        return Question(
            gate.config,
            f"{asking.namespace}/{asking.name}",
            asking.stage,
            _objects(tx, asking.apps) if gate.kind is GateKind.OBJECT else {},
            secret_of(tx, self._resources, asking.namespace, name) if name else {},
        )


def secret_of(tx: Tx, resources: Resources, namespace: str, name: str) -> Mapping[str, str]:
    """The data of a Secret that is meant for gates. Raises `Invalid` where there is none of the name."""
    found = resources.get(tx, table.SECRET, namespace, name)
    if found is None or (found["metadata"].get("labels") or {}).get(SECRET_TYPE) != "gate":
        raise Invalid(f"secretRef: expected a Secret {name} with the label {SECRET_TYPE}=gate, found none")
    return credentials.texts(found)


def _objects(tx: Tx, apps: Mapping[str, str]) -> dict[str, list[Mapping[str, Any]]]:
    """By the cluster's name."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for app, cluster in apps.items():
        row = reports.get(tx, cluster, app)
        objects = orjson.loads(row.detail).get("resources") if row is not None else None
        found.setdefault(agents.name_of(tx, cluster) or cluster, []).extend(objects or ())
    return found
