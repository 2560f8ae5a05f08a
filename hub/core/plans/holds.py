"""What a change would wait for: windows of its project, a sync that nobody automated, the stages of its set."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core import rollingsync, windows
from hub.core.plans.model import Hold


def of_app(
    app: Manifest, project: Manifest | None, appset: Manifest | None, now: datetime.datetime
) -> tuple[Hold, ...]:
    """`project` and `appset` are None where there are none. `now` is aware."""
    found = (_window(app, project, now), _by_hand(app), _stage(app, appset))
    return tuple(hold for hold in found if hold is not None)


def _window(app: Manifest, project: Manifest | None, now: datetime.datetime) -> Hold | None:
    entries = ((project or {}).get("spec") or {}).get("syncWindows")
    if not entries or project is None:
        return None
    name = project["metadata"]["name"]
    try:
        if windows.can_sync(windows.parse(entries), app, now):
            return None
    except Invalid as error:
        return Hold("Window", f"a sync window of project {name} cannot be read: {error.message}")
    return Hold("Window", f"the sync windows of project {name} do not allow a sync now")


def _by_hand(app: Manifest) -> Hold | None:
    policy: Mapping[str, Any] = (app.get("spec") or {}).get("syncPolicy") or {}
    automated = policy.get("automated")
    if automated is not None and automated.get("enabled") is not False:
        return None
    return Hold("ManualSync", "syncs when somebody asks for it: spec.syncPolicy.automated is not set")


def _stage(app: Manifest, appset: Manifest | None) -> Hold | None:
    strategy = ((appset or {}).get("spec") or {}).get("strategy") or {}
    steps = rollingsync.steps_of(strategy)
    labels = app["metadata"].get("labels") or {}
    at = next((at for at, step in enumerate(steps) if step.selects(labels)), None)
    if not steps or at == 0:
        return None
    if at is None:
        return Hold("Rollout", "in no step of the rolling sync: syncs when somebody asks for it")
    return Hold("Rollout", f"step {at + 1} of {len(steps)}: waits until the steps before it are healthy")
