"""Health told from what controllers write down in the usual ways: conditions, phases, counts.

Most custom kinds need no code of their own but a row of rules. What a rule says of a condition is what the project's
documentation says that the condition means.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from argosy.health.base import (
    NONE,
    Check,
    Condition,
    Found,
    Malformed,
    dig,
    generation,
    is_set,
    mapping,
    progressing,
    status,
    suspended,
    told,
)
from argosy.objects import Manifest
from argosy.status import Health

HEALTHY, PROGRESSING, DEGRADED = Health.HEALTHY, Health.PROGRESSING, Health.DEGRADED
SUSPENDED, UNKNOWN, MISSING = Health.SUSPENDED, Health.UNKNOWN, Health.MISSING

Rows = Mapping[tuple[str, str], Check]
"""(group, kind) -> check, at every version."""


def rows(group: str, check: Check, *kinds: str) -> dict[tuple[str, str], Check]:
    return {(group, kind): check for kind in kinds}


class When(NamedTuple):
    """A condition of this type and status means this health; with `reasons` only where its reason is one of them.
    An empty type stands for any; an empty status as well. Of `says`, texts of a condition, it must lack none."""

    type: str
    state: str
    health: Health
    reasons: frozenset[str] = frozenset()
    says: tuple[str, ...] = ()

    def suits(self, condition: Condition) -> bool:
        return (
            self.type in ("", condition.type)
            and self.state in ("", condition.state)
            and (not self.reasons or condition.reason in self.reasons)
        )


def only(*reasons: str) -> frozenset[str]:
    return frozenset(reasons)


READY = (When("Ready", "True", HEALTHY), When("Ready", "False", DEGRADED))


def waiting(live: Manifest) -> Found:
    return progressing(f"Waiting for the status of the {live['kind']}")


def by_conditions(
    *rules: When,
    before: tuple[When, ...] = (),
    otherwise: Health = PROGRESSING,
    without: Health = PROGRESSING,
    at: str = "status",
    newest: bool = False,
) -> Check:
    """The first condition (the last one where `newest`) that satisfies a rule decides; `otherwise` where none does,
    `without` where there is no list of conditions. `at` is where that lies. Each rule of `before` is looked for by
    itself, before all others.
    """

    def check(live: Manifest) -> Found:
        place = _object_at(live, at)
        if place.get("conditions") is None:
            return Found(without) if without is not PROGRESSING else waiting(live)
        found = told(place)[::-1] if newest else told(place)
        for passes in (*((rule,) for rule in before), rules):
            for condition in found:
                rule = next((each for each in passes if each.suits(condition)), None)
                if rule is not None:
                    condition.must_say(*rule.says)
                    return Found(rule.health, condition.message or condition.reason)
        return Found(otherwise, found[0].message if found else "")

    return check


def by_phase(
    path: str,
    meaning: Mapping[str, Health],
    *,
    otherwise: Health | None = PROGRESSING,
    absent: Health | None = PROGRESSING,
    without: Health = PROGRESSING,
    message: str = "message",
) -> Check:
    """A word decides, found at the dotted `path` below the status. `otherwise`: it is another word; `absent`: there is
    a status without it; `without`: there is no status."""

    def check(live: Manifest) -> Found:
        now = live.get("status")
        if now is None:
            return Found(without, f"Waiting for the status of the {live['kind']}")
        word = dig(status(live), path)
        if word is None:
            return Found(absent, f"Waiting for the status of the {live['kind']}") if absent else NONE
        health = meaning.get(word, otherwise) if isinstance(word, str) else otherwise
        said = status(live).get(message)
        return Found(health, said if isinstance(said, str) and said else str(word)) if health else NONE

    return check


def suspended_where(path: str, check: Check) -> Check:
    """Suspended where the flag at the dotted path is set, else what `check` says."""

    def with_pause(live: Manifest) -> Found:
        return suspended(f"{live['kind']} is suspended") if is_set(dig(live, path)) else check(live)

    return with_pause


def requiring(check: Check, *paths: str) -> Check:
    """Unknown where nothing lies at one of these dotted paths: the rule cannot do without, and nothing is guessed."""

    def checked(live: Manifest) -> Found:
        for path in paths:
            if dig(live, path) is None:
                raise Malformed(f"{live['kind']} has no {path}")
        return check(live)

    return checked


Age = Callable[[int | None, int | None], bool]
"""(observed, wanted) -> whether what was observed is too old to count."""


def both(observed: int | None, wanted: int | None) -> bool:
    """Only where both are known."""
    return observed is not None and wanted is not None and observed != wanted


def named(observed: int | None, wanted: int | None) -> bool:
    """Where the status names a generation, it must be the object's."""
    return observed is not None and observed != wanted


def wanted_known(observed: int | None, wanted: int | None) -> bool:
    """Where the object has a generation, the status must name it."""
    return wanted is not None and observed != wanted


def same(observed: int | None, wanted: int | None) -> bool:
    """Both name the same one, or neither any."""
    return observed != wanted


def exact(observed: int | None, wanted: int | None) -> bool:
    """A status that names no generation does not count."""
    return observed is None or observed != wanted


def once_observed(check: Check, age: Age = both, *, at: str = "status.observedGeneration") -> Check:
    """Progressing as long as the status speaks of another generation than the object has."""

    def fresh(live: Manifest) -> Found:
        if live.get("status") is None:
            return waiting(live)
        observed = dig(live, at)
        if age(observed if isinstance(observed, int) else None, generation(live)):
            return progressing(f"Waiting for generation {generation(live)} to be observed")
        return check(live)

    return fresh


def once_condition_observed(check: Check, type_: str, age: Age = both) -> Check:
    """The same for the generation that the condition of this type names."""

    def fresh(live: Manifest) -> Found:
        found = find(live, type_)
        if found is None:
            return waiting(live)
        if age(found.generation, generation(live)):
            return progressing(f"Waiting for generation {generation(live)} to be observed")
        return check(live)

    return fresh


def find(live: Manifest, type_: str) -> Condition | None:
    """The first condition of this type."""
    return next((item for item in told(status(live)) if item.type == type_), None)


def state(live: Manifest, type_: str) -> str:
    """The status of the condition of this type, "" where there is none."""
    found = find(live, type_)
    return "" if found is None else found.state


def needed(value: Mapping[str, Any], name: str) -> int:
    """A number that the rule cannot do without. Raises `Malformed` where it lacks."""
    found = value.get(name)
    if isinstance(found, bool) or not isinstance(found, int):
        raise Malformed(f"{name} is {found!r}, expected a number")
    return found


def _object_at(live: Manifest, path: str) -> Mapping[str, Any]:
    value: Mapping[str, Any] = live
    for part in path.split("."):
        value = mapping(value, part)
    return value
