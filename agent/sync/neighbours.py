"""What the other applications of the same cluster want: who keeps an object, and who takes it over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from agent.cluster.base import ClusterApi
from agent.core import prepare
from agent.sync.memory import Memory
from agent.sync.preparing import Bundles
from argosy.bundle import Assignment
from argosy.errors import Unavailable
from argosy.objects import ObjectKey


class Neighbours:
    """`memories` are what is known of each app, `changed(assignment)` asks to look at one again."""

    def __init__(
        self,
        api: ClusterApi,
        bundles: Bundles,
        memories: Mapping[str, Memory],
        changed: Callable[[str], None],
    ) -> None:
        self._api = api
        self._bundles = bundles
        self._memories = memories
        self._changed = changed
        self._assigned: Mapping[str, Assignment] = {}

    def know(self, assignments: Iterable[Assignment]) -> None:
        """Says which assignments the cluster has now."""
        self._assigned = {item.id: item for item in assignments}

    def get(self, assignment: str) -> Assignment | None:
        """What the cluster has now of that id."""
        return self._assigned.get(assignment)

    @property
    def all(self) -> Mapping[str, Assignment]:
        """What the cluster has now, by id."""
        return self._assigned

    def want(self, key: ObjectKey) -> bool:
        """Whether any app's bundle has the object, also one that nobody applies."""
        known = (memory.prepared for memory in self._memories.values())
        return any(prepared is not None and key in prepared.wanted for prepared in known)

    async def holds(self, owner: str, key: ObjectKey) -> bool:
        """Whether another assignment of this cluster still wants the object."""
        other = self._assigned.get(owner)
        if other is None:
            return False
        manifests = self._bundles.load(other.bundle)
        if manifests is None:
            return True  # not known: the holder keeps it
        return key in prepare.prepare(manifests, other, await self._api.kinds()).wanted

    async def heirs(self, owner: str, keys: Iterable[ObjectKey]) -> dict[ObjectKey, str]:
        """Which of an assignment's objects others of this cluster want, and the name of the app that does. These are
        asked to look at once: what they have waited for is theirs now. Raises `Unavailable` where it is not known yet what
        one of them wants, since its bundle is still to be fetched.
        """
        asked, found = frozenset(keys), {}
        for other in self._assigned.values():
            if other.id == owner:
                continue
            memory = self._memories.get(other.id)
            if memory is not None and memory.prepared is not None and memory.prepared_for[0] == other.bundle:
                wanted = memory.prepared.wanted
            else:
                manifests = self._bundles.load(other.bundle)
                if manifests is None:
                    raise Unavailable(f"what {other.namespace}/{other.app} wants is not fetched yet")
                wanted = prepare.prepare(manifests, other, await self._api.kinds()).wanted
            if theirs := asked & wanted.keys():
                found.update(dict.fromkeys(theirs, f"{other.namespace}/{other.app}"))
                self._changed(other.id)
        return found
