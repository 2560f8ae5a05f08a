"""Generator `matrix`: every parameter set of one child with every set that a second child makes of it."""

from __future__ import annotations

from typing import Any

from hub.core.generators import nested
from hub.core.generators.base import Context, GeneratorFailed, NotYet
from hub.core.template import params
from hub.core.template.params import Params


def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
    """The second child is written in terms of the first one's parameters and evaluated for each of its
    sets.
    """
    children = spec.get("generators") or []
    if len(children) < 2:
        raise GeneratorFailed("found less than two generators, Matrix support only two", "generators")
    if len(children) > 2:
        raise GeneratorFailed("found more than two generators, Matrix support only two", "generators")
    first = nested.child(children[0], 0, context)
    second = nested.Interpolated(children[1], 1, context)
    pairs: list[tuple[Params, list[Params]]] = []
    waiting, count = False, 0
    for one in first:
        try:
            others = second.evaluate(one)
        except NotYet:
            waiting = True
            continue
        count += len(others)
        context.count(count, "generators")
        pairs.append((one, others))
    if waiting:
        raise NotYet
    return [_kept(one, other, context) for one, others in pairs for other in others]


def _kept(one: Params, other: Params, context: Context) -> Params:
    """The combination that the evaluation before made of the same two parameter sets, where it did."""
    table, key = context.memo.table("matrix"), (id(one), id(other))
    known: Any = table.new.get(key) or table.old.get(key)
    if known is None:
        # Both are held as long as the entry is, so that their ids stay theirs.
        known = (one, other, _combined(one, other, context))
    table.new[key] = known
    united: Params = known[2]
    return united


def _combined(one: Params, other: Params, context: Context) -> Params:
    """Go templates: the first child wins, maps merge. Otherwise both become text and must agree."""
    if context.go:
        united = params.copy(other)
        try:
            params.override(united, one, strict=context.strict)
        except params.MixedMaps as mixed:
            raise GeneratorFailed(f"{mixed}: a map of any values cannot override a map of strings") from None
        return united
    flat = {key: params.text(value) for key, value in one.items()}
    for key, value in other.items():
        text = params.text(value)
        if flat.setdefault(key, text) != text:
            raise GeneratorFailed(
                f"found duplicate key {key} with different value, a: {flat[key]} ,b: {text}; "
                "set pathParamPrefix on a git child, or goTemplate: true"
            )
    return flat
