"""Which objects each Application wants on its cluster, so that two who want the same one hear of it in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from argosy import bundle as bundle_format
from argosy.errors import Invalid
from argosy.objects import ObjectKey, key_of
from hub.core.apps import hooks, owners
from hub.core.apps.owners import Owners
from hub.store import bundles
from hub.store.base import Store


@dataclass(frozen=True, slots=True)
class Wanted:
    """One Application's last good render on its cluster; cluster or bundle "" want nothing. `keys` are those of the
    bundle's objects where they are at hand, `endings` then the phases of a removal that it has hooks for.
    """

    app: str
    cluster: str
    bundle: str
    keys: tuple[ObjectKey, ...] | None = None
    endings: frozenset[str] = frozenset()


class Claims:
    """The claims of all Applications. Bundles are opened once for each change, equal ones together."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._owners = Owners()
        self._held: dict[str, tuple[str, str]] = {}
        self._endings: dict[str, frozenset[str]] = {}
        """Of the bundles that have hooks for a removal."""

    def endings(self, bundle: str) -> frozenset[str]:
        """The phases of a removal that a bundle has hooks for; it must have been claimed."""
        return self._endings.get(bundle, frozenset())

    async def take(self, wanted: Iterable[Wanted]) -> set[str]:
        """Puts new claims in the place of old ones; returns the other Applications that this concerns."""
        new = [one for one in wanted if self._held.get(one.app) != (one.cluster, one.bundle)]
        self._endings.update({one.bundle: one.endings for one in new if one.endings})
        keys = await self._keys({one.bundle: one.keys for one in new if one.cluster and one.bundle})
        told: set[str] = set()
        for one in new:
            self._held[one.app] = (one.cluster, one.bundle)
            told |= self._owners.claim(one.app, one.cluster, keys.get(one.bundle, ()))
        return told

    def leave(self, app: str) -> set[str]:
        """Returns as `take`."""
        self._held.pop(app, None)
        return self._owners.leave(app)

    def holders(self, cluster: str, key: ObjectKey) -> tuple[str, ...]:
        """The Applications that want an object of a cluster, by their last good renders."""
        return self._owners.holders(cluster, key)

    def message(self, app: str, name: Callable[[str], str]) -> str:
        """What an Application shares with others, in words; "" for nothing. `name` gives an id's shown name."""
        shared = ((key, [name(other) for other in others]) for key, others in self._owners.shared(app))
        return owners.message(shared, name(app))

    async def _keys(
        self, wanted: Mapping[str, tuple[ObjectKey, ...] | None]
    ) -> Mapping[str, tuple[ObjectKey, ...]]:
        known = {digest: keys for digest, keys in wanted.items() if keys is not None}
        absent = wanted.keys() - known.keys()
        if not absent:
            return known
        read = await self._store.read(lambda tx: {digest: bundles.get(tx, digest) for digest in absent})
        opened = await asyncio.to_thread(_opened, read)
        self._endings.update({digest: endings for digest, (_, endings) in opened.items() if endings})
        return {**known, **{digest: keys for digest, (keys, _) in opened.items()}}


def _opened(
    blobs: Mapping[str, bytes | None],
) -> dict[str, tuple[tuple[ObjectKey, ...], frozenset[str]]]:
    found: dict[str, tuple[tuple[ObjectKey, ...], frozenset[str]]] = {}
    for digest, blob in blobs.items():
        try:
            manifests = bundle_format.unpack(blob, digest) if blob else []
        except Invalid:
            # A damaged bundle is found out where it is sent.
            manifests = []
        found[digest] = tuple(key_of(one) for one in manifests), hooks.endings(manifests)
    return found
