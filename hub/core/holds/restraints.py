"""What one cluster's agent is told of freezes, overrides and sync windows (`argosy.bundle.Restraint`). Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from argosy.bundle import FREEZE, OVERRIDE, Restraint
from hub.core.holds import holds
from hub.core.holds.freezes import Freeze, Orders, Override, Scope, Subject
from hub.core.holds.windows import Window
from hub.core.types import ClusterFacts


def of_cluster(
    cluster: ClusterFacts,
    subjects: Sequence[Subject],
    orders: Orders,
    projects: Mapping[str, Sequence[Window]],
) -> list[Restraint]:
    """The restraints of a cluster; `subjects` are the Applications that it has. A rollout's freeze is none: it says who
    may start, and that is the hub's."""
    found = []
    for each in orders.every:
        if each.scope.place(cluster):
            apps = _concerned(each.scope, subjects)
            if apps or each.scope.everything_there:
                found.append(_order(each, apps))
    for project in sorted({subject.project for subject in subjects}):
        for number, window in enumerate(projects.get(project, ())):
            apps = [each.id for each in subjects if each.project == project and _concerns(window, each)]
            if apps:
                found.append(_window(f"window/{project}/{number}", window, apps))
    return found


def _concerned(scope: Scope, subjects: Sequence[Subject]) -> list[str]:
    if scope.everything_there:
        return []
    return sorted(each.id for each in subjects if scope.thing(each))


def _order(order: Freeze | Override, apps: Sequence[str]) -> Restraint:
    until, named = float(order.until), tuple(apps)
    if isinstance(order, Override):
        return Restraint(f"{OVERRIDE}/{order.name}", OVERRIDE, named, reason=order.reason, until=until)
    reason = holds.frozen(order).reason
    return Restraint(f"{FREEZE}/{order.name}", FREEZE, named, reason=reason, until=until, heal=order.heal)


def _concerns(window: Window, subject: Subject) -> bool:
    return window.concerns(subject.manifest or {})


def _window(name: str, window: Window, apps: Sequence[str]) -> Restraint:
    when = window.when
    return Restraint(
        name,
        when.kind,
        tuple(sorted(apps)),
        schedule=when.schedule,
        duration=when.duration,
        time_zone=when.time_zone,
        manual_sync=when.manual_sync,
        sync_overrun=when.sync_overrun,
    )
