"""What the hub's API serves of one kind: names, verbs, schema, table columns and extra rules.

The shape for ownership and validation is `argosy.machinery.kinds.Kind`; this adds what only an API server
needs. A row here knows nothing of HTTP or of how objects are stored.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from argosy.machinery.failure import FieldError
from argosy.machinery.kinds import Kind
from argosy.objects import Manifest

ALL = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")
READ = ("get", "list", "watch")

Schema = dict[str, Any]
Admit = Callable[[Manifest, Manifest | None], list[FieldError]]
"""(new, live) -> what is wrong beyond the schema. Runs on users' and loops' writes of everything but status.
"""
Advise = Callable[[Manifest], list[str]]
"""What looks like a mistake in an object that is accepted. Asked for users' writes only."""
Complete = Callable[[Manifest], Manifest]
"""Gives a new object what the hub decides about it."""
Selectable = Mapping[str, Callable[[Mapping[str, Any]], str]]


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`. `cell(object, now)`; `priority` above 0 is shown by `-o wide` only."""

    name: str
    cell: Callable[[Manifest, float], Any]
    type: str = "string"
    description: str = ""
    priority: int = 0
    format: str = ""


def _no_errors(new: Manifest, live: Manifest | None) -> list[FieldError]:
    return []


def _no_advice(manifest: Manifest) -> list[str]:
    return []


def _as_it_is(manifest: Manifest) -> Manifest:
    return manifest


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """One kind as the API serves it. Compared by identity; the one table is `table.SERVED`."""

    kind: Kind
    singular: str
    columns: tuple[Column, ...] = ()
    verbs: tuple[str, ...] = ALL
    fields: Selectable = field(default_factory=dict)
    """Field selectors besides `metadata.name` and `metadata.namespace`."""
    admit: Admit = _no_errors
    advise: Advise = _no_advice
    complete: Complete = _as_it_is
    schema: Schema = field(default_factory=dict)
    """OpenAPI v3 of the whole object for documents, where that is not what the kind is validated by."""
    sealed: bool = False
    """Stored encrypted."""
    composed: bool = False
    """Its status is put together when it is read."""
    signed: bool = False
    """`spec.person` is the user who created it, whatever else was sent."""

    @property
    def document(self) -> Schema:
        """The schema that clients are shown."""
        return self.schema or self.kind.structural or {}

    @property
    def resource(self) -> str:
        """The store's name of the kind: `argoproj.io/applications`, `/secrets`."""
        return f"{self.kind.group}/{self.kind.plural}"
