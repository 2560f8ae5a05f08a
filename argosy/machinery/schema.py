"""What server-side apply knows of a kind: which lists merge by which keys, which maps are one value.

A `Type` is structured-merge-diff's atom: a value of it may be a scalar, a list, a map, or (free-form types) any of
them. Types come from the compact table of the built-in kinds or from a structural OpenAPI v3 schema as CRDs carry
it; everything unknown is deduced from the value, as a real API server does it (lists atomic, maps granular).
"""

from __future__ import annotations

import functools
from typing import Any

import orjson

from argosy.machinery import builtin_types

STRUCT: Any = object()
"""Stands for a struct with nothing in it."""
SCALAR, LIST, MAP, ANY = 1, 2, 3, 0
"""The form a value takes within its type; ANY where the value does not tell (null in a free-form type)."""


class Type:
    """One type. Filled once while a schema is built, never changed afterwards; compared by identity.

    `scalar`: None, or one of string, numeric, boolean, untyped. `item`: the type of list items, None for no list.
    `keys`: None for an atomic list, () for a set, else the key fields of an associative list. `fields`: named
    fields of a struct; `element`: the type of all other keys, None where others are not allowed.
    """

    __slots__ = (
        "atomic",
        "element",
        "fields",
        "free",
        "item",
        "key_defaults",
        "keys",
        "map",
        "omitted",
        "only",
        "scalar",
        "written",
    )

    def __init__(self) -> None:
        self.scalar: str | None = None
        self.item: Type | None = None
        self.keys: tuple[str, ...] | None = None
        self.key_defaults: dict[str, Any] = {}
        self.map = False
        self.atomic = False
        self.fields: dict[str, Type] = {}
        self.element: Type | None = None
        self.free = False
        """Free-form map without named fields: its ownership is never reconciled with a changed schema."""
        self.written: dict[str, Any] = {}
        """Of a built-in struct: fields a typed server always writes, with their empty value; STRUCT for a struct."""
        self.omitted: frozenset[str] = frozenset()
        """Of a built-in struct: scalars a typed server does not write when they are zero."""
        self.only = ANY
        """The single form the type allows, ANY where it allows several."""

    def close(self) -> Type:
        """Derives what follows from the rest; called once, last."""
        forms = [
            form for form, allowed in ((SCALAR, self.scalar), (LIST, self.item), (MAP, self.map)) if allowed
        ]
        self.only = forms[0] if len(forms) == 1 else ANY
        return self

    def form(self, value: Any) -> int:
        """Which form the value has in this type; for null and for a value of the wrong form, what the type says."""
        if self.only or value is None:
            return self.only
        if isinstance(value, dict):
            return MAP if self.map else ANY
        if isinstance(value, list):
            return LIST if self.item is not None else ANY
        return SCALAR if self.scalar else ANY

    def handled_as(self, form: int) -> int:
        """A form that was not told is treated as a map, a scalar or a list: the first of them the type allows."""
        if form:
            return form
        return MAP if self.map else SCALAR if self.scalar else LIST

    def child(self, name: str) -> Type | None:
        """The type of one key of a map; None where the key is not allowed."""
        return self.fields.get(name, self.element)


def _scalar(name: str) -> Type:
    out = Type()
    out.scalar = name
    return out.close()


STRING, NUMERIC, BOOLEAN, UNTYPED = (_scalar(name) for name in ("string", "numeric", "boolean", "untyped"))
ATOMIC_ANY = Type()
"""Free-form and owned as a whole."""
DEDUCED = Type()
"""Free-form: scalars are leaves, lists atomic, maps merged key by key."""
for _type, _element in ((ATOMIC_ANY, ATOMIC_ANY), (DEDUCED, DEDUCED)):
    _type.scalar, _type.item, _type.map, _type.element = "untyped", ATOMIC_ANY, True, _element
    _type.close()
ATOMIC_ANY.atomic = True
DEDUCED.free = True


# --- the built-in kinds -----------------------------------------------------------------------------------------


