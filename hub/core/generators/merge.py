"""Generator `merge`: the first child's parameter sets, overridden by later children where the merge keys
agree.
"""

from __future__ import annotations

from typing import Any

from hub.core.generators import nested
from hub.core.generators.base import Context, GeneratorFailed, NotYet
from hub.core.template import gojson, params
from hub.core.template.params import Params


def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
    """In the order of the first child. Keys are looked up at the top level only; two absent keys agree."""
    children = spec.get("generators") or []
    if len(children) < 2:
        raise GeneratorFailed("found less than two generators, Merge requires two or more", "generators")
    keys = list(dict.fromkeys(spec.get("mergeKeys") or []))
    sets, waiting = [], False
    for index, child in enumerate(children):
        try:
            sets.append(nested.child(child, index, context))
        except NotYet:
            waiting = True
    if waiting:
        raise NotYet
    if not keys:
        raise GeneratorFailed("no merge keys were specified, Merge requires at least one", "mergeKeys")
    base = _by_key(keys, sets[0])
    for others in sets[1:]:
        for key, other in _by_key(keys, others).items():
            if key in base:
                base[key] = _overridden(base[key], other, context)
    return list(base.values())


def _by_key(keys: list[str], sets: list[Params]) -> dict[object, Params]:
    """Two keys agree where their JSON does; of texts and nothing else that is known without writing it."""
    found: dict[object, Params] = {}
    for one in sets:
        values = [one.get(name) for name in keys]
        plain = all(type(value) is str or value is None for value in values)
        key = tuple(values) if plain else _json(keys, values)
        if key in found:
            raise GeneratorFailed(
                "the parameters from a generator were not unique by the given mergeKeys, "
                f"Merge requires all param sets to be unique. Duplicate key was {_json(keys, values)}"
            )
        found[key] = one
    return found


def _json(keys: list[str], values: list[Any]) -> str:
    return gojson.encode(dict(zip(keys, values, strict=True)))


def _overridden(base: Params, other: Params, context: Context) -> Params:
    if context.go:
        united = params.copy(base)
        try:
            params.override(united, other, strict=context.strict)
        except params.MixedMaps as mixed:
            raise GeneratorFailed(f"{mixed}: a map of any values cannot override a map of strings") from None
        return united
    return {key: params.text(value) for key, value in {**base, **other}.items()}
