"""Who owns which fields, as `metadata.managedFields` says it."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from argosy.machinery import fields
from argosy.machinery.fields import Fields
from argosy.objects import Manifest


class Manager(NamedTuple):
    """Who wrote, as an entry is found again. `version` is "" for appliers: they keep one entry across versions."""

    name: str
    operation: str
    version: str
    subresource: str


class Owned(NamedTuple):
    """What a manager owns, at which API version, since when (RFC 3339 in seconds; None where it was never said)."""

    version: str
    fields: Fields
    time: str | None


Managed = dict[Manager, Owned]


def decode(entries: Any) -> Managed:
    """Ownership from `metadata.managedFields`. Raises `ValueError` where an entry is not one."""
    out: Managed = {}
    for index, entry in enumerate(entries or ()):
        operation = entry.get("operation")
        if operation not in ("Apply", "Update"):
            raise ValueError("operation must be `Apply` or `Update`")
        version = entry.get("apiVersion") or ""
        if not version:
            raise ValueError("apiVersion must not be empty")
        if entry.get("fieldsType") != "FieldsV1":
            raise ValueError(f"missing or invalid fieldsType in managed fields entry {index}")
        manager = Manager(
            entry.get("manager") or "",
            operation,
            "" if operation == "Apply" else version,
            entry.get("subresource") or "",
        )
        out[manager] = Owned(version, fields.decode(entry.get("fieldsV1") or {}), entry.get("time"))
    return out


def stored(entries: Any) -> Managed:
    """As `decode`, for entries this module encoded: the sets are taken as they are."""
    return {
        Manager(
            entry.get("manager", ""),
            entry["operation"],
            "" if entry["operation"] == "Apply" else entry["apiVersion"],
            entry.get("subresource", ""),
        ): Owned(entry["apiVersion"], entry["fieldsV1"], entry.get("time"))
        for entry in entries or ()
    }


def encode(managed: Managed) -> list[dict[str, Any]]:
    """The entries in the API's order: operation, time, manager, version, subresource."""
    ordered = sorted(
        managed.items(),
        key=lambda item: (
            item[0].operation,
            item[1].time or "",
            item[0].name,
            item[1].version,
            item[0].subresource,
        ),
    )
    out = []
    for manager, owned in ordered:
        entry: dict[str, Any] = {
            "apiVersion": owned.version,
            "fieldsType": "FieldsV1",
            "fieldsV1": owned.fields,
            "manager": manager.name,
            "operation": manager.operation,
        }
        if manager.subresource:
            entry["subresource"] = manager.subresource
        if owned.time is not None:
            entry["time"] = owned.time
        out.append(entry)
    return out


def manager_name(field_manager: str, user_agent: str) -> str:
    """Who writes: the `fieldManager` parameter, else the start of the User-Agent (printable, at most 128 bytes)."""
    if field_manager:
        return field_manager
    out = ""
    for character in user_agent.split("/", 1)[0]:
        if not character.isprintable():
            continue
        if len((out + character).encode()) > 128:
            break
        out += character
    return out


def without_managed(manifest: Manifest) -> Manifest:
    """The object as it is compared: without its own bookkeeping."""
    metadata = manifest.get("metadata")
    if not isinstance(metadata, dict) or "managedFields" not in metadata:
        return manifest
    slim = dict(metadata)
    del slim["managedFields"]
    return {**manifest, "metadata": slim}


def with_managed(manifest: Manifest, managed: Managed) -> Manifest:
    """The object with the bookkeeping in it."""
    metadata = {
        name: value for name, value in (manifest.get("metadata") or {}).items() if name != "managedFields"
    }
    if managed:
        metadata["managedFields"] = encode(managed)
    return {**manifest, "metadata": metadata}


def identifier(manager: Manager) -> bytes:
    """The identifier as Go marshals it, for its order."""
    parts = {"manager": manager.name, "operation": manager.operation, "apiVersion": manager.version}
    if manager.subresource:
        parts["subresource"] = manager.subresource
    return orjson.dumps({name: value for name, value in parts.items() if value})
