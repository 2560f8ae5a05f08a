"""What an agent says about its cluster, and how single states roll up.

Words and roll-up are Argo CD's (3.6, `gitops-engine/pkg/health`): the worst health of the objects is the health of
the app, objects without a check do not count.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Health(StrEnum):
    """Argo CD's health words, from best to worst."""

    HEALTHY = "Healthy"
    SUSPENDED = "Suspended"
    PROGRESSING = "Progressing"
    MISSING = "Missing"
    DEGRADED = "Degraded"
    UNKNOWN = "Unknown"


class Sync(StrEnum):
    """Argo CD's sync words."""

    SYNCED = "Synced"
    OUT_OF_SYNC = "OutOfSync"
    UNKNOWN = "Unknown"


_WORST_FIRST = tuple(reversed(Health))


def worst(states: Iterable[Health]) -> Health:
    """The app's health from its objects' (Argo CD: `health.IsWorse`); Healthy where there is none."""
    found = set(states)
    return next((state for state in _WORST_FIRST if state in found), Health.HEALTHY)


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs. `desired` and `live` are JSON, "" where that side has none, `***` where it must not be
    seen; `manager` is who owns it now, "" where the server does not tell.
    """

    field: str
    desired: str
    live: str
    manager: str = ""


@dataclass(frozen=True, slots=True)
class ObjectStatus:
    """One object of an app as the agent last saw it. `health` is None where the kind has no check."""

    group: str
    version: str
    kind: str
    namespace: str
    name: str
    sync: Sync
    health: Health | None = None
    health_message: str = ""
    message: str = ""
    """What came of the last step on it: an error, a conflict with the other manager's name, a reason for a skip."""
    requires_pruning: bool = False
    hook: bool = False
    waiting: str = ""
    """Why a rollout does not count on the object yet, whatever its health is (`argosy.health.waiting`)."""
    phase: str = ""
    """Of a hook: the phase it ran in ("PreSync", ...)."""
    differences: tuple[Difference, ...] = ()
    """What differs; of an object that is Synced, what was taken back from others last."""
    wave: int = 0
    """The sync wave that the bundle gives it."""
    confirm: bool = False
    """Whether its deletion waits for a person: sync option `Delete=confirm`."""


@dataclass(frozen=True, slots=True)
class AppStatus:
    """One app on one cluster. `assignment`, `release` and `bundle` name exactly what it speaks of.

    `phase` is Argo CD's operation phase of the last sync ("Running", "Succeeded", "Failed", "Error", "" when there
    was none). Times are Unix seconds of the agent's clock, 0 when there is none.
    """

    assignment: str
    release: str
    bundle: str
    revision: str
    sync: Sync
    health: Health
    message: str = ""
    """What came of the last sync, or what it waits for."""
    health_message: str = ""
    """Whose health is not well, "" where it is."""
    phase: str = ""
    operation: str = ""
    """The newest `sync_request` that was taken up."""
    token: str = ""
    """Names exactly the sync that `phase` speaks of."""
    asked: str = ""
    """`Policy.operation` of that sync, "" for an automatic one."""
    retries: int = 0
    """How often that sync was tried again."""
    started: float = 0.0
    finished: float = 0.0
    healthy_since: float = 0.0
    settled: bool = False
    """True once every object of `bundle` was applied, and `health` was observed after that: of no object does the
    status speak of an older generation. Rollouts count on nothing else."""
    waiting: str = ""
    """What `settled` waits for: an object and why; "" where it is true."""
    resources: tuple[ObjectStatus, ...] = ()
    conditions: tuple[tuple[str, str], ...] = ()
    """(type, message) pairs in Argo CD's condition types, for example ("SyncError", ...)."""
    removed: tuple[str, ...] = ()
    """Ids of removals that are done; repeated until the hub stops listing them."""
    pruned: tuple[tuple[str, str, str, str, str], ...] = ()
    """(group, version, kind, namespace, name) of what that sync deleted, as far as the agent remembers it."""
    gone: bool = False
    """True once the whole app was removed or released and nothing of it is in the inventory."""
