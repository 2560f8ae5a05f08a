"""From an assignment and its bundle to what is wanted in the cluster, in clear, and what was wanted before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Protocol

from agent.cluster.base import ClusterApi
from agent.core import inventory as inventories
from agent.core import marks, prepare
from agent.core.inventory import Inventory
from agent.core.marks import Wanted
from agent.core.prepare import Prepared
from agent.sops.keys import KeyRing
from agent.sync.memory import Memory, closed
from argosy import sealed
from argosy.bundle import Assignment
from argosy.errors import ArgosyError
from argosy.kinds import CONFIG_MAP, Kinds, gvk_of
from argosy.objects import Manifest, ObjectKey


class Bundles(Protocol):
    """Where a bundle's objects come from: the agent's cache on disk."""

    def load(self, digest: str) -> list[Manifest] | None:
        """The objects of a bundle, None where it is not here."""
        ...


class Preparing:
    """`keys` open what is encrypted."""

    def __init__(self, api: ClusterApi, bundles: Bundles, keys: KeyRing) -> None:
        self._api = api
        self._bundles = bundles
        self._keys = keys

    def loaded(self, digest: str) -> Sequence[Manifest]:
        """The objects of a bundle. Raises `ArgosyError` where it is not here."""
        manifests = self._bundles.load(digest)
        if manifests is None:
            raise ArgosyError(f"bundle {digest} has not arrived yet")
        return manifests

    async def prepared(self, assignment: Assignment, memory: Memory) -> tuple[Prepared, Kinds]:
        kinds = await self._api.kinds()
        asked = (
            assignment.bundle,
            assignment.destination_namespace,
            assignment.policy.sync_options,
            id(kinds),
        )
        if memory.prepared is None or memory.prepared_for != asked:
            manifests = self.loaded(assignment.bundle)
            prepared = prepare.prepare(manifests, assignment, kinds)
            memory.opener = closed
            if any(map(sealed.needs_opening, manifests)):
                prepared, memory.opener = await asyncio.to_thread(self.opened, prepared, manifests)
            memory.prepared = prepared
            memory.prepared_for = asked
            memory.kinds = {gvk: kinds.get(gvk) for gvk in memory.prepared.gvks}
            for known in (memory.verified, memory.failures, memory.corrections):
                for key in known.keys() - memory.prepared.wanted.keys():
                    del known[key]
        return memory.prepared, kinds

    def opened(
        self, prepared: Prepared, manifests: Sequence[Manifest]
    ) -> tuple[Prepared, Callable[[Wanted], Wanted]]:
        """With all objects in clear, hooks tried as well: what cannot be opened stops the app before its first step."""
        # Late: only where something is encrypted.
        from agent.sops.opening import Opener

        opener = Opener(self._keys, manifests)
        wanted = {key: opener.opened(item) for key, item in prepared.wanted.items()}
        for task in (task for stage in (*prepared.stages, prepared.after_failure) for task in stage):
            if task.hook:
                opener.opened(Wanted(task.key, gvk_of(task.manifest), task.manifest))
        return replace(prepared, wanted=wanted), opener.opened

    async def earlier(self, assignment: Assignment) -> Assignment | None:
        """The app as it was last applied here, for an agent that started anew and has not got the bundle it is to have:
        what is here is looked after meanwhile. It speaks of no release. None where no earlier bundle is at hand.
        """
        try:
            live = await self._api.get(CONFIG_MAP, marks.NAMESPACE, marks.inventory_name(assignment.id))
            known = inventories.from_manifest(assignment.id, live).bundles if live is not None else ()
            found = (digest for digest in known if self._bundles.load(digest) is not None)
            digest = next(found, None)
        except ArgosyError:
            return None
        return replace(assignment, bundle=digest, release="", revision="") if digest is not None else None

    def before(
        self, memory: Memory, inventory: Inventory, key: ObjectKey
    ) -> Callable[[str], Manifest | None]:
        """Finds what was last applied to an object among the bundles applied before."""

        def find(applied: str) -> Manifest | None:
            namespace = memory.prepared_for[1] if memory.prepared_for else ""
            kinds = {gvk: kind for gvk, kind in memory.kinds.items() if kind is not None}
            shown = Assignment(memory.assignment, "", "", "", namespace, "", "", "")
            for digest in inventory.bundles:
                manifests = self._bundles.load(digest)
                if manifests is not None:
                    wanted = prepare.prepare(manifests, shown, kinds).wanted.get(key)
                    if wanted is not None and wanted.digest == applied:
                        return wanted.manifest
            return None

        return find
