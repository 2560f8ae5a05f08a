"""Regular expressions of users: Go's syntax, in time linear to the text, so that no pattern can hang the
hub.
"""

from __future__ import annotations

import functools
from typing import Any

from hub.core.template.base import TemplateFailed

MAX_PATTERN = 1000


@functools.lru_cache(maxsize=1024)
def _compile(pattern: str) -> Any:
    # Late: the template library takes a twentieth of a hub's start, and few sets have patterns.
    from gotpl._compat.goregexp import go

    return go._compile(pattern)


class Pattern:
    """A compiled pattern, found anywhere in a text. Raises `TemplateFailed` for one Go refuses."""

    def __init__(self, pattern: str) -> None:
        if len(pattern) > MAX_PATTERN:
            raise TemplateFailed(f"pattern has {len(pattern)} characters, at most {MAX_PATTERN} are accepted")
        try:
            self._compiled = _compile(pattern)
        except Exception as error:
            raise TemplateFailed(f"pattern {pattern!r}: {error}") from None

    def matches(self, text: str) -> bool:
        return self._compiled.search(text) is not None
