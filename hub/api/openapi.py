"""OpenAPI v3: an index, and one document for each group version, made from the kinds' schemas.

kubectl reads them for `explain` and to learn that the server validates fields itself. Large parts that
occur often (an Application's spec within each generator) are named once and referred to.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from argosy.machinery import failure
from hub.api import wire
from hub.core.served import table
from hub.core.served.base import Served

Json = dict[str, Any]

_NAMED_FROM = 4
"""Fields from which a part that occurs twice becomes a schema of its own."""
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_OBJECT_META: Json = {
    "description": "Metadata that every object has.",
    "type": "object",
    "properties": {
        "name": {
            "type": "string",
            "description": "Name of the object, unique within its namespace and kind.",
        },
        "generateName": {"type": "string", "description": "Beginning of a name that the server completes."},
        "namespace": {"type": "string", "description": "Where the object lives."},
        "labels": {
            "type": "object",
            "additionalProperties": {"type": "string", "default": ""},
            "description": "Short texts by which objects are selected.",
        },
        "annotations": {
            "type": "object",
            "additionalProperties": {"type": "string", "default": ""},
            "description": "Texts of tools and people.",
        },
        "finalizers": {
            "type": "array",
            "items": {"type": "string", "default": ""},
            "description": "What must happen before the object goes.",
        },
        "ownerReferences": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Whom the object belongs to.",
        },
        "uid": {"type": "string", "description": "Identity of the object in time. Given by the server."},
        "resourceVersion": {"type": "string", "description": "Version of the object. Given by the server."},
        "generation": {"type": "integer", "format": "int64", "description": "Version of what is wanted."},
        "creationTimestamp": {"type": "string", "format": "date-time", "description": "When it was created."},
        "deletionTimestamp": {"type": "string", "format": "date-time", "description": "When it was deleted."},
        "deletionGracePeriodSeconds": {"type": "integer", "format": "int64"},
        "managedFields": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Who owns which field.",
        },
        "selfLink": {"type": "string"},
    },
}


class OpenApi:
    """All documents, made once. `started` is when, as an HTTP date."""

    def __init__(self, group_versions: list[tuple[str, str]], version: str, started: str) -> None:
        self._started = started
        self._documents: dict[str, tuple[str, bytes]] = {}
        for group, served_version in group_versions:
            path = f"apis/{group}/{served_version}" if group else f"api/{served_version}"
            kinds = [
                one for one in table.SERVED if (one.kind.group, one.kind.version) == (group, served_version)
            ]
            body = wire.json_bytes(_document(kinds, version))
            self._documents[path] = (hashlib.sha256(body).hexdigest().upper(), body)
        paths = {
            path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={digest}"}
            for path, (digest, _) in self._documents.items()
        }
        self._index = wire.json_bytes({"paths": paths})

    async def index(self, request: Request) -> Response:
        """`/openapi/v3`."""
        headers = {"Last-Modified": self._started, "Vary": "Accept"}
        if request.headers.get("if-modified-since") == self._started:
            return Response(status_code=304, headers=headers)
        return wire.json_answer(self._index, headers=headers)

    async def document(self, request: Request) -> Response:
        """`/openapi/v3/<path>`. Raises `ApiFailure` 404."""
        path = request.path_params["path"]
        found = self._documents.get(path)
        if found is None:
            raise failure.no_such_path()
        digest, body = found
        asked = request.query_params.get("hash")
        if asked and asked != digest:
            return Response(status_code=301, headers={"Location": f"/openapi/v3/{path}?hash={digest}"})
        tag = f'"{digest}"'
        headers = {"ETag": tag, "Last-Modified": self._started, "Vary": "Accept"}
        if asked:
            headers["Cache-Control"] = "public, immutable, max-age=31536000"
        else:
            headers["Cache-Control"] = "no-cache, private"
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return wire.json_answer(body, headers=headers)


def _document(kinds: list[Served], version: str) -> Json:
    schemas: dict[str, Any] = {f"{_META}ObjectMeta": _OBJECT_META}
    paths: Json = {}
    for served in kinds:
        kind = served.kind
        name = _name(served)
        names = _Names(name)
        names.count(served.document)
        schema = names.referred(served.document, top=True)
        properties = dict(schema.get("properties") or {})
        properties["metadata"] = {
            "description": "Name, namespace, labels, annotations, finalizers, owners.",
            "allOf": [{"$ref": f"#/components/schemas/{_META}ObjectMeta"}],
            "default": {},
        }
        gvk = {"group": kind.group, "version": kind.version, "kind": kind.kind}
        schemas[name] = {**schema, "properties": properties, "x-kubernetes-group-version-kind": [gvk]}
        schemas.update(names.named)
        for path, operations in _paths(served, name, gvk).items():
            paths[path] = operations
    return {
        "openapi": "3.0.0",
        "info": {"title": "Argosy", "version": version},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _name(served: Served) -> str:
    kind = served.kind
    if not kind.group:
        return f"io.k8s.api.core.{kind.version}.{kind.kind}"
    return ".".join([*reversed(kind.group.split(".")), kind.version, kind.kind])


class _Names:
    """Names for parts that occur more than once, and the document with references to them."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._times: Counter[int] = Counter()
        self._given: dict[int, str] = {}
        self.named: Json = {}

    def count(self, schema: Any, field: str = "") -> None:
        """Counts how often each part occurs. Parts are shared objects, so identity tells."""
        if isinstance(schema, dict):
            if schema.get("type") == "object" and len(schema.get("properties") or {}) >= _NAMED_FROM:
                key = id(schema["properties"])
                self._times[key] += 1
                self._given.setdefault(key, field)
                if self._times[key] > 1:
                    return
            for name, item in (schema.get("properties") or {}).items():
                self.count(item, name)
            for name in ("items", "additionalProperties"):
                self.count(schema.get(name), field)

    def referred(self, schema: Any, *, top: bool = False) -> Any:
        """The schema with references."""
        if not isinstance(schema, dict):
            return schema
        key = id(schema.get("properties"))
        if not top and self._times.get(key, 0) > 1:
            reference = {"$ref": f"#/components/schemas/{self._named(key, schema)}"}
            words = schema.get("description")
            return {"description": words, "allOf": [reference]} if words else reference
        out = dict(schema)
        if "properties" in out:
            out["properties"] = {name: self.referred(item) for name, item in out["properties"].items()}
        for name in ("items", "additionalProperties"):
            if isinstance(out.get(name), dict):
                out[name] = self.referred(out[name])
        return out

    def _named(self, key: int, schema: Json) -> str:
        field = self._given[key]
        name = f"{self._prefix}{field[:1].upper()}{field[1:]}"
        others = {self._given_name(other) for other in self._given if other != key and self._times[other] > 1}
        if name in others:
            name = f"{name}{sorted(self._given).index(key)}"
        if name not in self.named:
            self.named[name] = {}
            self.named[name] = self.referred(
                {k: v for k, v in schema.items() if k != "description"}, top=True
            )
        return name

    def _given_name(self, key: int) -> str:
        field = self._given[key]
        return f"{self._prefix}{field[:1].upper()}{field[1:]}"


