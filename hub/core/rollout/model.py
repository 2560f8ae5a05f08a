"""The records of a rollout: the strategy it follows, its state as it is stored, what is observed, what is decided.

A rollout moves the members of one owner (the Applications of a set, or a lone one) to one release. Times are Unix
seconds, 0 where there is none; spans are seconds. Nothing here acts.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from hub.core.matching.labels import Selector

OUTSIDE = -1
"""The stage of a member that no stage selects: it moves only when somebody syncs it by hand (RollingSync)."""


class Phase(StrEnum):
    """Where a whole rollout is. The last four are final."""

    PROGRESSING = "Progressing"
    PAUSED = "Paused"
    HALTED = "Halted"
    ROLLING_BACK = "RollingBack"
    COMPLETED = "Completed"
    ROLLED_BACK = "RolledBack"
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"


FINAL = frozenset({Phase.COMPLETED, Phase.ROLLED_BACK, Phase.ABORTED, Phase.SUPERSEDED})


class State(StrEnum):
    """Where one member is."""

    PENDING = "Pending"
    """Its turn has not come, or something holds it: `blocker` says what."""
    MOVING = "Moving"
    """Assigned the release; its agent has not reported it applied and healthy yet."""
    SOAKING = "Soaking"
    """Applied and healthy since `healthy`; the soak time runs."""
    DONE = "Done"
    FAILED = "Failed"
    """Past its deadline, or its agent said that the sync failed for good."""
    DEFERRED = "Deferred"
    """Offline: it delays nobody, and catches up alone on its return."""
    SKIPPED = "Skipped"
    """An operator said that the rollout goes on without it."""
    REVERTING = "Reverting"
    """Assigned what it had before; not reported applied yet."""
    REVERTED = "Reverted"
    LEFT = "Left"
    """No longer a member of the set."""


ASSIGNED = frozenset({State.MOVING, State.SOAKING})
"""Counts against `maxConcurrent`."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A number of members, or a percentage of them. A percentage of some is never less than one, rounded down,
    unless it is 0 %."""

    number: int
    percent: bool = False

    def of(self, total: int) -> int:
        if not self.percent:
            return self.number
        return max(1, math.floor(self.number * total / 100)) if self.number and total else 0

    def __str__(self) -> str:
        return f"{self.number}%" if self.percent else str(self.number)


NONE_ALLOWED = Limit(0)


class Offline(StrEnum):
    """What an offline member is to its stage."""

    DEFER = "defer"
    WAIT = "wait"
    FAIL = "fail"


class Membership(StrEnum):
    """What becomes of a member that joins while the rollout runs: it takes part, it comes after the end, or the
    rollout is aborted."""

    JOIN = "join"
    DEFER = "defer"
    ABORT = "abort"


class OnFailure(StrEnum):
    """What happens when a failure budget is exceeded."""

    HALT = "halt"
    ROLLBACK_STAGE = "rollback-stage"
    ROLLBACK = "rollback"


class OnNewRelease(StrEnum):
    """What a newer release does to this rollout: it takes its place at once, after it, or after its present stage."""

    SUPERSEDE = "supersede"
    QUEUE = "queue"
    FINISH = "finish"


class Order(StrEnum):
    """Who moves first within a stage."""

    NAME = "name"
    RANDOM = "random"
    LABEL = "label"
    LAST_CHANGE = "lastChange"
    """Those whose last change is longest ago first."""


class GateKind(StrEnum):
    APPROVAL = "approval"
    HTTP = "http"
    PROMETHEUS = "prometheus"
    OBJECT = "object"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Gate:
    """A condition to pass. `config` is the gate's own part of the policy, read by its implementation.

    `count` good answers in a row are needed (for an approval: different people, each of one of `roles` where any are
    named), asked for every `every` seconds; without them within `timeout` seconds (0: no limit) the gate failed.
    """

    name: str
    kind: GateKind
    config: Mapping[str, Any] = field(default_factory=dict)
    count: int = 1
    every: float = 30.0
    timeout: float = 0.0
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """`selector` is over the labels of the cluster (`over_apps`: of the Application, as RollingSync's); None is the
    rest. `rate` is the most starts per minute, 0 for no limit; `deadline` how long one member may take, 0 for ever."""

    name: str
    selector: Selector | None = None
    max_concurrent: Limit | None = None
    rate: float = 0.0
    order: Order = Order.NAME
    order_label: str = ""
    soak: float = 0.0
    deadline: float = 0.0
    budget: Limit | None = NONE_ALLOWED
    """Failures that are put up with; None: any number holds the stage up and nothing else."""
    before: tuple[Gate, ...] = ()
    after: tuple[Gate, ...] = ()


@dataclass(frozen=True, slots=True)
class Strategy:
    """What a RolloutPolicy or `strategy.rollingSync` says. `windows` are entries as in `spec.syncWindows`, kept as
    written; their time zone may be `cluster`."""

    stages: tuple[Stage, ...]
    over_apps: bool = False
    budget: Limit | None = None
    """Failures over all stages that are put up with; None: the stages' budgets alone count."""
    offline: Offline = Offline.DEFER
    membership: Membership = Membership.JOIN
    on_failure: OnFailure = OnFailure.HALT
    on_new_release: OnNewRelease = OnNewRelease.SUPERSEDE
    gated_rollback: bool = False
    """Whether rolling back waits for windows and holds, too."""
    seed: str = ""
    windows: tuple[Mapping[str, Any], ...] = ()
    offline_after: float = 60.0
    """A cluster whose link is down for less than this is not called offline."""


SINGLE = Strategy((Stage("all", budget=None),))
"""The strategy of those who have none: everybody at once."""


@dataclass(frozen=True, slots=True)
class Version:
    """What a member has or shall have. Empty where it had nothing."""

    release: str = ""
    bundle: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """One Application on one cluster in a rollout, as stored. `app` is the assignment's id, `name` the Application's.

    `since` is when it came into `state`, `started` when it was assigned the release (again, on a retry), `healthy`
    since when its agent reports it applied and healthy without a break, `deadline` when it has failed.
    """

    app: str
    name: str
    cluster: str
    stage: int
    to: Version
    before: Version = Version()
    state: State = State.PENDING
    since: float = 0.0
    started: float = 0.0
    healthy: float = 0.0
    deadline: float = 0.0
    blocker: str = ""
    rank: str = ""
    """Sorts the members of a stage; see `placing.rank`."""


@dataclass(frozen=True, slots=True)
class GateState:
    """One gate of one stage, as stored. `good` counts good answers in a row; `by` are those who approved."""

    passed: bool = False
    failed: bool = False
    since: float = 0.0
    asked: float = 0.0
    good: int = 0
    by: tuple[str, ...] = ()
    said: str = ""


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout as stored, without its members. `id` is the release's. `stage` is the one being rolled out.

    `gates` has the state of gates by `gate_key`. `reason` says why the phase is what it is.
    """

    id: str
    owner: str
    strategy: Strategy
    created: float
    phase: Phase = Phase.PROGRESSING
    stage: int = 0
    since: float = 0.0
    reason: str = ""
    gates: Mapping[str, GateState] = field(default_factory=dict)
    totals: tuple[int, ...] = ()
    """How many members of the owner each stage selects, changed by this release or not: percentages are of these."""
    reverting_from: int = 0
    """The first stage that a rollback undoes."""
    last_start: float = 0.0
    """When the rate of starts allowed the last one."""
    bad: bool = False
    """A release that was rolled back is never chosen again until Git moves past it or somebody clears it."""


def gate_key(stage: int, when: str, name: str) -> str:
    """`when` is "before" or "after"."""
    return f"{stage}/{when}/{name}"


@dataclass(frozen=True, slots=True)
class Seen:
    """What an agent reports of a member now, and whether it is there.

    `release` and `bundle` are what the report speaks of. `settled`: health was observed after that very bundle was
    applied, and no object speaks of an older generation; `healthy` and `synced` are its words. `failed` is the reason
    why the sync ended in failure, "" where it did not. `waiting` names what is waited for on the cluster.
    """

    release: str = ""
    bundle: str = ""
    time: float = 0.0
    """When the hub received it: what was said before a retry says nothing of the retry."""
    synced: bool = False
    healthy: bool = False
    settled: bool = False
    degraded: bool = False
    failed: str = ""
    waiting: str = ""
    online: bool = True
    offline_since: float = 0.0


@dataclass(frozen=True, slots=True)
class Hold:
    """Why a member may not move now: a freeze or a closed window, in words, and until when (0: not known)."""

    reason: str
    until: float = 0.0


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """What a gate said to the question that was put at `time`, however late."""

    good: bool
    said: str
    time: float


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows. `members` are only those that changed.

    `assign` are ids of members to be given `to`, `revert` of those to be given `before`. `ask` are gates, by their
    key, that want an answer now. `wake` is when to
    decide again though nothing changes, 0 for never. `notes` tell the story for Events: (reason, message).
    """

    rollout: Rollout
    members: tuple[Member, ...] = ()
    assign: tuple[str, ...] = ()
    revert: tuple[str, ...] = ()
    ask: tuple[tuple[str, Gate], ...] = ()
    wake: float = 0.0
    notes: tuple[tuple[str, str], ...] = ()
