"""Children of matrix and merge: exactly one generator kind each, with a selector of their own."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from hub.core.generators.base import Context, GeneratorFailed
from hub.core.generators.select import PostSelector
from hub.core.schema import appset_fields
from hub.core.schema.schema import MapOf, Scalar
from hub.core.template import render
from hub.core.template.base import Scope, TemplateFailed
from hub.core.template.params import Params
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
        self._constant = not render.has_template(element)
        self._known: list[Params] | None = None

    def evaluate(self, first: Params) -> list[Params]:
        """Parameter sets for one set of the first child; not to be changed, since they may be shared.

        A child without a template is evaluated once. Nothing is wrong with a child that is never evaluated.
        """
        if not self._constant:
            return self._run(first)
        if self._known is None:
            self._known = self._run(first)
        return self._known

    def _run(self, first: Params) -> list[Params]:
        spec = self._spec
        if first:
            self._check_options()
            spec = self._rendered(Scope(first))
        return _filtered(self._kind, spec, self._selector, self._path, self._context)

    @cached_property
    def _opened(self) -> tuple[str, PostSelector]:
        return _opened(self._element, self._path, self._context)

    @property
    def _kind(self) -> str:
        return self._opened[0]

    @property
    def _selector(self) -> PostSelector:
        return self._opened[1]

    @property
    def _spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self._element[self._kind]
        return spec

    @cached_property
    def _fixed(self) -> dict[str, Any]:
        """Everything but `values`, which have a rule of their own."""
        return {name: item for name, item in self._spec.items() if name != "values"}

    @cached_property
    def _node(self) -> Node | None:
        shape = appset_fields.NESTED_GENERATOR.fields[self._kind].shape
        return render.compile_value(shape, self._fixed, self._context.engine, self._kind)

    def _rendered(self, scope: Scope) -> dict[str, Any]:
        try:
            spec = self._fixed if self._node is None else self._node(scope)
            values = self._spec.get("values")
            return {**spec, "values": self._deferred(values, scope)} if values else spec
        except FieldFailed as failure:
            raise GeneratorFailed(failure.message, f"{self._path}.{failure.path}") from None

    def _check_options(self) -> None:
        """Go refuses unknown options at the first text that it looks at, templated or not."""
        try:
            self._context.engine.check()
        except TemplateFailed as failure:
            raise GeneratorFailed(failure.message, self._path) from None

    def _deferred(self, values: dict[str, str], scope: Scope) -> dict[str, str]:
        engine, deferring = self._context.engine, self._context.engine.deferring()
        keys = render.compile_value(MapOf(Scalar("none", (int,))), values, engine, f"{self._kind}.values")
        renamed = keys(scope) if keys is not None else values
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
