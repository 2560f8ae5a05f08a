"""What a health check is: a pure function from a live object to Argo CD's word for how it is, and why.

Rules and messages' meaning are those of Argo CD 3.6 (`gitops-engine/pkg/health`); they are generation aware:
what a controller has not yet looked at is Progressing, never Healthy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from argosy.objects import Manifest
from argosy.status import Health


class Found(NamedTuple):
    """`status` None says that Argo CD has no health for such an object."""

    status: Health | None
    message: str = ""


Check = Callable[[Manifest], Found]
"""Raises `Malformed` where a field is of a type that the kind does not allow."""


class Malformed(Exception):
    """A field that does not convert to the kind's type; the object's health is Unknown."""


NONE = Found(None)


def healthy(message: str = "") -> Found:
    return Found(Health.HEALTHY, message)


def progressing(message: str = "") -> Found:
    return Found(Health.PROGRESSING, message)


def degraded(message: str = "") -> Found:
    return Found(Health.DEGRADED, message)


def suspended(message: str = "") -> Found:
    return Found(Health.SUSPENDED, message)


def unknown(message: str = "") -> Found:
    return Found(Health.UNKNOWN, message)


def mapping(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """A field that is an object; {} where it is absent."""
    found = value.get(name)
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise Malformed(f"{name} is {type(found).__name__}, expected an object")
    return found


def number(value: Mapping[str, Any], name: str, default: int = 0) -> int:
    """A field that is a whole number; the default where it is absent."""
    found = value.get(name)
    if found is None:
        return default
    if isinstance(found, bool) or not isinstance(found, int):
        if isinstance(found, float) and found.is_integer():
            return int(found)
        raise Malformed(f"{name} is {found!r}, expected a number")
    return found


def text(value: Mapping[str, Any], name: str) -> str:
    """A field that is text; "" where it is absent."""
    found = value.get(name)
    if found is None:
        return ""
    if not isinstance(found, str):
        raise Malformed(f"{name} is {found!r}, expected text")
    return found


def items(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A field that is a list of objects; [] where it is absent."""
    found = value.get(name)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise Malformed(f"{name} is no list of objects")
    return found


def is_set(flag: Any) -> bool:
    """Whether a flag of a custom kind is set: by all that is neither absent nor false, text as well."""
    return flag is not None and flag is not False


def listed(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    """A list of objects that the rule cannot do without. Raises `Malformed` where it lacks."""
    if value.get(name) is None:
        raise Malformed(f"there are no {name}")
    return items(value, name)


def spec(live: Manifest) -> Mapping[str, Any]:
    return mapping(live, "spec")


def status(live: Manifest) -> Mapping[str, Any]:
    return mapping(live, "status")


def stale(live: Manifest) -> bool:
    """Whether the controller has yet to look at the newest generation."""
    return number(mapping(live, "metadata"), "generation") > number(status(live), "observedGeneration")


def conditions(live: Manifest) -> Iterable[tuple[str, str, str, str]]:
    """(type, status, reason, message) of each condition."""
    for item in items(status(live), "conditions"):
        yield text(item, "type"), text(item, "status"), text(item, "reason"), text(item, "message")


class Condition(NamedTuple):
    """One entry of a list of conditions, as far as it is readable: what is no text counts as "". `generation` is the
    one it speaks of, None where it names none; `silent` are those of `TEXTS` that it lacks."""

    type: str
    state: str
    reason: str = ""
    message: str = ""
    generation: int | None = None
    silent: frozenset[str] = frozenset()

    def must_say(self, *names: str) -> None:
        """Raises `Malformed` where one of these texts lacks: Argo CD gives no answer that leaves a word out."""
        for name in names:
            if name in self.silent:
                raise Malformed(f"condition {self.type or 'without a type'} has no {name}")


TEXTS = ("type", "status", "reason", "message")


def told(value: Mapping[str, Any], name: str = "conditions") -> list[Condition]:
    """The conditions of a custom kind, whose authors keep to no type for each field."""
    return [
        Condition(
            _text_or_nothing(item.get("type")),
            _text_or_nothing(item.get("status")),
            _text_or_nothing(item.get("reason")),
            _text_or_nothing(item.get("message")),
            _whole(item.get("observedGeneration")),
            frozenset(each for each in TEXTS if item.get(each) is None),
        )
        for item in items(value, name)
    ]


def present(live: Manifest) -> bool:
    """Whether there is a status at all, be it empty."""
    return live.get("status") is not None


def dig(value: Mapping[str, Any], path: str) -> Any:
    """What lies at a dotted path, None where nothing does. Raises `Malformed` where the way leads through no object."""
    *parents, last = path.split(".")
    for parent in parents:
        value = mapping(value, parent)
    return value.get(last)


def generation(live: Manifest) -> int | None:
    return _whole(mapping(live, "metadata").get("generation"))


def _text_or_nothing(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
