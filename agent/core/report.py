"""How single states become an app's state, and what of all states the hub has not acknowledged yet.

Roll-up is Argo CD 3.6's (`controller/health.go`, `controller/state.go`): hooks and objects without a check do
not count for health, a missing object does not worsen the app unless all are missing; an extra object makes
the app OutOfSync. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from agent.core import options
from agent.core.marks import Seen
from argosy import objects, stages, status
from argosy.health import table, waiting
from argosy.health.user import UserChecks
from argosy.kinds import Gvk
from argosy.objects import Manifest, ObjectKey
from argosy.status import AppStatus, Difference, Health, ObjectStatus, Sync

IGNORE_HEALTH = "argocd.argoproj.io/ignore-healthcheck"
COMPARE = "argocd.argoproj.io/compare-options"
_NAMED = 3


def object_status(
    key: ObjectKey,
    gvk: Gvk,
    sync: Sync,
    message: str,
    live: Seen | None,
    checks: UserChecks = table.NO_USER_CHECKS,
    *,
    known: bool = True,
    extra: bool = False,
    hook: bool = False,
    fresh: bool = False,
    phase: str = "",
    differences: tuple[Difference, ...] = (),
    wanted: Manifest | None = None,
) -> ObjectStatus:
    """The line of one object. `known` False: its live state could not be learned; `extra`: the bundle
    lacks it; `fresh`: it was changed just now; `phase`: of a hook, where it ran; `wanted` is the object
    as the bundle has it. An object that opts out has no health.
    """
    if live is not None and not hook and health_ignored(live.body):
        health, said, waits = None, "", ""
    elif live is not None:
        found = table.assess(live.body, checks)
        health, said = found.status, found.message
        waits = waiting.unsettled(live.body, found, fresh=fresh)
    else:
        health, said, waits = (Health.MISSING if known else None), "", ""
    return ObjectStatus(
        key.group,
        gvk.version,
        key.kind,
        key.namespace,
        key.name,
        sync,
        health,
        said,
        message,
        extra,
        hook,
        waits,
        phase,
        differences,
        stages.wave(wanted) if wanted is not None else 0,
        any(_asks(body) for body in (wanted, live.body if live is not None else None) if body is not None),
    )


def _asks(manifest: Manifest) -> bool:
    """Whether its deletion waits for a person (Argo CD 3.6: the option on either side counts)."""
    return options.value(options.of(manifest), "Delete") == "confirm"


def app_health(lines: Iterable[ObjectStatus]) -> tuple[Health, str]:
    """The app's health and who caused it, in Argo CD's words."""
    ordinary = [line for line in lines if not line.hook]
    if ordinary and all(line.health is Health.MISSING for line in ordinary):
        return Health.MISSING, ""
    counted = [
        line for line in ordinary if line.health not in (None, Health.MISSING) and not _stray_child(line)
    ]
    worst = status.worst(line.health for line in counted if line.health is not None)
    if worst is Health.HEALTHY:
        return worst, ""
    guilty = [_cause(line) for line in counted if line.health is worst]
    more = f" and {len(guilty) - _NAMED} more" if len(guilty) > _NAMED else ""
    return worst, f"Caused by {', '.join(guilty[:_NAMED])}{more}"


def unsettled(lines: Iterable[ObjectStatus]) -> str:
    """Why the app's health is not yet that of what was applied, with the objects' names; "" where it is.

    Objects count as they do for health: no hooks, none that opted out; what is to be pruned is none of the release.
    """
    waits = [
        f"{_cause(line)}: {line.waiting}"
        for line in lines
        if line.waiting and not line.hook and not line.requires_pruning
    ]
    more = f" and {len(waits) - _NAMED} more" if len(waits) > _NAMED else ""
    return f"{', '.join(waits[:_NAMED])}{more}"


def _cause(line: ObjectStatus) -> str:
    kind = f"{line.group}/{line.kind}" if line.group else line.kind
    return f"{kind}:{line.namespace}/{line.name}" if line.namespace else f"{kind}:{line.name}"


def _key(line: ObjectStatus) -> ObjectKey:
    return ObjectKey(line.group, line.kind, line.namespace, line.name)


def _stray_child(line: ObjectStatus) -> bool:
    return (line.group, line.kind) == ("argoproj.io", "Application") and line.health is Health.UNKNOWN


def app_sync(lines: Iterable[ObjectStatus], extraneous: frozenset[ObjectKey]) -> Sync:
    """The app's sync state. `extraneous` extra objects were told not to count (IgnoreExtraneous)."""
    counted = [
        line for line in lines if not line.hook and not (line.requires_pruning and _key(line) in extraneous)
    ]
    states = {line.sync for line in counted}
    if Sync.UNKNOWN in states:
        return Sync.UNKNOWN
    return Sync.OUT_OF_SYNC if Sync.OUT_OF_SYNC in states else Sync.SYNCED


def health_ignored(live: Manifest) -> bool:
    return stages.annotations_of(live).get(IGNORE_HEALTH) == "true"


def extraneous(live: Manifest) -> bool:
    return "IgnoreExtraneous" in stages.listed(stages.annotations_of(live).get(COMPARE, ""))


def detail(state: AppStatus) -> bytes:
    """The canonical bytes of a state as they go over the link."""
    return objects.canonical(asdict(state))


def state_digest(digests: Mapping[str, str]) -> str:
    """Digest over all states: assignment -> digest of its detail. See `Report.state_digest` in link.proto."""
    lines = sorted(f"{assignment}={digest}" for assignment, digest in digests.items())
    return objects.digest("\n".join(lines).encode())


@dataclass(frozen=True, slots=True)
class News:
    """What to report. `digests` is what the hub will hold once it acknowledged: pass it on as
    `acknowledged` then.
    """

    changed: tuple[AppStatus, ...]
    digests: Mapping[str, str]

    @property
    def state_digest(self) -> str:
        return state_digest(self.digests)


def news(states: Sequence[AppStatus], acknowledged: Mapping[str, str]) -> News:
    """Which states differ from what the hub acknowledged last (assignment -> digest of its detail)."""
    digests = {state.assignment: objects.digest(detail(state)) for state in states}
    changed = tuple(
        state for state in states if acknowledged.get(state.assignment) != digests[state.assignment]
    )
    return News(changed, digests)
