"""Fields of custom resources whose type is one of Kubernetes' own, as `argocd-cm` names them (`knownTypeFields`, Argo CD
3.6): what controllers write there in another form is no difference.

A typed server drops what a type does not know, and empty values; quantities and durations are compared by their amount.
Argo CD knows the pods of Argo Rollouts by itself. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Any, NamedTuple

from argosy import windows
from argosy.errors import Invalid
from argosy.machinery import schema, typed_form
from argosy.machinery.failure import ApiFailure
from argosy.objects import Manifest, ObjectKey

QUANTITY, DURATION, CORE = "core/Quantity", "meta/v1/Duration", "core/v1/"
_AMOUNTS = frozenset({"limits", "requests", "overhead", "sizeLimit", "divisor"})
"""Names below which parts of pods have quantities."""
_QUANTITY = re.compile(r"([+-]?[0-9.]+)([eE][+-]?[0-9]{1,3}|[numkMGTPE]|[KMGTPE]i)?\Z")
_UNITS = {
    "": Decimal(1),
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "k": Decimal("1e3"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("MGTPE", start=2)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


class Known(NamedTuple):
    """One field by its path of names (`spec.template.spec`; of a list every item is meant), and its type."""

    field: str
    type: str


_ROLLOUT = (Known("spec.template.spec", f"{CORE}PodSpec"),)


def of_kind(key: ObjectKey, said: tuple[Known, ...]) -> tuple[Known, ...]:
    """The fields of an object of which a type is known; `said` are those that the settings name for its kind."""
    return said or (_ROLLOUT if (key.group, key.kind) == ("argoproj.io", "Rollout") else ())


def normal(manifest: Manifest, known: tuple[Known, ...]) -> Manifest:
    """The manifest with those fields in the form in which they are compared."""
    out: Any = manifest
    for field, name in known:
        out = _changed(out, field.split("."), partial(_form, name))
    normalised: Manifest = out
    return normalised


def alike(manifest: Manifest, live: Manifest, known: tuple[Known, ...]) -> Manifest:
    """The manifest with the live value where that says the same in another form."""
    out: Any = manifest
    for field, name in known:
        out = _taken(out, live, field.split("."), name)
    made: Manifest = out
    return made


def amount(text: str) -> Decimal | None:
    """A quantity's amount, None for a text that is none."""
    found = _QUANTITY.match(text)
    if found is None:
        return None
    number, unit = found.groups()
    try:
        if unit and unit[0] in "eE" and len(unit) > 1:
            return Decimal(number + unit)
        return Decimal(number) * _UNITS[unit or ""]
    except (InvalidOperation, KeyError):
        return None


def _changed(value: Any, path: list[str], change: Callable[[Any], Any]) -> Any:
    if isinstance(value, list):
        return [_changed(item, path, change) if isinstance(item, dict) else item for item in value]
    if not path:
        return change(value)
    if not isinstance(value, dict) or path[0] not in value:
        return value
    return {**value, path[0]: _changed(value[path[0]], path[1:], change)}


def _taken(said: Any, live: Any, path: list[str], name: str) -> Any:
    if isinstance(said, list) and isinstance(live, list):
        pairs = zip(said, live, strict=True) if len(said) == len(live) else ()
        return [_taken(*pair, path, name) for pair in pairs] or said
    if not path:
        return live if _form(name, said) == _form(name, live) else said
    both = isinstance(said, dict) and isinstance(live, dict) and path[0] in said and path[0] in live
    return {**said, path[0]: _taken(said[path[0]], live[path[0]], path[1:], name)} if both else said


def _form(name: str, value: Any) -> Any:
    if name == QUANTITY:
        return _plain(value)
    if name == DURATION:
        try:
            return f"{windows.seconds(value).normalize():f}s" if isinstance(value, str) else value
        except Invalid:
            return value
    kind = schema.builtin(name.removeprefix(CORE)) if name.startswith(CORE) else None
    if kind is None or not isinstance(value, dict):
        return value
    try:
        return _amounts(typed_form.read(value, kind, "v1", name)[0])
    except ApiFailure:
        return value


def _amounts(value: Any, *, named: bool = False) -> Any:
    if isinstance(value, dict):
        return {
            key: _amounts(item, named=key in _AMOUNTS or (named and not isinstance(item, dict)))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_amounts(item) for item in value]
    return _plain(value) if named else value


def _plain(value: Any) -> Any:
    found = (
        amount(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else None
    )
    return value if found is None else f"{found.normalize():f}"
