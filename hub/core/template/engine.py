"""The engine of sets with `goTemplate: true`, with its options.

Texts that only print fields are rendered here (`fields.py`); the template library is not even imported until
a text needs it, so that the offline command starts quickly.
"""

from __future__ import annotations

from hub.core.template import fields
from hub.core.template.base import Template, TemplateFailed
from hub.core.template.fields import Mode

_MODES: dict[str, Mode] = {"default": "default", "invalid": "default", "zero": "zero", "error": "error"}


def missing_key_mode(options: tuple[str, ...]) -> Mode:
    """The last `missingkey=` of the options. Raises `TemplateFailed` for an option that Go does not know."""
    mode: Mode = "default"
    for option in options:
        name, equals, value = option.partition("=")
        if name != "missingkey" or not equals or value not in _MODES:
            hint = " (typographic quotes?)" if not option.isascii() else ""
            expected = "missingkey=error, missingkey=zero, missingkey=default or missingkey=invalid"
            raise TemplateFailed(
                f"goTemplateOptions: unrecognized option {option!r}{hint}, expected {expected}"
            )
        mode = _MODES[value]
    return mode


class GoEngine:
    """The engine for one set's `goTemplateOptions`."""

    go = True

    def __init__(self, options: tuple[str, ...] = ()) -> None:
        self._options = options

    def compile(self, text: str) -> Template | None:
        if "{{" not in text:
            return None
        mode = missing_key_mode(self._options)
        plain = fields.compile_text(text, mode)
        if plain is not None:
            return plain
        from hub.core.template import go

        return go.compile_text(text, mode)

    def check(self) -> None:
        missing_key_mode(self._options)

    def deferring(self) -> GoEngine:
        return GoEngine((*self._options, "missingkey=error"))
