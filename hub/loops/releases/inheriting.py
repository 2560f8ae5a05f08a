"""Who is about to take over what a deleted Application has on its cluster.

An Application that goes and one that comes with the same objects hand them over on the cluster, once both are known
there. The one that comes may still be unrendered, or wait for its turn in a rollout: until it is assigned, the other one
stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from argosy.bundle import Assignment
from hub.loops.releases.assigning import keys_of
from hub.store import apps, handing
from hub.store.base import Tx

PATIENCE = 60.0
"""Seconds for which an Application that goes waits for others to be rendered for the first time."""


@dataclass
class Coming:
    """The Applications that have yet to be assigned what they are rendered as, as one run of a loop finds them."""

    unseen: str = ""
    """The name of one that was never rendered, "" where there is none."""
    by_cluster: Mapping[str, Sequence[apps.Unassigned]] = field(default_factory=dict)
    _keys: dict[str, frozenset[str]] = field(default_factory=dict)

    def heir(self, tx: Tx, cluster: str, assigned: Assignment, deleted: float, now: float) -> str:
        """What the objects of an Application that goes wait for on a cluster, "" for nothing. `deleted` is when it was."""
        if self.unseen and now - deleted < PATIENCE:
            return f"Application {self.unseen} is not rendered yet, and may want the same objects"
        mine = self._of(tx, assigned.bundle) | handing.keys_of(tx, cluster, assigned.id)
        for one in self.by_cluster.get(cluster, ()):
            if one.app != assigned.id and mine & self._of(tx, one.bundle):
                return f"its objects go to {one.name}, which is not assigned to the cluster yet"
        return ""

    def _of(self, tx: Tx, bundle: str) -> frozenset[str]:
        if bundle not in self._keys:
            self._keys[bundle] = keys_of(tx, bundle)
        return self._keys[bundle]


def coming(tx: Tx) -> Coming:
    """What is there now."""
    found: dict[str, list[apps.Unassigned]] = {}
    for one in apps.unassigned(tx):
        found.setdefault(one.cluster, []).append(one)
    return Coming(apps.unseen(tx), found)
