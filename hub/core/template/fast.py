"""`{{name}}` templates, the engine of sets without `goTemplate` (valyala/fasttemplate as Argo CD 3.6 calls
it).

A tag is looked up as it stands, without blanks around it. A tag that names no text parameter stays in the
text.
"""

from __future__ import annotations

import functools
import re

from hub.core.template.base import Engine, Scope, TemplateFailed

_TEMPLATED = re.compile(r"\{\{.*\}\}")
"""A text is looked at only when one of its lines holds a whole tag."""


class FastTemplate:
    """Alternating text and tags."""

    __slots__ = ("_tags", "_texts")
    quick = None

    def __init__(self, texts: list[str], tags: list[str]) -> None:
        self._texts = texts
        self._tags = [(tag.strip(), "{{" + tag + "}}") for tag in tags]

    def render(self, scope: Scope) -> str:
        params = scope.params
        out = [self._texts[0]]
        for (name, verbatim), text in zip(self._tags, self._texts[1:], strict=True):
            value = params.get(name) if name else None
            out.append(value if isinstance(value, str) else verbatim)
            out.append(text)
        return "".join(out)


@functools.lru_cache(maxsize=65536)
def compile_text(text: str) -> FastTemplate | None:
    """None for a text without tags. Raises `TemplateFailed` for a tag that is never closed."""
    if not _TEMPLATED.search(text):
        return None
    texts: list[str] = []
    tags: list[str] = []
    rest = text
    while True:
        before, opening, rest = rest.partition("{{")
        texts.append(before)
        if not opening:
            return FastTemplate(texts, tags)
        tag, closing, rest = rest.partition("}}")
        if not closing:
            raise TemplateFailed(f"invalid template: cannot find the closing }}}} of {opening + tag[:60]!r}")
        tags.append(tag)


class FastEngine:
    """The engine as an `Engine`."""

    go = False

    def compile(self, text: str) -> FastTemplate | None:
        return compile_text(text)

    def check(self) -> None:
        """There are no options."""

    def deferring(self) -> Engine:
        return self


ENGINE = FastEngine()
