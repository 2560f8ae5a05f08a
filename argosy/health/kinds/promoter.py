"""Health of GitOps Promoter's kinds: each has the condition Ready, which names the generation it speaks of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.health.base import (
    Check,
    Condition,
    Found,
    Malformed,
    degraded,
    dig,
    generation,
    healthy,
    items,
    progressing,
    status,
    told,
)
from argosy.health.rules import Rows, both, rows, waiting
from argosy.objects import Manifest


def _once_ready(check: Check, *names: str, unknown_waits: bool) -> Check:
    """The conditions of these names of this generation and not False, then `check`; `unknown_waits` holds Unknown back
    as well."""

    def ready(live: Manifest) -> Found:
        found = [item for item in told(status(live)) if item.type in names]
        if not found:
            return waiting(live)
        for item in found:
            if both(item.generation, generation(live)):
                return progressing(f"Waiting for generation {generation(live)} to be observed")
            if item.state == "False":
                return degraded(_said(item))
            if unknown_waits and item.state == "Unknown":
                return progressing(_said(item))
        return check(live)

    return ready


def _said(found: Condition) -> str:
    return f"{found.reason}: {found.message}" if found.message else found.reason


def _well(live: Manifest) -> Found:
    return healthy(f"{live['kind']} is ready")


def _applications(live: Manifest) -> Found:
    if not items(status(live), "applicationsSelected"):
        return degraded("Argo CD commit status has no applications configured")
    return healthy("Argo CD commit status is healthy")


def _phases(live: Manifest) -> Found:
    """Checks of environments: each passed, failed, or goes on."""
    phases = [each.get("phase") for each in items(status(live), "environments")]
    if "failure" in phases:
        return degraded("Validation failed for an environment")
    if all(phase == "success" for phase in phases):
        return healthy(f"Validation passed for {len(phases)} environment(s)")
    return progressing("Validation is pending for an environment")


def _policy(live: Manifest) -> Found:
    for side in ("active", "proposed"):
        if not dig(live, f"status.{side}.dry.sha"):
            return progressing(f"The {side} commit DRY SHA is missing or empty.")
    return healthy("Environment is healthy")


def _strategy(live: Manifest) -> Found:
    """All environments are proposed the same commit; the note of the hydrator names it where there is one."""
    environments = items(status(live), "environments")
    if not environments:
        return degraded("Promotion strategy has no environments configured")
    proposed = set()
    for each in environments:
        note = dig(each, "proposed.note.drySha")
        for side, sha in (
            ("active", dig(each, "active.dry.sha")),
            ("proposed", note or dig(each, "proposed.dry.sha")),
        ):
            if not sha:
                _branch(each)
                return progressing(f"The {side} commit DRY SHA is missing or empty in an environment.")
        proposed.add(note or dig(each, "proposed.dry.sha"))
    if len(proposed) > 1:
        return progressing("Not all environments have the same proposed commit SHA.")
    _branch(environments[0])
    return healthy("Promotion strategy is healthy")


def _branch(environment: Mapping[str, Any]) -> None:
    if environment.get("branch") is None:
        raise Malformed("an environment has no branch")


_GROUP = "promoter.argoproj.io"

CHECKS: Rows = {
    **rows(_GROUP, _once_ready(_applications, "Ready", unknown_waits=False), "ArgoCDCommitStatus"),
    **rows(_GROUP, _once_ready(_policy, "Ready", unknown_waits=False), "ChangeTransferPolicy"),
    **rows(_GROUP, _once_ready(_strategy, "Ready", unknown_waits=False), "PromotionStrategy"),
    **rows(_GROUP, _once_ready(_well, "Ready", unknown_waits=False), "CommitStatus"),
    **rows(_GROUP, _once_ready(_well, "Ready", "Reconciled", unknown_waits=False), "PullRequest"),
    **rows(
        _GROUP,
        _once_ready(_well, "Ready", unknown_waits=True),
        "ClusterScmProvider",
        "GitRepository",
        "ScmProvider",
    ),
    **rows(
        _GROUP,
        _once_ready(_phases, "Ready", unknown_waits=True),
        "GitCommitStatus",
        "TimedCommitStatus",
        "WebRequestCommitStatus",
    ),
}
