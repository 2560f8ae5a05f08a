"""OpenAPI v3 schemas from the field tables of Argo CD's kinds, and small helpers to write others.

The tables (`hub.core.schema`) say which fields there are and of which type; descriptions are kept apart, by the field's
path, since most fields occur in several places.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.core.schema.schema import Free, ListOf, MapOf, Scalar, Shape, Struct

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
FLAG: Schema = {"type": "boolean"}
WHOLE: Schema = {"type": "integer", "format": "int64"}
TIME: Schema = {"type": "string", "format": "date-time"}
TEXTS: Schema = {"type": "array", "items": TEXT}
TEXT_MAP: Schema = {"type": "object", "additionalProperties": TEXT}
ANYTHING: Schema = {
    "x-kubernetes-preserve-unknown-fields": True,
    "items": {"x-kubernetes-preserve-unknown-fields": True},
}
"""Any JSON. The items are named because pruning looks into lists, also where everything else is preserved."""
ANY_OBJECT: Schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def struct(
    properties: Mapping[str, Schema], *, required: tuple[str, ...] = (), description: str = ""
) -> Schema:
    """An object with named fields."""
    out: Schema = {"type": "object", "properties": dict(properties)}
    if required:
        out["required"] = list(required)
    return described(out, description)


def many(items: Schema, description: str = "") -> Schema:
    """A list."""
    return described({"type": "array", "items": items}, description)


def described(schema: Schema, description: str) -> Schema:
    """The schema with words for `kubectl explain`."""
    return {"description": description, **schema} if description else schema


def root(spec: Mapping[str, Schema], *, required: tuple[str, ...] = (), description: str) -> Schema:
    """A kind's schema: identity and metadata, and the fields given."""
    return struct(
        {
            "apiVersion": described(TEXT, "The version of the schema this object is written in."),
            "kind": described(TEXT, "The kind of the object."),
            "metadata": described(
                {"type": "object"}, "Name, namespace, labels, annotations, finalizers, owners."
            ),
            **spec,
        },
        required=required,
        description=description,
    )


class Converter:
    """Turns shapes into schemas. Equal shapes share one schema, so that documents can refer to it by name."""

    def __init__(self, words: Mapping[str, str]) -> None:
        """`words` describe fields, by `name` or `parent.name`; the longer wins."""
        self._words = words
        self._made: dict[tuple[int, str], Schema] = {}

    def schema(self, shape: Shape, name: str = "") -> Schema:
        """The schema of one shape, which is the value of the field `name`."""
        if isinstance(shape, Scalar):
            return self._scalar(shape)
        if isinstance(shape, Free):
            return dict(ANY_OBJECT) if shape.object_only else dict(ANYTHING)
        if isinstance(shape, ListOf):
            return {"type": "array", "items": self.schema(shape.item, name)}
        if isinstance(shape, MapOf):
            return {"type": "object", "additionalProperties": self.schema(shape.item, name)}
        found = self._made.get((id(shape), name))
        if found is None:
            found = self._made[id(shape), name] = self._struct(shape, name)
        return found

    def _struct(self, shape: Struct, name: str) -> Schema:
        out: Schema = {"type": "object"}
        properties = {}
        for field, entry in shape.fields.items():
            words = self._words.get(f"{name}.{field}") or self._words.get(field) or ""
            properties[field] = described(self.schema(entry.shape, field), words)
        out["properties"] = properties
        required = [field for field, entry in shape.fields.items() if entry.required]
        if required:
            out["required"] = required
        if shape.loose:
            out["x-kubernetes-preserve-unknown-fields"] = True
        return out

    def _scalar(self, shape: Scalar) -> Schema:
        if shape.name == "number":
            return {"type": "number"}
        if len(shape.types) > 1:
            return {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}
        out: Schema = {"type": shape.name}
        if shape.name == "integer":
            out["format"] = "int64"
        if shape.choices:
            out["enum"] = list(shape.choices)
        return out
