"""Shows releases in the API: one `Release` object each, of a size that does not grow with the set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from argosy.objects import Manifest
from hub.core.releases import cause, releases
from hub.core.releases.releases import Changed
from hub.core.rollout.model import Version
from hub.core.served import table
from hub.loops.releases.causing import Causing
from hub.store import deliveries, events, history, rollouts
from hub.store.apps import AppState
from hub.store.base import Tx
from hub.store.history import Release
from hub.store.resources import Resources

MANAGER = "argosy-roller"
KEPT = 10
"""Releases of one owner that stay whatever their age, as Argo CD's `revisionHistoryLimit`."""
KEPT_SECONDS = 7 * 86400.0
"""For how long more than those stay, `MOST` in all."""
MOST = 100
SHOWN = 200
"""Applications listed in one object; the rest are in the store."""


@dataclass(frozen=True, slots=True)
class News:
    """A new release: its id, whose it is, what it changes and what each had before. `reason` and `by` where somebody
    asked for it."""

    release: str
    owner: Manifest
    changed: Sequence[tuple[AppState, Version]]
    reason: str = ""
    by: str = ""


def announce(tx: Tx, resources: Resources, news: News, now: float) -> str:
    """Records a release, lets the oldest go; returns the name of its object."""
    metadata = news.owner["metadata"]
    owner = metadata["uid"]
    last = history.newest(tx, owner)
    namespace = metadata["namespace"]
    number = _number(tx, resources, namespace, metadata["name"], last)
    name = f"{metadata['name']}-{number}"
    changed = [
        Changed(s.app, s.name, s.cluster, s.bundle, s.revision, before.bundle, before.revision)
        for s, before in news.changed
    ]
    history.add(tx, Release(news.release, owner, number, namespace, name, now), changed)
    deliveries.begin(tx, news.release, owner, [state for state, _ in news.changed], now)
    spec = {
        "owner": {"kind": news.owner["kind"], "name": metadata["name"], "uid": owner},
        "number": number,
        "commits": releases.commits(
            source
            for s, _ in news.changed
            for source in cause.commits_of(s.repo, s.target, s.revision, s.sources)
        ),
        "applications": [_application(one) for one in changed[:SHOWN]],
        "changed": len(changed),
        "truncated": len(changed) > SHOWN,
        "previous": last.name if last else "",
        **_cause(tx, resources, news, last),
    }
    manifest = {
        "apiVersion": table.RELEASE.kind.api_version,
        "kind": table.RELEASE.kind.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }
    resources.create(tx, table.RELEASE, manifest, manager=MANAGER, now=now, uid=news.release)
    _forget_old(tx, resources, owner, number, now)
    shown = ", ".join(sorted({one.revision[:12] for one in changed if one.revision})[:3]) or "no commit"
    events.note(
        tx,
        resources,
        news.owner,
        kind="Normal",
        reason="Released",
        message=f"release {name} of {shown}: {len(changed)} applications on {len({one.cluster for one in changed})} clusters",
        now=now,
        component=MANAGER,
    )
    return name


def _number(tx: Tx, resources: Resources, namespace: str, name: str, last: Release | None) -> int:
    """The owner's next number. Numbers may belong to another owner of the same name: one that was deleted, or a set beside
    an Application."""
    number = last.number + 1 if last else 1
    if resources.get(tx, table.RELEASE, namespace, f"{name}-{number}") is None:
        return number
    return history.highest(tx, namespace, name) + 1


def _cause(tx: Tx, resources: Resources, news: News, last: Release | None) -> dict[str, object]:
    """What made the release, and who."""
    if news.reason:
        generation = int(news.owner["metadata"].get("generation") or 1)
        return {"ownerGeneration": generation, "reason": news.reason, "by": news.by}
    return Causing(tx, resources, news.owner, news.changed, last).found()


def _application(one: Changed) -> dict[str, str]:
    return {
        "name": one.name,
        "uid": one.app,
        "cluster": one.cluster,
        "bundle": one.bundle,
        "revision": one.revision,
        "previousBundle": one.before_bundle,
        "previousRevision": one.before_revision,
    }


def _forget_old(tx: Tx, resources: Resources, owner: str, number: int, now: float) -> None:
    """Lets releases beyond the kept ones go, with their rollouts; one that is under way stays."""
    for old in history.older_than(tx, owner, number - KEPT + 1):
        if old.number > number - MOST and old.created > now - KEPT_SECONDS:
            continue
        rollout = rollouts.get(tx, old.id)
        if rollout is not None and rollout.under_way:
            continue
        resources.delete(tx, table.RELEASE, old.namespace, old.name, now=now)
        history.forget(tx, old.id)
        if rollout is not None:
            resources.delete(tx, table.ROLLOUT, rollout.namespace, rollout.name, now=now)
            rollouts.forget(tx, old.id)
