"""Delivery figures: how often changes go out, how long a commit takes, how many fail, how soon that is mended.

Counted from what each release brought to each application. A deployment is a release that some of the applications
looked at got well with; it failed where some of them was not well with it, at once or within `PROBATION` of being well.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

PROBATION = 3600.0
"""Seconds after which an application that fails does not fail because of its last release."""
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """One release at one application. Times are Unix seconds, 0 while there is none; see `deliveries` in the schema."""

    release: str
    app: str
    owner: str
    name: str
    cluster: str
    created: float
    committed: float = 0.0
    done: float = 0.0
    failed: float = 0.0
    restored: float = 0.0
    settled: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What an agent reports of an application: the release that it speaks of, and since when it is so. `reverted`: its
    cluster shall have an older release again.
    """

    release: str
    well: bool
    failing: bool
    time: float
    reverted: bool = False


def advanced(delivery: Delivery, seen: Seen, now: float, *, current: bool) -> Delivery:
    """The delivery after a report. `current`: it is what the cluster shall have."""
    found = delivery
    if seen.release == found.release:
        if seen.well and not found.done:
            found = replace(found, done=seen.time)
        on_probation = not found.done or seen.time <= found.done + PROBATION
        if seen.failing and not found.failed and on_probation:
            found = replace(found, failed=seen.time)
    if seen.reverted and not found.failed:
        # Taken back: whoever decided that called it a failure.
        found = replace(found, failed=now, restored=now if seen.well else 0.0)
    if found.failed and not found.restored and seen.well and seen.time > found.failed:
        found = replace(found, restored=seen.time)
    return replace(found, settled=int(bool(found.settled) or _is_settled(found, now, current=current)))


def _is_settled(delivery: Delivery, now: float, *, current: bool) -> bool:
    if delivery.failed and not delivery.restored:
        return False
    if not current:
        return True
    return bool(delivery.done) and now > delivery.done + PROBATION


def events(before: Delivery, after: Delivery, commit: str, state: str) -> list[tuple[str, str, str]]:
    """What there is to tell of a delivery that came on: (type, reason, message). `state` is what is wrong, in a word."""
    of = f"commit {commit[:12]} (release {after.release})" if commit else f"release {after.release}"
    found = []
    if after.done and not before.done:
        took = max(0.0, after.done - after.created)
        found.append(("Normal", "Deployed", f"{of} is Synced and Healthy after {took:.0f} s"))
    if after.failed and not before.failed:
        what = "was taken back" if after.restored == after.failed else f"is not well: {state or 'taken back'}"
        found.append(("Warning", "DeploymentFailed", f"{of} {what}"))
    if after.restored and not before.restored and after.restored != after.failed:
        took = after.restored - after.failed
        found.append(("Normal", "Restored", f"well again {took:.0f} s after {of} failed"))
    return found


@dataclass(frozen=True, slots=True)
class Figures:
    """Over the releases made in a time. Seconds; None where nothing was to be measured."""

    days: float
    deployments: int
    failed: int
    lead: float | None
    lead_p90: float | None
    restore: float | None

    @property
    def per_day(self) -> float:
        return self.deployments / self.days if self.days else 0.0

    @property
    def failure_rate(self) -> float | None:
        """The share of failed deployments, None without any."""
        return self.failed / self.deployments if self.deployments else None

    def document(self) -> dict[str, Any]:
        return {
            "days": self.days,
            "deployments": self.deployments,
            "deploymentsPerDay": round(self.per_day, 4),
            "failedDeployments": self.failed,
            "changeFailureRate": self.failure_rate,
            "leadTimeSeconds": {"median": self.lead, "p90": self.lead_p90},
            "timeToRestoreSeconds": {"median": self.restore},
        }


def figures(deliveries: Iterable[Delivery], *, since: float, until: float) -> Figures:
    """Of the deliveries whose release was made from `since` on and before `until`.

    A release that nobody got well with and that failed nowhere is not over, and does not count yet; one that failed
    counts as a deployment, whoever got well with it.
    """
    inside = [one for one in deliveries if since <= one.created < until]
    failed = {one.release for one in inside if one.failed}
    reached = {one.release for one in inside if one.done} | failed
    leads = sorted(one.done - (one.committed or one.created) for one in inside if one.done)
    restores = [one.restored - one.failed for one in inside if one.failed and one.restored]
    return Figures(
        days=(until - since) / DAY,
        deployments=len(reached),
        failed=len(failed),
        lead=_median(leads),
        lead_p90=leads[min(len(leads) - 1, int(len(leads) * 0.9))] if leads else None,
        restore=_median(restores),
    )


def grouped(deliveries: Iterable[Delivery], by: str, groups: Mapping[str, str]) -> dict[str, list[Delivery]]:
    """The deliveries by application ("app"), by set ("set") or by the group of their cluster ("group").

    `groups` is, for sets, owner -> name, and for groups, cluster -> name; what is not in it is left out.
    """
    found: dict[str, list[Delivery]] = {}
    for one in deliveries:
        key = one.name if by == "app" else groups.get(one.owner if by == "set" else one.cluster, "")
        if key:
            found.setdefault(key, []).append(one)
    return dict(sorted(found.items()))


def _median(values: Sequence[float]) -> float | None:
    return statistics.median(values) if values else None
