"""Go templates: the one module that knows the library behind them.

Options are `goTemplateOptions` of the set. Every render has budgets for steps, output and depth. A template
sees nothing but its parameters and the functions of `functions.py`: no attributes or methods of Python
objects.
"""

from __future__ import annotations

import functools
import re
from typing import Any

import gotpl
from gotpl.runtime.callables import PreparedFunctionRegistry

from hub.core.template import bounds, functions, params
from hub.core.template.base import Scope, TemplateFailed
from hub.core.template.fields import Mode

_BUDGET = gotpl.ExecutionBudget(
    max_output_chars=bounds.MAX_TEXT,
    max_iterations=100_000,
    max_template_depth=100,
    max_function_calls=50_000,
)
_TPL_DEPTH = 3
"""How deep `tpl` may stand inside `tpl` (Argo CD 3.6)."""


@functools.cache
def _functions() -> dict[str, functions.Function]:
    return functions.table()


@functools.cache
def _sandbox() -> gotpl.SandboxPolicy:
    return gotpl.SandboxPolicy.strict(
        allow_functions=[*_functions(), "tpl"],
        allow_custom_lookup=True,
        max_template_chars=bounds.MAX_TEXT,
        default_budget=_BUDGET,
    )


_WORD = re.compile(r"[A-Za-z]\w*")
"""The library copies the functions at every render, so a template gets those alone that its words name."""


class GoTemplate:
    """One compiled text. Bound to no set, so it is shared by all that use the same text and options."""

    __slots__ = ("_depth", "_template", "_text")
    quick = None

    def __init__(self, text: str, mode: Mode) -> None:
        self._text = text
        self._depth = 0
        known = _functions()
        if "tpl" in text:
            registry = PreparedFunctionRegistry({**known, "tpl": self._tpl})
        else:
            named = {name: known[name] for name in {*_WORD.findall(text), functions.NIL} if name in known}
            registry = PreparedFunctionRegistry(named)
        try:
            self._template = gotpl.Template(
                with_explicit_nil(text),
                name="base",
                functions=registry,
                missing_key=mode,
                sandbox=_sandbox(),
                budget=_BUDGET,
            )
        except gotpl.TemplateError as error:
            raise TemplateFailed(
                f"failed to parse template {_short(text)}: {error}{_hint(str(error))}"
            ) from None

    def render(self, scope: Scope) -> str:
        if scope.prepared is None:
            scope.prepared = _prepare(scope.params)
        bounds.begin()
        try:
            return self._template.render(scope.prepared)
        except gotpl.TemplateError as error:
            missing = "missing key or attribute" in str(error)
            raise TemplateFailed(_explained(self._text, str(error)), missing=missing) from None
        except RecursionError:
            raise TemplateFailed(
                f"failed to execute template {_short(self._text)}: nested too deep"
            ) from None

    def _tpl(self, text: str, values: object) -> str:
        if self._depth >= _TPL_DEPTH:
            raise ValueError(f"tpl: nested more than {_TPL_DEPTH} deep")
        self._depth += 1
        try:
            rendered = self._template.with_source(with_explicit_nil(text), name="base").render(values)
        finally:
            self._depth -= 1
        return rendered.replace("<no value>", "")


_TOKEN = re.compile(
    r"\}\}|/\*.*?\*/|\"(?:\\.|[^\"\\])*\"|`[^`]*`|'(?:\\.|[^'\\])*'|\|(?!\s*(?:-?\}\}|\)|$))", re.DOTALL
)
"""What counts inside an action: its end, what may hold a sign that is none, and a pipe that something follows."""


def with_explicit_nil(text: str) -> str:
    """Puts the nil function into every pipe, since the library drops an absent value there where Go passes
    nil on. Quotes mean nothing in the text around the actions.
    """
    if "|" not in text:
        return text
    out, end = [], 0
    while (start := text.find("{{", end)) >= 0:
        out.append(text[end:start])
        end = start
        for token in _TOKEN.finditer(text, start + 2):
            if token[0] == "}}":
                out.append(text[end : token.end()])
                end = token.end()
                break
            if token[0] == "|":
                out.append(text[end : token.end()] + f" {functions.NIL} |")
                end = token.end()
        else:
            break
    return "".join(out) + text[end:]


def _hint(error: str) -> str:
    """The commonest slip of those who come from `{{name}}` templates."""
    found = re.search(r"function '(\w+)' not defined", error)
    return f"; with goTemplate: true a parameter has a dot: {{{{.{found[1]}}}}}" if found else ""


def _explained(text: str, error: str) -> str:
    return f"failed to execute template {_short(text)}: {error}"


def _short(text: str) -> str:
    return text if len(text) <= 120 else text[:117] + "..."


def _prepare(value: Any) -> Any:
    if isinstance(value, params.StringMap):
        return gotpl.TypedMap(value, "", "string", "string")
    if isinstance(value, dict):
        return {key: _prepare(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_prepare(item) for item in value]
    return value


@functools.lru_cache(maxsize=16384)
def compile_text(text: str, mode: Mode) -> GoTemplate:
    """Raises `TemplateFailed`."""
    return GoTemplate(text, mode)
