"""What an application looks like on its cluster now, asked of the cluster's agent."""

from __future__ import annotations

from typing import Any

from argosy.errors import NotFound, Unavailable
from argosy.questions import Kind, Question
from hub.core.clusters import answers
from hub.core.served import table
from hub.planning.impact import Ask
from hub.store import apps, objects
from hub.store.base import Store, Tx

KINDS = (Kind.TREE, Kind.DIFF, Kind.EVENTS)


class Live:
    """For one hub. `ask` reaches the agents."""

    def __init__(self, store: Store, ask: Ask) -> None:
        self._store = store
        self._ask = ask

    async def of_app(self, kind: Kind, namespace: str, name: str, seconds: float) -> dict[str, Any]:
        """The answer to a question of `KINDS`. Raises `NotFound` for an application that is not there, `Unavailable` for
        one that is on no cluster or whose agent does not answer, `Invalid` in the agent's words.
        """

        def look(tx: Tx) -> tuple[str, str]:
            row = objects.get(tx, table.APPLICATION.resource, namespace, name)
            if row is None:
                raise NotFound(f'applications.argoproj.io "{name}" not found')
            state = apps.get(tx, row.uid)
            return row.uid, state.cluster if state is not None else ""

        uid, cluster = await self._store.read(look)
        if not cluster:
            raise Unavailable(f"application {name} is on no cluster")
        return answers.read(kind, await self._ask(cluster, Question(kind, uid), seconds))
