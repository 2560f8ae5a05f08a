"""One value put over another of its type, as an apply does it. The rules are structured-merge-diff v6's."""

from __future__ import annotations

from typing import Any

from argosy.machinery import fields
from argosy.machinery.schema import ANY, LIST, SCALAR, Type
from argosy.machinery.typed import ABSENT, TypedError, element_of, equal, misfits, scalar_problem

DUPLICATE = None
"""What stands for items of an associative list that share one key: they are not merged."""


def merge(left: Any, right: Any, kind: Type) -> Any:
    """`left` with everything `right` says put over it. Raises `TypedError` where the two do not fit together."""
    out = _merge(left, right, kind)
    return None if out is ABSENT else out


def _merge(left: Any, right: Any, kind: Type) -> Any:
    left_form = ANY if left is ABSENT else kind.form(left)
    right_form = ANY if right is ABSENT else kind.form(right)
    form = kind.handled_as(left_form if right is ABSENT else right_form)
    if form == SCALAR:
        if misfits(kind, left) and misfits(kind, right):
            raise TypedError(scalar_problem(kind, left))
        return _later(left, right)
    if form == LIST:
        lefts = left if isinstance(left, list) else None
        rights = right if isinstance(right, list) else None
        if kind.keys is None or (not lefts and not rights):
            return _later(left, right)
        if not rights:
            return left
        merged = _merge_items(lefts or [], rights, kind)
        return left if lefts and _same_items(lefts, merged) else merged
    left_map = left if isinstance(left, dict) else None
    right_map = right if isinstance(right, dict) else None
    if kind.atomic or (not left_map and not right_map):
        return _later(left, right)
    return _merge_maps(left_map or {}, right_map, kind) if right_map else left


def _later(left: Any, right: Any) -> Any:
    """The right value, or the left one when it is equal: what did not change stays the same piece of memory."""
    return left if right is ABSENT or (left is not ABSENT and equal(left, right)) else right


def _same_items(left: list[Any], merged: Any) -> bool:
    if not isinstance(merged, list) or len(merged) != len(left):
        return False
    return all(one is other for one, other in zip(left, merged, strict=True))


def _merge_maps(left: dict[str, Any], right: dict[str, Any], kind: Type) -> Any:
    changed: dict[str, Any] = {}
    for name, other in right.items():
        child = kind.fields.get(name, kind.element)
        if child is None:
            raise TypedError(f".{name}: field not declared in schema")
        mine = left.get(name, ABSENT)
        merged = _merge(mine, other, child)
        if merged is not mine:
            changed[name] = merged
    if not changed:
        return left or ABSENT
    out = {**left, **changed}
    if ABSENT in changed.values():
        out = {name: item for name, item in out.items() if item is not ABSENT}
    return out or ABSENT


def _indexed(items: list[Any], kind: Type, *, allow_duplicates: bool) -> tuple[list[str], dict[str, Any]]:
    order: list[str] = []
    by_element: dict[str, Any] = {}
    for index, item in enumerate(items):
        try:
            element = element_of(kind, item)
        except TypedError as error:
            raise TypedError(f"element {index}: {error}") from error
        if element in by_element:
            if not allow_duplicates:
                raise TypedError(f"duplicate entries for key {fields.path_text((element,))}")
            by_element[element] = DUPLICATE
        else:
            by_element[element] = item
        order.append(element)
    return order, by_element


def _merge_items(left: list[Any], right: list[Any], kind: Type) -> Any:
    """The order of an associative list: the applied items keep theirs, the others stay where they were."""
    right_order, rights = _indexed(right, kind, allow_duplicates=False)
    left_order, lefts = _indexed(left, kind, allow_duplicates=True)
    item_type = kind.item
    assert item_type is not None
    shared = iter([element for element in right_order if element in lefts])
    next_shared = next(shared, None)
    merged: set[str] = set()
    out: list[Any] = []

    def take(mine: Any, theirs: Any) -> None:
        item = _merge(mine, theirs, item_type)
        if item is not ABSENT:
            out.append(item)

    at_left = at_right = 0
    while at_left < len(left_order) or at_right < len(right_order):
        if at_left < len(left_order) and at_right < len(right_order):
            element = left_order[at_left]
            if element == right_order[at_right]:
                merged.add(element)
                take(lefts[element], rights[element])
                at_left += 1
                at_right += 1
                next_shared = next(shared, None)
                continue
            if element in rights and next_shared is not None and next_shared != element:
                at_left += 1
                continue
        if at_left < len(left_order):
            element = left_order[at_left]
            if element not in rights:
                take(left[at_left], ABSENT)
                at_left += 1
                continue
            if element in merged:
                at_left += 1
        if at_right < len(right_order):
            element = right_order[at_right]
            merged.add(element)
            take(lefts.get(element, ABSENT), rights[element])
            at_right += 1
            if next_shared == element:
                next_shared = next(shared, None)
    return out or ABSENT
