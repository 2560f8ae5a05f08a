"""What the agent remembers of an app between two passes, and the inventory's way to the cluster and back.

Everything here but the inventory may be lost at any moment: it saves calls, it never decides what may be deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from agent.cluster.base import ClusterApi, NamespaceMissing
from agent.cluster.reflector import Watcher
from agent.core import inventory as inventories
from agent.core import marks, operations
from agent.core.contested import Corrections
from agent.core.inventory import Entry, Inventory, Operation
from agent.core.marks import Seen, Wanted
from agent.core.prepare import Prepared
from agent.core.retry import Failure
from agent.core.steps import Verified
from agent.sync import execute
from argosy.errors import Unavailable
from argosy.health import waiting
from argosy.kinds import CONFIG_MAP, ApiKind, Gvk
from argosy.objects import ObjectKey
from argosy.status import AppStatus

MANAGER = "argosy-agent"
"""Field manager of the agent's own objects."""


def closed(wanted: Wanted) -> Wanted:
    """The opener of a bundle in which nothing is encrypted."""
    return wanted


@dataclass
class Memory:
    """One app. `written` is the substance of the inventory as it is in the cluster, None when that is not known."""

    assignment: str
    inventory: Inventory | None = None
    written: tuple[Any, ...] | None = None
    uid: str = ""
    prepared: Prepared | None = None
    prepared_for: tuple[Any, ...] = ()
    """(bundle, destination namespace, sync options) of `prepared`."""
    kinds: dict[Gvk, ApiKind | None] = field(default_factory=dict)
    """What the kinds of `prepared` were when it was made; None: not served."""
    verified: dict[ObjectKey, Verified] = field(default_factory=dict)
    failures: dict[ObjectKey, Failure] = field(default_factory=dict)
    corrections: dict[ObjectKey, Corrections] = field(default_factory=dict)
    changed: dict[ObjectKey, float] = field(default_factory=dict)
    """When an object was last changed by an apply; no longer than its status may lag behind."""
    corrected: dict[ObjectKey, str] = field(default_factory=dict)
    """Digest of the content that `corrections` speak of."""
    opener: Callable[[Wanted], Wanted] = field(default=closed, repr=False)
    """Opens what is encrypted in the prepared bundle."""
    namespace: tuple[str, str] = ("", "")
    """(namespace, metadata) that was given to it last."""
    healthy: tuple[str, float] = ("", 0.0)
    """(release, since when it is Healthy after its sync)."""
    status: AppStatus | None = None
    stage: tuple[str, float] = ("", 0.0)
    """(sync and stage that is waited for, since when)."""
    pruned: tuple[str, tuple[Entry, ...]] = ("", ())
    """(a sync's token, what it deleted)."""

    def anew(self, operation: Operation, before: Operation) -> None:
        """A new sync, or a new try of one, does not wait for what failed before."""
        if (operation.token, operation.attempt) != (before.token, before.attempt):
            self.failures.clear()
        request = operations.asked(operation)
        if operation.request != before.request and not request.dry_run:
            for key in [key for key in self.corrections if request.concerns(key)]:
                # Somebody asked for it as it is wanted: what was left to others is looked at again, too.
                del self.corrections[key]
                self.verified.pop(key, None)

    def forgets(self, token: str, entries: Iterable[Entry]) -> None:
        """A sync deleted these."""
        before = self.pruned[1] if self.pruned[0] == token else ()
        self.pruned = (token, (*before, *entries))

    def fresh(self, key: ObjectKey, now: float) -> bool:
        """Whether an apply changed the object so shortly ago that its status may lag behind."""
        return 0 <= now - self.changed.get(key, 0.0) < waiting.LAG

    def lag(self, now: float) -> float:
        """Seconds until no object is fresh any more; 0 where none is."""
        self.changed = {key: at for key, at in self.changed.items() if 0 <= now - at < waiting.LAG}
        return max((at + waiting.LAG - now for at in self.changed.values()), default=0.0)


async def read(api: ClusterApi, memory: Memory, watcher: Watcher) -> Inventory:
    """The inventory: from memory, else from the cluster, else recovered from the marks on live objects.

    Raises the contract's errors and `Invalid`; without an inventory nothing is applied and nothing deleted.
    """
    if memory.inventory is not None:
        return memory.inventory
    live = await api.get(CONFIG_MAP, marks.NAMESPACE, marks.inventory_name(memory.assignment))
    if live is None:
        found = inventories.recovered(memory.assignment, watcher.owned(memory.assignment))
        memory.written = None
    else:
        found = inventories.from_manifest(memory.assignment, live)
        memory.written, memory.uid = inventories.substance(found), live["metadata"]["uid"]
    memory.inventory = found
    return found


async def search(api: ClusterApi, memory: Memory) -> Inventory:
    """Recovers a lost inventory by asking every kind there is for our label: dear, and only for a removal."""
    selector = f"{marks.PART_OF}={marks.applyset_id(memory.assignment)}"
    found: list[Seen] = []
    named: set[tuple[str, str]] = set()
    for kind in (await api.kinds()).values():
        name = kind.gvk.group, kind.gvk.kind
        if "list" not in kind.verbs or name in named:
            continue
        named.add(name)
        more = ""
        while True:
            page = await api.list(kind.gvk, selector=selector, more=more)
            found += [marks.seen(item) for item in page.items]
            more = page.more
            if not more:
                break
    memory.inventory = inventories.recovered(memory.assignment, found)
    return memory.inventory


async def write(api: ClusterApi, memory: Memory, inventory: Inventory) -> None:
    """Makes the inventory durable where its substance changed. Only then is it what the memory holds."""
    substance = inventories.substance(inventory)
    if substance != memory.written:
        memory.written = None  # until the server answers, either content may be there
        manifest = inventories.to_manifest(inventory)
        try:
            live = await api.apply(manifest, force=True, manager=MANAGER)
        except NamespaceMissing:
            problem = await execute.namespace(api, marks.NAMESPACE)
            if problem:
                raise Unavailable(f"namespace {marks.NAMESPACE}: {problem}") from None
            live = await api.apply(manifest, force=True, manager=MANAGER)
        memory.uid, memory.written = live["metadata"]["uid"], substance
    memory.inventory = inventory


async def erase(api: ClusterApi, memory: Memory) -> None:
    """Removes the inventory itself, once nothing is in it."""
    name = marks.inventory_name(memory.assignment)
    if not memory.uid:
        live = await api.get(CONFIG_MAP, marks.NAMESPACE, name)
        if live is None:
            return
        memory.uid = live["metadata"]["uid"]
    await api.delete(CONFIG_MAP, marks.NAMESPACE, name, uid=memory.uid)
    memory.uid, memory.written, memory.inventory = "", None, None
