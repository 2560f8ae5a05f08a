"""Gives the users' own health checks of `argocd-cm` to every cluster."""

from __future__ import annotations

from hub.core import settings
from hub.store import bundles, desired
from hub.store.base import Store, Tx

MANY = 50
"""Clusters changed in one transaction: others write in between."""


async def give(store: Store, checks: tuple[tuple[str, str], ...], now: float) -> None:
    """Clusters that join later are given the same. May be interrupted: the next call does what is left."""
    digest, blob = settings.packed_checks(checks)

    def keep(tx: Tx) -> list[str]:
        if digest:
            bundles.put(tx, digest, blob, now)
        if desired.current_checks(tx) != digest:
            desired.keep_checks(tx, digest)
        return desired.checked_otherwise(tx, digest)

    clusters = await store.write(keep)
    for start in range(0, len(clusters), MANY):
        part = clusters[start : start + MANY]
        await store.write(lambda tx, part=part: [desired.change(tx, each, checks=digest) for each in part])  # type: ignore[misc]
