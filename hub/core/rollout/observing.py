"""What an agent's report, or its silence, makes of one member.

The gate rule: a member counts only when its agent reports the very bundle of this release applied, healthy in an
observation made after that, without a break for the soak time. Times of the hub's own clock alone are compared.
"""

from __future__ import annotations

from dataclasses import replace

from hub.core.rollout.model import Member, Offline, Seen, Stage, State, Strategy

UNSEEN = Seen(online=False)
"""Of a member nothing was ever reported of."""
NOT_YET = "not applied and healthy yet"
"""What a member waits for whose agent says nothing better."""


def observe(member: Member, seen: Seen, strategy: Strategy, now: float) -> Member:
    """The member as it is now. It is the same object where nothing changed."""
    stage = strategy.stages[member.stage] if 0 <= member.stage < len(strategy.stages) else _ANY
    match member.state:
        case State.MOVING | State.SOAKING:
            return _under_way(member, seen, strategy, stage, now)
        case State.DONE if stage.budget is not None and _fell_ill(member, seen):
            member = replace(member, healthy=0.0)
            return _moved(member, State.FAILED, now, blocker="Degraded after it was done")
        case State.FAILED if member.started and _well(member, seen):
            return _soak(member, stage, now)
        case State.DEFERRED if seen.online:
            return _back(member, stage, now)
        case State.REVERTING:
            return _reverting(member, seen, strategy, now)
    return member


def offline(seen: Seen, strategy: Strategy, now: float) -> bool:
    """Whether the link has been down for long enough to be called so."""
    return not seen.online and now - seen.offline_since >= strategy.offline_after


_ANY = Stage("", budget=None)


def _under_way(member: Member, seen: Seen, strategy: Strategy, stage: Stage, now: float) -> Member:
    if _well(member, seen):
        return _soak(member, stage, now)
    if member.state is State.SOAKING:
        if not offline(seen, strategy, now) and _well(member, replace(seen, online=True)):
            return member  # The link blinked: nothing is known to be wrong, and nothing is done either.
        member = _moved(replace(member, healthy=0.0), State.MOVING, now)
    if offline(seen, strategy, now):
        return _lost(member, strategy, now)
    if member.deadline == 0 and stage.deadline and stage.budget is not None:
        member = replace(member, deadline=now + stage.deadline)
    failed = _failed(member, seen)
    if stage.budget is None:
        return _blocked(member, failed or _why(seen, NOT_YET))
    if failed:
        return _moved(member, State.FAILED, now, blocker=failed)
    if member.deadline and now >= member.deadline:
        reason = f"not healthy within {stage.deadline:g} s: {_why(seen, 'not applied yet')}"
        return _moved(member, State.FAILED, now, blocker=reason)
    return _blocked(member, _why(seen, NOT_YET))


def _lost(member: Member, strategy: Strategy, now: float) -> Member:
    reason = "the cluster is offline"
    match strategy.offline:
        case Offline.DEFER:
            return _moved(member, State.DEFERRED, now, blocker=reason)
        case Offline.FAIL:
            return _moved(member, State.FAILED, now, blocker=reason)
        case Offline.WAIT:
            # Its time does not run while nobody can say how it is.
            return _blocked(replace(member, deadline=0.0) if member.deadline else member, reason)


def _soak(member: Member, stage: Stage, now: float) -> Member:
    healthy = member.healthy or now
    if now - healthy >= stage.soak:
        return _moved(replace(member, healthy=healthy), State.DONE, now)
    if member.state is State.SOAKING:
        return member
    return _moved(replace(member, healthy=healthy), State.SOAKING, now)


def _back(member: Member, stage: Stage, now: float) -> Member:
    """One that returns goes on where it was: it was assigned the release, or its turn had come."""
    if not member.started:
        return _moved(member, State.PENDING, now)
    deadline = now + stage.deadline if stage.deadline else 0.0
    return _moved(replace(member, deadline=deadline), State.MOVING, now)


def _reverting(member: Member, seen: Seen, strategy: Strategy, now: float) -> Member:
    if seen.bundle == member.before.bundle and seen.release == member.before.release and seen.synced:
        return _moved(member, State.REVERTED, now)
    if offline(seen, strategy, now):
        return _moved(member, State.REVERTED, now, blocker="the cluster is offline: told on its return")
    return _blocked(member, _why(seen, "not back to what it had yet"))


def _of_release(member: Member, seen: Seen) -> bool:
    return seen.bundle == member.to.bundle and seen.release == member.to.release


def _well(member: Member, seen: Seen) -> bool:
    return seen.online and _of_release(member, seen) and seen.synced and seen.healthy and seen.settled


def _fell_ill(member: Member, seen: Seen) -> bool:
    return _of_release(member, seen) and seen.degraded and seen.settled


def _failed(member: Member, seen: Seen) -> str:
    """Why the sync of this very attempt ended in failure."""
    return seen.failed if _of_release(member, seen) and seen.time > member.started else ""


def _why(seen: Seen, otherwise: str) -> str:
    return seen.waiting or ("the application is Degraded" if seen.degraded else otherwise)


def _blocked(member: Member, reason: str) -> Member:
    return member if member.blocker == reason else replace(member, blocker=reason)


def _moved(member: Member, state: State, now: float, blocker: str = "") -> Member:
    return replace(member, state=state, since=now, blocker=blocker)
