"""Children of matrix and merge: exactly one generator kind each, with a selector of their own."""

from __future__ import annotations

from typing import Any

from hub.core import kinds
from hub.core.generators.base import Context, GeneratorFailed
from hub.core.generators.select import PostSelector
from hub.core.params import Params
from hub.core.schema import MapOf, Scalar
from hub.core.template import render
from hub.core.template.base import Scope, TemplateFailed
from hub.core.template.render import FieldFailed, Node


def child(element: dict[str, Any], index: int, context: Context) -> list[Params]:
    """The parameter sets of one child, filtered by its selector."""
    path = f"generators[{index}]"
    kind, selector = _opened(element, path, context)
    return _filtered(kind, element[kind], selector, path, context)


def _opened(element: dict[str, Any], path: str, context: Context) -> tuple[str, PostSelector]:
    selector = PostSelector(element.get("selector"), f"{path}.selector")
    found = [kind for kind in context.table if element.get(kind) is not None]
    if not found:
        raise GeneratorFailed("child generator generated no parameters: it names no known generator", path)
    if len(found) > 1:
        raise GeneratorFailed(f"found more than one generator in one child: {', '.join(found)}", path)
    return found[0], selector


def _filtered(
    kind: str, spec: dict[str, Any], selector: PostSelector, path: str, context: Context
) -> list[Params]:
    try:
        found = context.table[kind](spec, context)
    except GeneratorFailed as failure:
        raise GeneratorFailed(failure.message, ".".join(filter(None, (path, kind, failure.path)))) from None
    except FieldFailed as failure:
        raise GeneratorFailed(failure.message, f"{path}.{kind}.{failure.path}") from None
    return selector.kept(found)


class Interpolated:
    """A matrix's second child: its whole spec is a template over the first child's parameters.

    Entries of `values` that name keys which the first child does not have are left for the generator itself.
    """

    def __init__(self, element: dict[str, Any], index: int, context: Context) -> None:
        self._element = element
        self._context = context
        self._path = f"generators[{index}]"
        self._kind, self._selector = _opened(element, self._path, context)
        spec = element[self._kind]
        self._values: dict[str, str] = spec.get("values") or {}
        self._fixed = {name: item for name, item in spec.items() if name != "values"}
        self._shape = kinds.NESTED_GENERATOR.fields[self._kind].shape
        self._node: Node | None = None
        self._failure: FieldFailed | None = None
        try:
            self._node = render.compile_value(self._shape, self._fixed, context.engine, self._kind)
        except FieldFailed as failure:
            self._failure = failure
        self._constant = not render.has_template(spec)
        self._known: list[Params] | None = None

    def evaluate(self, first: Params) -> list[Params]:
        """Parameter sets for one set of the first child; not to be changed, since they may be shared."""
        if self._constant or not first:
            if self._known is None:
                self._known = self._run(self._element[self._kind])
            return self._known
        if self._failure is not None:
            raise GeneratorFailed(self._failure.message, f"{self._path}.{self._failure.path}")
        scope = Scope(first)
        try:
            spec = self._fixed if self._node is None else self._node(scope)
            if self._values:
                spec = {**spec, "values": self._deferred(scope)}
        except FieldFailed as failure:
            raise GeneratorFailed(failure.message, f"{self._path}.{failure.path}") from None
        return self._run(spec)

    def _run(self, spec: dict[str, Any]) -> list[Params]:
        return _filtered(self._kind, spec, self._selector, self._path, self._context)

    def _deferred(self, scope: Scope) -> dict[str, str]:
        engine, deferring = self._context.engine, self._context.engine.deferring()
        keys = render.compile_value(
            MapOf(Scalar("none", (int,))), self._values, engine, f"{self._kind}.values"
        )
        renamed = keys(scope) if keys is not None else self._values
        rendered = {}
        for key, text in renamed.items():
            try:
                template = deferring.compile(text)
                rendered[key] = text if template is None else template.render(scope)
            except TemplateFailed as failure:
                if not failure.missing:
                    raise FieldFailed(f"{self._kind}.values.{key}", failure) from None
                rendered[key] = text
        return rendered
