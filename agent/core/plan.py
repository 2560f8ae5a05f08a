"""What to do with one object, and why not more: the agent's judgement, one step at a time.

`first` gives the first step for an object, `then` the next one after a step's outcome; both are pure, and the
end of the way is a `Verdict`. Steps are carried out elsewhere, by hands that decide nothing. Every step not
taken carries a comparable reason.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from agent.core import contested, differences, drift, fieldpath, marks, retry
from agent.core.contested import Claim
from agent.core.inventory import Entry
from agent.core.marks import Seen, Wanted
from agent.core.options import Mode
from agent.core.retry import Failure
from agent.core.steps import (
    Applied,
    Apply,
    Check,
    Checked,
    Conflicted,
    Failed,
    Outcome,
    Reason,
    Recreate,
    Step,
    Verdict,
    Verified,
    Why,
)
from argosy.objects import Manifest
from argosy.status import Difference, Sync

SOMEBODY = "another manager"
"""Who changed a field, where the server does not say."""


_REMEDY = "annotation argosy.dev/mode: manage on the Application takes it"


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the judgement of one object rests on.

    `absent` says that `seen` None means: there is none with our label. `may_write` is the policy's word.
    `before` finds the manifest last applied by its digest, None where it is no longer known. `holder` is
    another assignment that has the object and still wants it. `protected` says what keeps it from being deleted,
    looked for only where it might be. `dry_run`: the server is asked about what is not there, too.
    """

    assignment: str
    wanted: Wanted
    seen: Seen | None
    entry: Entry | None
    verified: Verified | None
    failure: Failure | None
    corrections: contested.Corrections
    may_write: bool
    before: Callable[[str], Manifest | None]
    ignored: drift.Ignored = drift.NOTHING
    respect_ignored: bool = False
    holder: str = ""
    takes: bool = False
    """The user said `manage`: values that others own are taken on first contact, too."""
    protected: str = ""
    dry_run: bool = False


def first(now: Situation, time: float) -> Step | Verdict:
    """The first step for an object; a verdict at once where nothing needs to be asked of the server."""
    wanted, seen = now.wanted, now.seen
    if now.holder:
        return Verdict(Reason(Why.SHARED, f"belongs to {now.holder}, which still wants it"), Sync.OUT_OF_SYNC)
    if retry.waits(now.failure, _tried(now), time):
        assert now.failure is not None
        return Verdict(
            Reason(Why.BACKOFF, now.failure.message),
            Sync.OUT_OF_SYNC,
            failure=now.failure,
            verified=now.verified,
        )
    found = known(now) if not (now.dry_run and now.seen is None) else None
    if found is not None and (found.sync is Sync.SYNCED or not now.may_write):
        return Verdict(_reason(found), found.sync, seen, found)
    if seen is not None and seen.applied == wanted.digest:
        return _check(now, seen)
    if now.may_write:
        return _apply(now)
    return _check(now, seen, thorough=now.dry_run)


def _check(
    now: Situation,
    seen: Seen | None,
    taken: tuple[Claim, ...] = (),
    left: tuple[Claim, ...] = (),
    *,
    thorough: bool = False,
) -> Check:
    """A dry run in which nothing that is ignored differs from the live object, whose owner may be anybody."""
    manifest, ignored = _manifest(now, left), now.ignored
    return Check(now.wanted, manifest, seen, taken, _alone(now, left), thorough, ignored.managers, ignored)


def _apply(
    now: Situation,
    taken: tuple[Claim, ...] = (),
    left: tuple[Claim, ...] = (),
    found: tuple[Difference, ...] = (),
) -> Apply:
    manifest, keeping = _manifest(now, left), now.ignored if now.respect_ignored else drift.NOTHING
    return Apply(now.wanted, manifest, taken, _alone(now, left), found, keeping.managers, keeping)


def _tried(now: Situation) -> str:
    """What a failure is remembered for: this content on this live state. A change of either is a reason
    to try again.
    """
    return f"{now.wanted.digest}/{now.seen.mark if now.seen is not None else ''}"


def known(now: Situation) -> Verified | None:
    """What is known of exactly this content and this live state, from this process or from the inventory."""
    state = now.seen.mark if now.seen is not None else ""
    verified = now.verified
    if verified is not None and (verified.digest, verified.mark) == (now.wanted.digest, state):
        return verified
    entry, seen = now.entry, now.seen
    if seen is None or entry is None or not entry.mark:
        return None
    same = (entry.uid, entry.mark) == (seen.uid, seen.mark) and seen.applied == now.wanted.digest
    return Verified(now.wanted.digest, seen.mark, Sync.SYNCED, uid=_applied_to(now, seen)) if same else None


