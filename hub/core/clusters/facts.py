"""What an agent tells of its cluster: which of it counts, and what it means for renders. Pure.

What is known stays until something else is known: an agent that starts, or names a list of APIs that nobody has seen yet,
does not make its cluster one without APIs, or charts would drop objects for a moment.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

from argosy import apis
from argosy.errors import Invalid

MOST = 64
LONGEST = 1024
"""Characters of a name and its value together."""

Named = dict[str, str]


def read(said: Mapping[str, str]) -> Named:
    """Raises `Invalid` for more than is taken."""
    if len(said) > MOST or any(len(k) + len(v) > LONGEST for k, v in said.items()):
        raise Invalid(f"facts: at most {MOST} of at most {LONGEST} characters")
    return dict(said)


def of_text(text: str) -> Named:
    """Facts as they are kept."""
    found: Named = orjson.loads(text or "{}")
    return found


def text(facts: Named) -> str:
    """As they are kept; equal for equal facts."""
    return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS).decode()


def kept(before: Named, said: Named, *, known: bool) -> Named:
    """What counts after a Hello. `known`: the list of APIs that it names is there."""
    if said.get(apis.FACT) and known:
        return said
    rest = {name: value for name, value in said.items() if name != apis.FACT}
    return rest | ({apis.FACT: before[apis.FACT]} if before.get(apis.FACT) else {})
