"""The APIs that a cluster serves, as Helm's capabilities name them, and how an agent tells its hub of them.

Argo CD 3.6 gives `helm template` the same list of the destination cluster (`argo.APIResourcesToStrings`). A list is named
by its digest, so that clusters that serve the same are one value wherever it matters.
"""

from __future__ import annotations

from collections.abc import Iterable

import orjson
import zstandard

from argosy import objects
from argosy.errors import Invalid
from argosy.kinds import WATCHABLE, ApiKind

FACT = "kubernetes.apis"
"""The fact whose value is the digest of the list."""
VERSION = "kubernetes.version"
"""The fact that is the server's version, `v1.37.2`."""
MOST = 10_000
"""Entries of a list."""
LONGEST = 512
"""Characters of an entry."""
MOST_PACKED = 512 * 1024
"""Bytes of a list as it travels: a message of the link has to hold it."""
_MOST_BYTES = 8 * 1024 * 1024


def of(kinds: Iterable[ApiKind]) -> tuple[str, ...]:
    """`group/version` and `group/version/Kind` (of the core group `v1`, `v1/Pod`) of all that can be listed and watched,
    sorted; at most `MOST`."""
    found: set[str] = set()
    for kind in kinds:
        if kind.verbs >= WATCHABLE:
            found |= {kind.gvk.api_version, f"{kind.gvk.api_version}/{kind.gvk.kind}"}
    return tuple(sorted(name for name in found if len(name) <= LONGEST)[:MOST])


def digest(apis: Iterable[str]) -> str:
    return objects.digest(objects.canonical(list(apis)))


def pack(apis: Iterable[str]) -> bytes:
    """As it travels: a JSON list, zstd."""
    return zstandard.compress(orjson.dumps(list(apis)), 3)


def unpack(data: bytes) -> tuple[str, ...]:
    """The inverse. Raises `Invalid` for what is no such list or larger than one may be."""
    try:
        size = zstandard.frame_content_size(data)
        if not 0 <= size <= _MOST_BYTES:
            raise Invalid(f"a list of APIs of {size} bytes, at most {_MOST_BYTES} are taken")
        value = orjson.loads(zstandard.decompress(data, max_output_size=_MOST_BYTES))
    except (zstandard.ZstdError, ValueError):
        raise Invalid("the list of APIs is not readable") from None
    if not isinstance(value, list) or len(value) > MOST:
        raise Invalid(f"the list of APIs is no list of at most {MOST}")
    if not all(isinstance(name, str) and 0 < len(name) <= LONGEST for name in value):
        raise Invalid(f"the list of APIs holds what is no name of at most {LONGEST} characters")
    return tuple(value)
