"""What a hub may ask an agent about its cluster, and how question and answer travel. Asking changes nothing.

Answers are JSON objects of bounded size; secrets are masked before they leave the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any

import orjson
import zstandard

from argosy.errors import Invalid

MOST_BYTES = 16 * 1024 * 1024
"""Of one answer, unpacked."""


class Kind(StrEnum):
    """TREE: an app's objects and what came of them. DIFF: what a sync would change now. DRY_RUN: what another bundle would
    change. EVENTS: what the cluster says about the objects. CONDITIONS: those of one object, whoever's it is.
    """

    TREE = "tree"
    DIFF = "diff"
    DRY_RUN = "dryRun"
    EVENTS = "events"
    CONDITIONS = "conditions"


@dataclass(frozen=True, slots=True)
class Question:
    """`assignment` is the app's id. For DRY_RUN: the bundle, and how it is to be looked at where the cluster has no such
    assignment yet. For CONDITIONS: which object.
    """

    kind: Kind
    assignment: str
    bundle: str = ""
    destination_namespace: str = ""
    sync_options: tuple[str, ...] = field(default=())
    account: str = ""
    api_version: str = ""
    object_kind: str = ""
    namespace: str = ""
    name: str = ""


_FIELDS = frozenset(one.name for one in fields(Question))


def encode(question: Question) -> bytes:
    return orjson.dumps({name: getattr(question, name) for name in sorted(_FIELDS)})


def decode(data: bytes) -> Question:
    """Fields that are not known are passed over. Raises `Invalid`."""
    try:
        value = orjson.loads(data)
        known = {name: text for name, text in value.items() if name in _FIELDS}
        known["sync_options"] = tuple(map(str, known.get("sync_options") or ()))
        known["kind"] = Kind(known["kind"])
        return Question(**known)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise Invalid("the question is not understood") from None


def packed(answer: Any) -> bytes:
    """Raises `Invalid` where it is too large."""
    raw = orjson.dumps(answer)
    if len(raw) > MOST_BYTES:
        raise Invalid(f"the answer has {len(raw)} bytes, at most {MOST_BYTES} are sent")
    return zstandard.compress(raw, 3)


def unpacked(data: bytes) -> dict[str, Any]:
    """Raises `Invalid` for what is no answer or larger than one may be."""
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= MOST_BYTES:
            raise Invalid(f"an answer of {size} bytes, at most {MOST_BYTES} are taken")
        value = orjson.loads(zstandard.decompress(data, max_output_size=MOST_BYTES))
    except (zstandard.ZstdError, ValueError):
        raise Invalid("the answer is not readable") from None
    if not isinstance(value, dict):
        raise Invalid("the answer is no object")
    return value
