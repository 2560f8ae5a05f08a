"""Label selectors as data: compiled once, matched against plain dictionaries.

Two validations exist in Argo CD: the clusters generator's selector follows Kubernetes' rules for label
values, the post-selector of a generator allows any value (a URL, say). Keys are qualified names in both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from argosy.errors import Invalid

_NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]\Z")
_DNS = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\Z")
_ALPHABET = "must consist of letters, digits, '-', '_' or '.', and start and end with a letter or digit"
OPERATORS = ("In", "NotIn", "Exists", "DoesNotExist")


@dataclass(frozen=True, slots=True)
class Requirement:
    """One condition on one key. `operator` is one of `OPERATORS`."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def matches(self, labels: Mapping[str, str]) -> bool:
        value = labels.get(self.key)
        if self.operator == "In":
            return value is not None and value in self.values
        if self.operator == "NotIn":
            return value is None or value not in self.values
        return (value is not None) == (self.operator == "Exists")


@dataclass(frozen=True, slots=True)
class Selector:
    """All requirements must hold; none at all selects everything."""

    requirements: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        for requirement in self.requirements:  # noqa: SIM110 - a generator costs twice as much, and this is asked most
            if not requirement.matches(labels):
                return False
        return True

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(requirement.key for requirement in self.requirements)


def compile_selector(spec: Mapping[str, Any] | None, *, any_value: bool) -> Selector:
    """A LabelSelector as a `Selector`. Raises `errors.Invalid` naming the key; `any_value` lifts the rules
    for values.
    """
    spec = spec or {}
    found = [
        _requirement(key, "In", [value], any_value) for key, value in (spec.get("matchLabels") or {}).items()
    ]
    for item in spec.get("matchExpressions") or []:
        operator = item.get("operator", "")
        if operator not in OPERATORS:
            raise Invalid(
                f"{operator!r} is not a valid label selector operator, expected one of {', '.join(OPERATORS)}"
            )
        found.append(_requirement(item.get("key", ""), operator, item.get("values") or [], any_value))
    return Selector(tuple(found))


def _requirement(key: str, operator: str, values: list[str], any_value: bool) -> Requirement:
    wrong = qualified_name_error(key)
    if wrong:
        raise Invalid(f"label key {key!r}: {wrong}")
    if operator in ("In", "NotIn") and not values:
        raise Invalid(f"label key {key!r}: operator {operator} needs at least one value")
    if operator in ("Exists", "DoesNotExist") and values:
        raise Invalid(f"label key {key!r}: operator {operator} takes no values")
    if not any_value:
        for value in values:
            wrong = label_value_error(value)
            if wrong:
                raise Invalid(f"label key {key!r}: value {value!r}: {wrong}")
    return Requirement(key, operator, frozenset(values))


def qualified_name_error(key: str) -> str:
    """What is wrong with a label or annotation key; "" when nothing is."""
    prefix, slash, name = key.rpartition("/")
    if slash and (not _DNS.match(prefix) or len(prefix) > 253):
        return "the part before / must be a DNS name of at most 253 characters"
    if not name or len(name) > 63:
        return "the name part must have 1 to 63 characters"
    if not _NAME.match(name):
        return f"the name part {_ALPHABET}"
    return ""


def label_value_error(value: str) -> str:
    """What is wrong with a label value; "" when nothing is."""
    if len(value) > 63:
        return "must have at most 63 characters"
    if value and not _NAME.match(value):
        return _ALPHABET
    return ""
