"""Templates inside a whole object: compiled once per object, rendered once per parameter set.

Walks a value along its shape as Argo CD walks its Go structs: every string, keys and values of maps, and
raw JSON string by string. What holds no template is copied and not looked at again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from argosy import gofloat
from hub.core.schema.schema import Free, ListOf, MapOf, Scalar, Shape, Struct
from hub.core.template import params
from hub.core.template.base import Engine, Scope, Template, TemplateFailed

Node: TypeAlias = Callable[[Scope], Any]


class FieldFailed(Exception):
    """A field could not be rendered."""

    def __init__(self, path: str, failure: TemplateFailed) -> None:
        super().__init__(f"{path}: {failure.message}")
        self.path = path
        self.message = failure.message
        self.missing = failure.missing


def compile_value(shape: Shape, value: Any, engine: Engine, path: str) -> Node | None:
    """None for a value that stays as it is: without templates, and without numbers in raw JSON that Go's float64 cannot
    hold. Raises `FieldFailed` for a template that does not parse.

    A text that renders to nothing is left out where Go's encoder would leave it out.
    """
    if isinstance(value, str):
        return None if isinstance(shape, Scalar) and str not in shape.types else _text(value, engine, path)
    if isinstance(value, dict):
        if isinstance(shape, Struct):
            return _struct(shape, value, engine, path)
        item_shape = shape.item if isinstance(shape, MapOf) else shape
        return _mapping(item_shape, value, engine, path)
    if isinstance(value, list):
        item_shape = shape.item if isinstance(shape, ListOf) else shape
        nodes = [compile_value(item_shape, item, engine, f"{path}[{i}]") for i, item in enumerate(value)]
        return _list(value, nodes)
    if isinstance(value, int) and isinstance(shape, Free) and (number := gofloat.carried(value)) != value:
        return lambda scope: number
    return None


def _text(text: str, engine: Engine, path: str) -> Node | None:
    try:
        template = engine.compile(text)
    except TemplateFailed as failure:
        raise FieldFailed(path, failure) from None
    return None if template is None else _rendering(template, path)


def _rendering(template: Template, path: str) -> Node:
    def render(scope: Scope) -> str:
        try:
            return template.render(scope)
        except TemplateFailed as failure:
            raise FieldFailed(path, failure) from None

    if (quick := template.quick) is None:
        return render
    text_of = quick

    def render_quickly(scope: Scope) -> str:
        text = text_of(scope.params)
        return render(scope) if text is None else text

    return render_quickly


def _struct(shape: Struct, value: dict[str, Any], engine: Engine, path: str) -> Node | None:
    nodes: list[tuple[str, Node, bool]] = []
    for name, item in value.items():
        entry = shape.fields.get(name)
        node = None if entry is None else compile_value(entry.shape, item, engine, f"{path}.{name}")
        if entry is not None and node is not None:
            omitted = isinstance(entry.shape, Scalar) and not entry.shape.pointer and not entry.kept
            nodes.append((name, node, omitted))
    if not nodes:
        return None
    templated = {name for name, _, _ in nodes}
    fixed = {name: item for name, item in value.items() if name not in templated}

    def render(scope: Scope) -> dict[str, Any]:
        rendered = dict(fixed)
        for name, node, omitted in nodes:
            item = node(scope)
            if item != "" or not omitted:
                rendered[name] = item
        return rendered

    return render


def _mapping(item_shape: Shape, value: dict[str, Any], engine: Engine, path: str) -> Node | None:
    entries = []
    for key, item in value.items():
        if item is None and isinstance(item_shape, Free):
            continue
        place = f"{path}.{key}"
        entries.append((key, _text(key, engine, place), item, compile_value(item_shape, item, engine, place)))
    if len(entries) == len(value) and all(key is None and item is None for _, key, _, item in entries):
        return None

    def render(scope: Scope) -> dict[str, Any]:
        return {
            (key if key_node is None else key_node(scope)): (item if item_node is None else item_node(scope))
            for key, key_node, item, item_node in entries
        }

    return render


def _list(value: list[Any], nodes: list[Node | None]) -> Node | None:
    if all(node is None for node in nodes):
        return None
    pairs = list(zip(value, nodes, strict=True))
    return lambda scope: [item if node is None else node(scope) for item, node in pairs]


def has_template(value: Any) -> bool:
    """True where some string, or key, below the value may be a template."""
    if isinstance(value, str):
        return "{{" in value
    if isinstance(value, dict):
        return any("{{" in key or has_template(item) for key, item in value.items())
    return isinstance(value, list) and any(has_template(item) for item in value)


def render_values(values: dict[str, str], scope: Scope, engine: Engine, path: str) -> dict[str, str]:
    """A generator's `values` against the parameters of that generator. Raises `FieldFailed`."""
    try:
        engine.check()
    except TemplateFailed as failure:
        raise FieldFailed(path, failure) from None
    rendered = {}
    for key, text in values.items():
        node = _text(text, engine, f"{path}.{key}")
        rendered[key] = text if node is None else node(scope)
    return rendered


def append_values(values: dict[str, str], found: params.Params, engine: Engine, path: str) -> None:
    """Adds rendered `values` to a parameter set: a map `values` for Go templates, else `values.KEY` each."""
    if not values:
        return
    rendered = render_values(values, Scope(found), engine, path)
    if engine.go:
        found["values"] = params.StringMap(rendered)
    else:
        found.update({f"values.{key}": text for key, text in rendered.items()})
