"""What a request's body says, in the form in which a kind is stored: read by its schema, with what is strictly wrong noted."""

from __future__ import annotations

from typing import Any

import orjson

from argosy.machinery import defaults, failure, structural, typed_form
from argosy.machinery.kinds import Kind
from argosy.objects import Manifest

MAX_DEPTH = 150
"""Levels of maps and lists in a body. A real API server takes 10,000; no schema in use comes near this."""


def check_depth(value: Any) -> None:
    """Refuses what is nested so deep that no walk over it would end well."""
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise failure.bad_request(f"exceeded max depth: a body may be nested {MAX_DEPTH} levels deep")


def check_type(kind: Kind, body: Manifest) -> None:
    """Refuses a body that says it is something else. Raises 400."""
    api_version, name = body.get("apiVersion"), body.get("kind")
    if not name:
        raise failure.bad_request(f"Object 'Kind' is missing in '{orjson.dumps(body).decode()[:1000]}'")
    if api_version != kind.api_version:
        raise failure.bad_request(
            f"the API version in the data ({api_version}) does not match the expected API version ({kind.api_version})"
        )
    if name != kind.kind:
        raise failure.bad_request(f"the object provided is unrecognized (must be of type {kind.kind})")


def read(kind: Kind, body: Manifest) -> tuple[Manifest, list[str]]:
    """The body in its stored form: pruned, nulls gone, defaults in. And the paths of what the kind does not know."""
    if kind.structural is None:
        if not kind.type.only:
            return body, []
        out, unknown = typed_form.read(body, kind.type, kind.version, kind.kind)
        if (body.get("metadata") or {}).get("managedFields") == []:
            out["metadata"] = {**out["metadata"], "managedFields": []}
        return defaults.fill(kind.api_version, kind.kind, out), unknown
    metadata, unknown = _read_metadata(kind, body.get("metadata"))
    out, more = structural.prune(body, kind.structural)
    out = structural.without_nulls(out, kind.structural)
    out = structural.with_defaults(out, kind.structural)
    return {
        **out,
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "metadata": metadata,
    }, unknown + more


def read_patched(kind: Kind, changed: Manifest) -> tuple[Manifest, list[str]]:
    """As `read`; what cannot be read is the patch's fault."""
    try:
        check_type(kind, changed)
        return read(kind, changed)
    except failure.ApiFailure as error:
        raise failure.invalid(
            "", "", "", [failure.invalid_value("patch", text(changed), error.message)]
        ) from error


def text(value: Any) -> str:
    """A value as errors show it."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def finished(kind: Kind, merged: Manifest) -> Manifest:
    """The result of an apply in its stored form: as `read`, but nulls of a custom resource stay and are judged."""
    if kind.structural is None:
        return read(kind, merged)[0]
    metadata, _ = _read_metadata(kind, merged.get("metadata"))
    out = structural.with_defaults(structural.prune(merged, kind.structural)[0], kind.structural)
    return {**out, "metadata": metadata}


def _read_metadata(kind: Kind, metadata: Any) -> tuple[Manifest, list[str]]:
    if metadata is None:
        return {}, []
    if not isinstance(metadata, dict):
        raise failure.bad_request(f"{kind.kind} cannot be handled: metadata is not an object")
    known = kind.type.child("metadata")
    if known is None or not known.fields:
        return metadata, []
    out, unknown = typed_form.read(metadata, known, kind.version, kind.kind)
    return out, [f"metadata.{path}" for path in unknown]


def judge(kind: Kind, found: list[str], validation: str) -> tuple[str, ...]:
    """Strict mistakes: refused, or told as warnings, or ignored."""
    if not found or validation == "Ignore":
        return ()
    if validation == "Warn":
        return tuple(found)
    raise failure.bad_request(
        f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: '
        f"strict decoding error: {', '.join(found)}"
    )
