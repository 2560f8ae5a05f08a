"""Health of GitOps Promoter's kinds: each has the condition Ready, which names the generation it speaks of."""

from __future__ import annotations

from argosy.health.base import (
    Check,
    Condition,
    Found,
    degraded,
    dig,
    generation,
    healthy,
    items,
    mapping,
    progressing,
    status,
)
from argosy.health.rules import Rows, both, find, rows, waiting
from argosy.objects import Manifest


def _once_ready(check: Check, *, unknown_waits: bool) -> Check:
    """Ready of this generation and not False, then `check`; `unknown_waits` holds Unknown back as well."""

    def ready(live: Manifest) -> Found:
        found = find(live, "Ready")
        if found is None:
            return waiting(live)
        if both(found.generation, generation(live)):
            return progressing(f"Waiting for generation {generation(live)} to be observed")
        if found.state == "False":
            return degraded(_said(found))
        if unknown_waits and found.state == "Unknown":
            return progressing(_said(found))
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
        for side in ("active", "proposed"):
            if not dig(each, f"{side}.dry.sha"):
                return progressing(f"The {side} commit DRY SHA is missing or empty in an environment.")
        note = mapping(mapping(each, "proposed"), "note").get("drySha")
        proposed.add(note or dig(each, "proposed.dry.sha"))
    if len(proposed) > 1:
        return progressing("Not all environments have the same proposed commit SHA.")
    return healthy("Promotion strategy is healthy")


_GROUP = "promoter.argoproj.io"

CHECKS: Rows = {
    **rows(_GROUP, _once_ready(_applications, unknown_waits=False), "ArgoCDCommitStatus"),
    **rows(_GROUP, _once_ready(_policy, unknown_waits=False), "ChangeTransferPolicy"),
    **rows(_GROUP, _once_ready(_strategy, unknown_waits=False), "PromotionStrategy"),
    **rows(_GROUP, _once_ready(_well, unknown_waits=False), "CommitStatus", "PullRequest"),
    **rows(
        _GROUP, _once_ready(_well, unknown_waits=True), "ClusterScmProvider", "GitRepository", "ScmProvider"
    ),
    **rows(
        _GROUP,
        _once_ready(_phases, unknown_waits=True),
        "GitCommitStatus",
        "TimedCommitStatus",
        "WebRequestCommitStatus",
    ),
}
