"""The steps that may be taken with one object, the outcomes they may have, and the verdict at the end: values alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, NamedTuple

from agent.core import contested
from agent.core.contested import Claim
from agent.core.drift import NOTHING, Ignored
from agent.core.marks import Seen, Wanted
from agent.core.retry import Failure
from argosy.objects import Manifest
from argosy.status import Difference, Sync


class Why(StrEnum):
    """Why a step was not taken, or what came of it."""

    APPLIED = "Applied"
    UNCHANGED = "Unchanged"
    IN_SYNC = "InSync"
    DRIFT = "Drift"
    MISSING = "Missing"
    CONFLICT = "Conflict"
    CONTESTED = "Contested"
    SHARED = "Shared"
    BACKOFF = "Backoff"
    FAILED = "Failed"
    WAITS = "WaitsForStage"
    PROTECTED = "Protected"
    CONFIRM = "WaitsForApproval"
    NOT_PRUNED = "PruneSkipped"
    EXPIRED = "Expired"
    HOLDING = "Holding"
    STILL_WANTED = "StillWanted"
    NOT_OURS = "NotOurs"
    HANDED_OVER = "HandedOver"
    DELETING = "Deleting"
    ADOPTED = "Adopted"
    OBSERVED = "Observed"


class Reason(NamedTuple):
    why: Why
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply it for real; `taken` says which fields are taken back from whom (then with force), `found` what differed."""

    wanted: Wanted
    manifest: Manifest = field(repr=False)
    taken: tuple[Claim, ...] = ()
    left: tuple[Claim, ...] = ()
    found: tuple[Difference, ...] = ()
    yielding: frozenset[str] = frozenset()
    """Managers that keep their values where the object is written without server-side apply."""
    keeping: Ignored = NOTHING
    """Fields that keep their live value."""


@dataclass(frozen=True, slots=True)
class Check:
    """Ask for the live object (where `live` is None or slim) and for a dry run of the manifest; `thorough`: also where
    there is no live object. What `yielding` managers own is no difference without server-side apply, and `keeping` never is.
    """

    wanted: Wanted
    manifest: Manifest = field(repr=False)
    live: Seen | None = None
    taken: tuple[Claim, ...] = ()
    left: tuple[Claim, ...] = ()
    thorough: bool = False
    yielding: frozenset[str] = frozenset()
    keeping: Ignored = NOTHING


@dataclass(frozen=True, slots=True)
class Recreate:
    """Delete exactly this live object, wait for its end, make it anew (`Force=true`)."""

    wanted: Wanted
    manifest: Manifest = field(repr=False)
    live: Seen
    taken: tuple[Claim, ...] = ()
    left: tuple[Claim, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """The server took it."""

    live: Seen


@dataclass(frozen=True, slots=True)
class Checked:
    """`live` None: there is none. `merged` is what the dry run would make of it."""

    live: Seen | None
    merged: Seen | None = None


@dataclass(frozen=True, slots=True)
class Conflicted:
    """Nothing was written: other managers own fields. `live` is the object as it is now."""

    claims: tuple[Claim, ...]
    message: str
    live: Seen | None = None


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing was written. `permanent`: repeating it as it is cannot help. `again`: look at the object
    anew first.
    """

    message: str
    permanent: bool = False
    retry_after: float = 0.0
    missing: Literal["", "kind", "namespace"] = ""
    invalid: bool = False
    """The live object does not take this change (an immutable field); a new object might."""


Step = Apply | Check | Recreate
Outcome = Applied | Checked | Conflicted | Failed


@dataclass(frozen=True, slots=True)
class Verified:
    """What was last found out about an object: for which content and live state, and the answer. `uid` is that of the
    live object where we have applied this content to it, else ""."""

    digest: str
    mark: str
    sync: Sync
    message: str = ""
    differences: tuple[Difference, ...] = ()
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The end for one object in this pass. `live` is the newest known state, as the server gave it where
    it did.
    """

    reason: Reason
    sync: Sync
    live: Seen | None = None
    verified: Verified | None = None
    failure: Failure | None = None
    corrections: contested.Corrections | None = None

    @property
    def failed(self) -> bool:
        return self.reason.why in (Why.FAILED, Why.CONFLICT, Why.BACKOFF)
