"""Reading files of Kubernetes objects for the offline commands."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from argosy import yamlio
from argosy.errors import Invalid
from argosy.objects import Manifest


def read(file: str) -> list[Manifest]:
    """The objects of a file of YAML or JSON documents ("-" is standard input), those of Lists included, in order.

    Raises `Invalid`, which names the file and the document, for what cannot be read or is no object.
    """
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Invalid(f"{file}: {error.strerror}") from None
    notes: list[str] = []
    documents = yamlio.load_all(data, source=file, duplicates="last", notes=notes)
    for note in notes:
        print(f"warning: {note}", file=sys.stderr)
    found: list[Manifest] = []
    for at, document in enumerate(documents, 1):
        if document is None:
            continue
        where = f"{file}: document {at}"
        if isinstance(document, dict) and isinstance(document.get("items"), list):
            found += [
                _object(item, f"{where}: items[{index}]") for index, item in enumerate(document["items"])
            ]
        else:
            found.append(_object(document, where))
    return found


def _object(value: Any, where: str) -> Manifest:
    if not isinstance(value, dict):
        raise Invalid(f"{where}: an object is expected, found {type(value).__name__}")
    for field in ("apiVersion", "kind"):
        if not isinstance(value.get(field), str) or not value[field]:
            raise Invalid(f"{where}: {field}: a text is expected, found {value.get(field)!r}")
    metadata = value.get("metadata")
    if not isinstance(metadata, dict):
        raise Invalid(f"{where}: metadata: an object is expected, found {metadata!r}")
    for field in ("name", "generateName", "namespace"):
        if not isinstance(metadata.get(field), str | None):
            raise Invalid(f"{where}: metadata.{field}: a text is expected, found {metadata[field]!r}")
    for field in ("annotations", "labels"):
        if not isinstance(metadata.get(field), dict | None):
            raise Invalid(f"{where}: metadata.{field}: an object is expected, found {metadata[field]!r}")
    return value
