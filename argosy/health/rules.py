"""Health told from what controllers write down in the usual ways: conditions, phases, counts.

Most custom kinds need no code of their own but a row of rules; `custom.py` has the rows. What a rule says of a
condition is what the project's documentation says that the condition means.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from argosy.health.base import (
    Check,
    Found,
    conditions,
    healthy,
    mapping,
    progressing,
    status,
    suspended,
    text,
)
from argosy.objects import Manifest
from argosy.status import Health

HEALTHY, PROGRESSING, DEGRADED = Health.HEALTHY, Health.PROGRESSING, Health.DEGRADED
SUSPENDED, UNKNOWN = Health.SUSPENDED, Health.UNKNOWN


class When(NamedTuple):
    """A condition of this type and status means this health; with `reasons` only where its reason is one of them."""

    type: str
    state: str
    health: Health
    reasons: frozenset[str] = frozenset()


READY = (When("Ready", "True", HEALTHY), When("Ready", "False", DEGRADED))


def by_conditions(*rules: When, otherwise: Health = PROGRESSING, without: Health = PROGRESSING) -> Check:
    """The first rule that a condition satisfies decides; `otherwise` where none does, `without` where there are no
    conditions at all.
    """

    def check(live: Manifest) -> Found:
        found = list(conditions(live))
        for rule in rules:
            for kind, state, reason, message in found:
                if (kind, state) == rule[:2] and (not rule.reasons or reason in rule.reasons):
                    return Found(rule.health, message or reason)
        if not found:
            return Found(
                without, f"Waiting for the status of the {live['kind']}" if without is PROGRESSING else ""
            )
        return Found(otherwise, found[0][3])

    return check


def by_phase(
    path: str, meaning: Mapping[str, Health], *, otherwise: Health = PROGRESSING, message: str = "message"
) -> Check:
    """A word in the status decides, found at the dotted `path` below it; absent means Progressing."""
    *parents, last = path.split(".")

    def check(live: Manifest) -> Found:
        now: Mapping[str, Any] = status(live)
        for parent in parents:
            now = mapping(now, parent)
        word = text(now, last)
        if not word:
            return progressing(f"Waiting for the status of the {live['kind']}")
        return Found(meaning.get(word, otherwise), text(status(live), message) or word)

    return check


def suspended_where(path: str, check: Check) -> Check:
    """Suspended where the field at the dotted path is true, else what `check` says."""
    *parents, last = path.split(".")

    def with_pause(live: Manifest) -> Found:
        value: Mapping[str, Any] = live
        for parent in parents:
            value = mapping(value, parent)
        return suspended(f"{live['kind']} is suspended") if value.get(last) is True else check(live)

    return with_pause


def once_observed(check: Check) -> Check:
    """Progressing as long as `status.observedGeneration` speaks of an older generation; a status without it counts."""

    def fresh(live: Manifest) -> Found:
        observed, wanted = status(live).get("observedGeneration"), mapping(live, "metadata").get("generation")
        if isinstance(observed, int) and isinstance(wanted, int) and observed < wanted:
            return progressing(f"Waiting for generation {wanted} to be observed")
        return check(live)

    return fresh


def always_healthy(live: Manifest) -> Found:
    """For kinds that are mere settings to their controller, which writes no status."""
    return healthy(f"{live['kind']} has no status of its own")
