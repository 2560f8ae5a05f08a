"""Kubernetes objects as plain dictionaries, their keys and their canonical bytes.

Everything content-addressed in Argosy (bundles, assignments, recipes) is a SHA-256 over `canonical` bytes, so this
module decides what "the same content" means. It knows nothing of clusters, Git or the wire.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import orjson

Manifest = dict[str, Any]


class ObjectKey(NamedTuple):
    """What an object is called in a cluster. The version is no part of it: `apps/v1` and `apps/v1beta1` name one object.

    `group` is "" for the core group; `namespace` is "" for cluster-scoped objects.
    """

    group: str
    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.group}/{self.kind}/{self.namespace}/{self.name}"


def parse_key(text: str) -> ObjectKey:
    """The inverse of `str(key)`. Raises `ValueError` for anything else."""
    group, kind, namespace, name = text.split("/", 3)
    return ObjectKey(group, kind, namespace, name)


def split_api_version(api_version: str) -> tuple[str, str]:
    """`apps/v1` -> ("apps", "v1"), `v1` -> ("", "v1")."""
    group, slash, version = api_version.rpartition("/")
    return (group, version) if slash else ("", api_version)


def key_of(manifest: Manifest) -> ObjectKey:
    """The key of a manifest that has `apiVersion`, `kind` and `metadata.name`; raises `KeyError` where one lacks.

    A hook may have `generateName` instead, which stands for the name then.
    """
    metadata = manifest["metadata"]
    group, _ = split_api_version(manifest["apiVersion"])
    name = metadata.get("name") or metadata.get("generateName") or metadata["name"]
    return ObjectKey(group, manifest["kind"], metadata.get("namespace") or "", name)


def canonical(value: Any) -> bytes:
    """JSON with sorted keys and no blanks: equal values give equal bytes."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(data: bytes) -> str:
    """`sha256:<64 hex digits>` of the bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()