class _Table:
    """The types of `builtin_types.TABLE`, each built when it is first asked for."""

    def __init__(self, text: str) -> None:
        entries = text.replace("\n ", " ").splitlines()
        self._entries = {entry.split(" ", 1)[0].rstrip("!"): entry for entry in entries}
        self._types: dict[str, Type] = {}

    def named(self, name: str) -> Type | None:
        found = self._types.get(name)
        if found is not None:
            return found
        entry = self._entries.get(name)
        if entry is None:
            return None
        head, _, rest = entry.partition(" ")
        if rest.startswith("= "):
            self._types[name] = self._parsed(rest[2:].strip())
            return self._types[name]
        out = self._types[name] = Type()
        out.map = True
        out.atomic = head.endswith("!")
        omitted = []
        for field in rest.split():
            label, _, text = field.partition(":")
            mark = text[-1]
            child = out.fields[label] = self._parsed(text.rstrip("+~-"))
            if mark in "+~":
                out.written[label] = _empty(child) if mark == "+" else None
            elif mark == "-":
                omitted.append(label)
        out.omitted = frozenset(omitted)
        if not out.fields:
            out.element, out.free = DEDUCED, True
        return out.close()

    def _parsed(self, text: str) -> Type:
        simple = _SIMPLE.get(text)
        if simple is not None:
            return simple
        if text.startswith("["):
            return self._list(text)
        if text.startswith("{"):
            inner, _, mark = text[1:].rpartition("}")
            out = Type()
            out.map, out.element, out.atomic = True, self._parsed(inner), mark == "!"
            out.free = out.element is DEDUCED
            return out.close()
        named = self.named(text.rstrip("!"))
        if named is None:
            raise KeyError(f"no built-in type {text}")
        return _as_atomic(named) if text.endswith("!") else named

    def _list(self, text: str) -> Type:
        out = Type()
        inner, _, mark = text[1:].rpartition("]")
        item, bar, keys = inner.partition("|")
        out.item = self._parsed(item)
        out.keys = () if mark == "=" else None
        if bar:
            names = []
            for part in keys.split(","):
                name, equals, default = part.partition("=")
                names.append(name)
                if equals:
                    out.key_defaults[name] = orjson.loads(default)
            out.keys = tuple(names)
        return out.close()


def _empty(kind: Type) -> Any:
    """What Go writes for the zero value; null for lists and maps."""
    if kind.scalar:
        return {"string": "", "numeric": 0, "boolean": False}.get(kind.scalar, 0)
    return STRUCT if kind.map and kind.element is None else None


_SIMPLE = {
    "s": STRING, "n": NUMERIC, "b": BOOLEAN, "u": UNTYPED, "any": DEDUCED, "any!": ATOMIC_ANY,
}  # fmt: skip


def _as_atomic(named: Type) -> Type:
    out = Type()
    for slot in Type.__slots__:
        setattr(out, slot, getattr(named, slot))
    out.atomic = True
    return out


@functools.cache
def _table() -> _Table:
    return _Table(builtin_types.TABLE)


def builtin(name: str) -> Type | None:
    """A type of the built-in table by its name there (`apps.v1.Deployment`, `ConfigMap`); None for no such type."""
    return _table().named(name)


def object_meta() -> Type:
    """The type of `metadata`."""
    found = builtin("meta.v1.ObjectMeta")
    assert found is not None
    return found


# --- structural schemas -----------------------------------------------------------------------------------------


def from_structural(structural: dict[str, Any], *, preserve: bool = False) -> Type:
    """The type of a kind's objects from its OpenAPI v3 schema (the root of a CRD version)."""
    return _from(_with_identity(structural), preserve)


def _with_identity(structural: dict[str, Any]) -> dict[str, Any]:
    """An object's schema with `apiVersion`, `kind` and `metadata` as every object has them."""
    properties = dict(structural.get("properties") or {})
    properties["apiVersion"] = properties["kind"] = {"type": "string"}
    properties["metadata"] = {"x-argosy-object-meta": True}
    return {**structural, "type": "object", "properties": properties}


def _from(source: dict[str, Any], preserve: bool) -> Type:
    if source.get("x-argosy-object-meta"):
        return object_meta()
    preserve = preserve or bool(source.get("x-kubernetes-preserve-unknown-fields"))
    if source.get("x-kubernetes-embedded-resource"):
        source = _with_identity(source)
    kind = source.get("type") or ""
    if kind in _PRIMITIVE:
        return (
            UNTYPED
            if kind == "string" and source.get("format") not in (None, "", "byte")
            else _PRIMITIVE[kind]
        )
    out = Type()
    if kind != "array":
        _fill_map(out, source, preserve)
    if kind != "object":
        _fill_list(out, source, preserve)
    if not kind:
        out.scalar = "untyped"
    return out.close()


_PRIMITIVE = {"string": STRING, "integer": NUMERIC, "number": NUMERIC, "boolean": BOOLEAN}


def _fill_map(out: Type, source: dict[str, Any], preserve: bool) -> None:
    out.map = True
    properties = source.get("properties") or {}
    out.fields = {name: _from(member, preserve) for name, member in properties.items()}
    extra = source.get("additionalProperties")
    if extra is None:
        out.element = DEDUCED if preserve or not properties else None
    elif isinstance(extra, dict):
        out.element = _from(extra, preserve)
    elif extra:
        out.element = DEDUCED
    out.free = out.element is DEDUCED and not out.fields
    out.atomic = source.get("x-kubernetes-map-type") == "atomic"


def _fill_list(out: Type, source: dict[str, Any], preserve: bool) -> None:
    items = source.get("items")
    out.item = _from(items, preserve) if isinstance(items, dict) else ATOMIC_ANY
    relation = source.get("x-kubernetes-list-type")
    if relation == "set":
        out.keys = ()
    elif relation == "map":
        out.keys = tuple(source.get("x-kubernetes-list-map-keys") or ())
        members = (items or {}).get("properties") or {}
        out.key_defaults = {
            name: members[name]["default"] for name in out.keys if "default" in (members.get(name) or {})
        }