def _reason(known: Verified) -> Reason:
    if known.sync is Sync.SYNCED:
        return Reason(Why.CONTESTED if known.message else Why.UNCHANGED, known.message)
    return Reason(Why.MISSING if not known.mark else Why.DRIFT, known.message)


def _manifest(now: Situation, left: tuple[Claim, ...] = ()) -> Manifest:
    """The manifest as a server-side apply sends it: without the fields that are left to who owns them now.

    A field that nobody else owns now is in it, however contested: what we own and no longer say would go away.
    """
    if now.wanted.how.mode is not Mode.APPLY:
        return now.wanted.manifest
    out: Any = now.wanted.manifest
    for claim in left:
        out = fieldpath.drop(out, claim.field)
    manifest: Manifest = out
    return manifest


def _alone(now: Situation, left: tuple[Claim, ...]) -> tuple[Claim, ...]:
    """The fields that a write leaves alone. Where the server names no conflicts, the record alone says which."""
    if now.wanted.how.mode is Mode.APPLY:
        return left
    fought = (claim for claim, times in now.corrections.items() if contested.contested(times))
    return tuple(dict.fromkeys((*left, *fought)))


def then(now: Situation, step: Step, outcome: Outcome, time: float) -> Step | Verdict:
    """What follows a step."""
    if isinstance(outcome, Failed):
        if outcome.invalid and not isinstance(step, Recreate) and (live := _replaceable(now)) is not None:
            return Recreate(now.wanted, _manifest(now), live)
        return _failed(
            now, outcome.message, time, permanent=outcome.permanent, retry_after=outcome.retry_after
        )
    if isinstance(outcome, Conflicted):
        return _conflicted(now, step, outcome, time)
    if isinstance(outcome, Applied):
        return _applied(now, step, outcome.live, time)
    return _checked(now, step, outcome)


def _failed(
    now: Situation,
    message: str,
    time: float,
    *,
    permanent: bool,
    retry_after: float = 0.0,
    why: Why = Why.FAILED,
    found: tuple[Difference, ...] = (),
) -> Verdict:
    message = differences.hushed(now.wanted, message)
    failure = retry.failed(
        now.failure, _tried(now), message, time, permanent=permanent, retry_after=retry_after
    )
    failure = replace(failure, differences=found)
    return Verdict(Reason(why, message), Sync.OUT_OF_SYNC, failure=failure)


def _replaceable(now: Situation) -> Seen | None:
    """The live object where it may be deleted to be made anew: asked for, ours, and protected by nothing."""
    live = now.seen
    if not (now.may_write and now.wanted.how.recreate) or live is None or live.owner != now.assignment:
        return None
    return None if now.protected else live


def _conflicted(now: Situation, step: Step, outcome: Conflicted, time: float) -> Step | Verdict:
    if step.taken:
        # Forced, and refused all the same: somebody else took a field in between. The next pass looks anew.
        return _failed(now, outcome.message, time, permanent=False)
    claims = _counting(step, outcome)
    if not claims and outcome.claims:
        # Somebody changed what is ignored after it was read: with what it is now there is no conflict.
        return replace(step, live=outcome.live) if isinstance(step, Check) else step
    answer = contested.answer(
        claims, now.corrections, ours=_ours(now, outcome.live), yielding=now.ignored.managers
    )
    if answer.foreign:
        message = f"conflict: {contested.describe(answer.foreign)} ({_REMEDY})"
        found = _claimed(now, outcome, answer.foreign)
        verdict = _failed(now, message, time, permanent=True, why=Why.CONFLICT, found=found)
        return verdict if outcome.live is None else _with_live(verdict, outcome.live)
    left = (*step.left, *answer.left)
    if now.may_write and answer.taken:
        found = _claimed(now, outcome, answer.taken)
        return _apply(now, answer.taken, left, found)
    return _check(now, None, answer.taken, left)


def _counting(step: Step, outcome: Conflicted) -> tuple[Claim, ...]:
    """The claims to fields that do not keep their live value."""
    if isinstance(step, Recreate) or not step.keeping.fields or outcome.live is None:
        return outcome.claims
    live = outcome.live.body
    rest = step.keeping.strip(live)
    return tuple(
        claim
        for claim in outcome.claims
        if fieldpath.has(rest, claim.field) or not fieldpath.has(live, claim.field)
    )


def _claimed(now: Situation, outcome: Conflicted, claims: tuple[Claim, ...]) -> tuple[Difference, ...]:
    live = outcome.live
    return () if live is None else differences.of_claims(now.wanted, live.body, claims)


