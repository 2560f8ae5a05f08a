"""Generator `list`: parameters written in the set itself."""

from __future__ import annotations

from typing import Any

from argosy import yamlio
from argosy.errors import Invalid
from argosy.objects import canonical
from hub.core.generators.base import Context, GeneratorFailed
from hub.core.schema.schema import described
from hub.core.template import params
from hub.core.template.params import Params


def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
    """`elements` (text only without goTemplate), then `elementsYaml`, which is never flattened."""
    elements, text = spec.get("elements") or [], spec.get("elementsYaml", "")

    def made() -> list[Params]:
        return [*(_element(element, context.go, i) for i, element in enumerate(elements)), *_from_yaml(text)]

    table: Any = context.memo.table("list")
    found: list[Params] = table.of(canonical([elements, text]), made)
    return found


def _element(element: Any, go: bool, index: int) -> Params:
    path = f"elements[{index}]"
    if not isinstance(element, dict):
        raise GeneratorFailed(f"expected an object, found {described(element)}", path)
    if go:
        return {key: params.from_json(value) for key, value in element.items()}
    flat: Params = {}
    for key, value in element.items():
        if key != "values":
            flat[key] = _text(value, f"{path}.{key}")
            continue
        if not isinstance(value, dict):
            raise GeneratorFailed(
                f"error parsing values map: expected an object, found {described(value)}", f"{path}.values"
            )
        flat.update({f"values.{name}": _text(item, f"{path}.values.{name}") for name, item in value.items()})
    return flat


def _text(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value
    raise GeneratorFailed(
        f"error parsing value as string: found {described(value)}; quote it, or set goTemplate: true", path
    )


def _from_yaml(text: str) -> list[Params]:
    if not text:
        return []
    try:
        found = yamlio.load_first(text, source="elementsYaml")
    except Invalid as error:
        raise GeneratorFailed(f"error unmarshalling: {error.message}", "elementsYaml") from None
    if found is None:
        return []
    if not isinstance(found, list):
        raise GeneratorFailed(f"expected a list of objects, found {described(found)}", "elementsYaml")
    for index, item in enumerate(found):
        if item is not None and not isinstance(item, dict):
            raise GeneratorFailed(f"expected an object, found {described(item)}", f"elementsYaml[{index}]")
    return [params.from_json(item or {}) for item in found]
