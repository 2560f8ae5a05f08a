"""Asks gates on behalf of rollouts: finds what a gate needs to know in the store, and turns every trouble into an answer."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from argosy import questions
from argosy.errors import ArgosyError, Invalid
from hub.core import secret
from hub.core.rollout.acting import Act
from hub.core.rollout.model import Gate, GateKind
from hub.core.served import table
from hub.gates.base import TOKEN, Answer, Ask, Question, Sight
from hub.gates.table import GATES
from hub.store import agents, audit, rollouts
from hub.store.base import Store, Tx
from hub.store.resources import Resources

AT_ONCE = 8
"""Gates that are asked side by side."""
AGENTS_AT_ONCE = 64
AGENT_SECONDS = 10.0
SECRET_TYPE = "argosy.dev/secret-type"  # noqa: S105  # a label
"""The label, with the value `gate`, of Secrets that gates may use."""


AskCluster = Callable[[str, questions.Question, float], Awaitable[dict[str, Any]]]
"""(cluster id, question, seconds) -> the agent's answer. Raises our errors."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Which rollout asks: its namespace and name, and the stage with its members (Application uid -> cluster id)."""

    namespace: str
    name: str
    stage: str
    apps: Mapping[str, str] = field(default_factory=dict)


class Asker:
    """`clusters` reaches agents, `gates` are the implementations."""

    def __init__(
        self,
        store: Store,
        resources: Resources,
        clusters: AskCluster,
        gates: Mapping[GateKind, Ask] = GATES,
    ) -> None:
        self._store = store
        self._resources = resources
        self._clusters = clusters
        self._gates = gates
        self._limit = asyncio.Semaphore(AT_ONCE)

    async def __call__(self, gate: Gate, asking: Asking) -> Answer:
        """What the gate says. Whatever goes wrong is an answer, and no good one."""
        try:
            question, names = await self._store.read(lambda tx: self._question(tx, gate, asking))
            async with self._limit:
                if gate.kind is GateKind.OBJECT:
                    question = replace(question, sights=await self._look(gate.config, names))
                return await self._gates[gate.kind](question)
        except ArgosyError as error:
            return Answer(False, error.message)

    def _question(self, tx: Tx, gate: Gate, asking: Asking) -> tuple[Question, dict[str, str]]:
        """With the names of the stage's clusters by id."""
        name = str(gate.config.get("secretRef") or "")
        secret = secret_of(tx, self._resources, asking.namespace, name) if name else {}
        names: dict[str, str] = {}
        if gate.kind is GateKind.OBJECT:
            names = {id_: agents.name_of(tx, id_) or id_ for id_ in set(asking.apps.values())}
        return Question(gate.config, f"{asking.namespace}/{asking.name}", asking.stage, secret=secret), names

    async def _look(self, config: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Sight]:
        """Asks the stage's agents about the object, side by side; one that does not answer in time holds nobody up."""
        limit = asyncio.Semaphore(AGENTS_AT_ONCE)
        question = questions.Question(
            questions.Kind.CONDITIONS,
            "",
            api_version=str(config["apiVersion"]),
            object_kind=str(config["kind"]),
            namespace=str(config.get("namespace") or ""),
            name=str(config["name"]),
        )

        async def one(cluster: str) -> Sight:
            async with limit:
                try:
                    said = await self._clusters(cluster, question, AGENT_SECONDS)
                except ArgosyError as error:
                    return Sight(error=error.message)
            return Sight(bool(said.get("found")), dict(said.get("conditions") or {}))

        found = await asyncio.gather(*(one(cluster) for cluster in names))
        return {names[cluster]: sight for cluster, sight in zip(names, found, strict=True)}


@dataclass(frozen=True, slots=True)
class Doorman:
    """Lets callers who show a Secret's token signal the gate that names it. `act` does what is asked of a rollout."""

    resources: Resources
    act: Callable[[Tx, str, str, Act], str | None]
    now: Callable[[], float]

    def knows(self, tx: Tx, namespace: str, name: str, gate: str, token: str) -> bool:
        """Whether there is such a gate, and this its token. Reads alone."""
        row = rollouts.named(tx, namespace, name)
        gates = [
            one
            for stage in (row.rollout.strategy.stages if row is not None else ())
            for one in (*stage.before, *stage.after)
            if one.kind is GateKind.WEBHOOK and one.name == gate and one.config.get("secretRef")
        ]
        return any(self._shown(tx, namespace, str(one.config["secretRef"]), token) for one in gates)

    def call(self, tx: Tx, namespace: str, name: str, gate: str, token: str) -> str | None:
        """What came of it, as `act` tells; None for a rollout, gate or token that is not right."""
        if not self.knows(tx, namespace, name, gate, token):
            return None
        by = f"webhook:{gate}"
        said = self.act(tx, namespace, name, Act("signal", by, self.now(), gate=gate))
        resource = f"{rollouts.RESOURCE}/signal"
        audit.put(tx, audit.Record(self.now(), by, "create", resource, namespace, name, 200))
        return said

    def _shown(self, tx: Tx, namespace: str, secret: str, token: str) -> bool:
        try:
            known = secret_of(tx, self.resources, namespace, secret).get(TOKEN, "")
        except Invalid:
            return False
        return bool(known) and hmac.compare_digest(known.encode(), token.encode())


def secret_of(tx: Tx, resources: Resources, namespace: str, name: str) -> Mapping[str, str]:
    """The data of a Secret that is meant for gates. Raises `Invalid` where there is none of the name."""
    found = resources.get(tx, table.SECRET, namespace, name)
    if found is None or (found["metadata"].get("labels") or {}).get(SECRET_TYPE) != "gate":
        raise Invalid(f"secretRef: expected a Secret {name} with the label {SECRET_TYPE}=gate, found none")
    return secret.texts(found)