def _with_live(verdict: Verdict, live: Seen) -> Verdict:
    return Verdict(verdict.reason, verdict.sync, live, verdict.verified, verdict.failure, verdict.corrections)


def _ours(now: Situation, live: Seen | None) -> Callable[[str], bool]:
    """Which fields we applied before: what the live object's own marks say was last applied to it, and what we know of
    this very object should somebody have taken them off.
    """
    if now.takes:
        return lambda _: True
    seen = live if live is not None else now.seen
    if seen is None or seen.owner not in ("", now.assignment):
        return lambda _: False
    applied = {seen.applied} if seen.owner else set()
    if now.verified is not None and now.verified.uid == seen.uid:
        applied.add(now.verified.digest)
    if now.wanted.digest in applied:
        return lambda _: True
    before = [old for old in map(now.before, applied) if old is not None]
    own = (
        tuple(f".metadata.{part}.{marks.OWN_PREFIX}" for part in ("annotations", "labels")) if applied else ()
    )
    return lambda path: path.startswith(own) or any(fieldpath.has(old, path) for old in before)


def _applied_to(now: Situation, live: Seen) -> str:
    """The UID of the live object where it says itself that we applied this content to it, or where we knew so before
    somebody took our marks off; else "".
    """
    last = now.verified
    knew = last is not None and (last.digest, last.uid) == (now.wanted.digest, live.uid) and not live.owner
    says = (live.owner, live.applied) == (now.assignment, now.wanted.digest)
    return live.uid if says or knew else ""


def _applied(now: Situation, step: Step, live: Seen, time: float) -> Verdict:
    corrections = contested.recorded(now.corrections, step.taken, time)
    message = _left(now, step)
    found = step.found if isinstance(step, Apply) else ()
    found += differences.of_claims(now.wanted, live.body, _leaves(now, step))
    verified = Verified(now.wanted.digest, live.mark, Sync.SYNCED, message, found, _applied_to(now, live))
    reason = Reason(Why.CONTESTED if message else Why.APPLIED, message)
    return Verdict(reason, Sync.SYNCED, live, verified, corrections=corrections)


def _healed(now: Situation, live: Seen | None, merged: Seen | None) -> tuple[Claim, ...]:
    """The fields that a three-way merge takes back. The server names no manager then, so the fight is counted here."""
    if now.wanted.how.mode is not Mode.MERGE or live is None or merged is None:
        return ()
    if live.applied != now.wanted.digest:
        return ()
    return tuple(Claim(SOMEBODY, path) for path in drift.paths(live, merged, now.ignored))


def _leaves(now: Situation, step: Step) -> frozenset[Claim]:
    """The fields that are left to others because they fight for them."""
    return frozenset(claim for claim in step.left if claim.manager not in now.ignored.managers)


def _left(now: Situation, step: Step) -> str:
    """What to say about fields that are left alone, "" where there are none."""
    still = _leaves(now, step)
    return f"contested: {contested.describe(still)}" if still else ""


def _checked(now: Situation, step: Step, outcome: Checked) -> Step | Verdict:
    live, merged = outcome.live, outcome.merged
    # A field that somebody changed and put back is no drift; where we may write it becomes ours again all the same.
    owning = now.may_write
    same = live and merged and not drift.differs(live, merged, now.ignored, ownership=owning)
    if live is not None and same and not step.taken:
        message = _left(now, step)
        left = differences.of_claims(now.wanted, live.body, _leaves(now, step))
        verified = Verified(now.wanted.digest, live.mark, Sync.SYNCED, message, left, _applied_to(now, live))
        reason = Reason(Why.CONTESTED if message else Why.IN_SYNC, message)
        return Verdict(reason, Sync.SYNCED, live, verified)
    found: tuple[Difference, ...] = ()
    if live is not None and merged is not None:
        found = differences.compared(now.wanted, live, merged, now.ignored, step.taken)
    if now.may_write:
        drifted = found if live is not None and live.applied == now.wanted.digest else ()
        return _apply(now, step.taken or _healed(now, live, merged), step.left, drifted)
    state, why = ("", Why.MISSING) if live is None else (live.mark, Why.DRIFT)
    differing = drift.paths(live, merged, now.ignored) if live is not None and merged is not None else ()
    parts = [contested.describe(step.taken)] if step.taken else []
    parts += [f"differs in {', '.join(differing)}"] if differing else []
    message = "; ".join(parts)
    uid = _applied_to(now, live) if live is not None else ""
    verified = Verified(now.wanted.digest, state, Sync.OUT_OF_SYNC, message, found, uid)
    return Verdict(Reason(why, message), Sync.OUT_OF_SYNC, live, verified)