def _paths(served: Served, name: str, gvk: Json) -> Json:
    """The operations, as far as clients look at them: what is written where, and that dry runs work."""
    kind = served.kind
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    collection = (
        f"{root}/namespaces/{{namespace}}/{kind.plural}" if kind.namespaced else f"{root}/{kind.plural}"
    )
    answer = {
        "200": {
            "description": "OK",
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
        }
    }
    queries = [
        {"name": each, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for each in ("dryRun", "fieldManager", "fieldValidation")
    ]
    by_verb = {
        "list": (collection, "get", "list"),
        "create": (collection, "post", "post"),
        "get": (f"{collection}/{{name}}", "get", "get"),
        "update": (f"{collection}/{{name}}", "put", "put"),
        "patch": (f"{collection}/{{name}}", "patch", "patch"),
        "delete": (f"{collection}/{{name}}", "delete", "delete"),
    }
    out: Json = {}
    # Also verbs that are refused: kubectl looks for `patch` to learn that fields are validated here.
    for verb, (path, method, action) in by_verb.items():
        operation: Json = {
            "operationId": f"{verb}{kind.kind}",
            "responses": answer,
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": gvk,
        }
        if verb in ("create", "update", "patch"):
            operation["parameters"] = queries
        out.setdefault(path, {})[method] = operation
    return out
