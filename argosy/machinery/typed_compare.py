"""How two values of one type differ: which fields went, changed and came. The rules are structured-merge-diff v6's."""

from __future__ import annotations

from typing import Any

from argosy.machinery import fields
from argosy.machinery.fields import Fields
from argosy.machinery.schema import ANY, LIST, SCALAR, Type
from argosy.machinery.typed import ABSENT, TypedError, element_of, equal, misfits, scalar_problem

Change = tuple[Fields, Fields, Fields]
"""(removed, modified, added) fields."""


def compare(left: Any, right: Any, kind: Type) -> Change:
    """What has to change to come from left to right. The three sets are disjoint."""
    out: Change = ({}, {}, {})
    if left is not right:
        _compare(left, right, kind, out)
    return out


REMOVED, MODIFIED, ADDED = 0, 1, 2


def _compare(left: Any, right: Any, kind: Type, out: Change) -> int | None:
    """Fills `out` with what differs below this path; answers in which set the path itself belongs, if in any."""
    left_form = ANY if left is ABSENT else kind.form(left)
    right_form = ANY if right is ABSENT else kind.form(right)
    if right is ABSENT:
        leaf, verdict = _compare_as(kind.handled_as(left_form), left, right, kind, out)
    elif left is ABSENT or left_form == right_form:
        leaf, verdict = _compare_as(kind.handled_as(right_form), left, right, kind, out)
    else:
        _, before = _compare_as(kind.handled_as(left_form), left, right, kind, out)
        leaf, verdict = _compare_as(kind.handled_as(right_form), left, right, kind, out)
        verdict = before if verdict is None else verdict
    if leaf:
        return verdict
    if left is ABSENT:
        return ADDED
    return REMOVED if right is ABSENT else verdict


def _leaf_verdict(left: Any, right: Any) -> int | None:
    if left is ABSENT:
        return ADDED
    if right is ABSENT:
        return REMOVED
    return None if equal(left, right) else MODIFIED


def _compare_as(form: int, left: Any, right: Any, kind: Type, out: Change) -> tuple[bool, int | None]:
    if form == SCALAR:
        if misfits(kind, left) and misfits(kind, right):
            raise TypedError(scalar_problem(kind, left))
        return True, _leaf_verdict(left, right)
    if form == LIST:
        lefts = left if isinstance(left, list) else None
        rights = right if isinstance(right, list) else None
        if kind.keys is None or (not lefts and not rights):
            return True, _leaf_verdict(left, right)
        _compare_items(lefts or [], rights or [], kind, out)
        return False, None
    left_map = left if isinstance(left, dict) else None
    right_map = right if isinstance(right, dict) else None
    if kind.atomic or (not left_map and not right_map):
        return True, _leaf_verdict(left, right)
    _compare_maps(left_map or {}, right_map or {}, kind, out)
    return False, None


def _compare_maps(left: dict[str, Any], right: dict[str, Any], kind: Type, out: Change) -> None:
    for name, mine in left.items():
        other = right.get(name, ABSENT)
        if mine is not other:
            _compare_child("f:" + name, mine, other, kind.fields.get(name, kind.element), out)
    for name, other in right.items():
        if name not in left:
            _compare_child("f:" + name, ABSENT, other, kind.fields.get(name, kind.element), out)


def _compare_child(element: str, left: Any, right: Any, kind: Type | None, out: Change) -> None:
    if kind is None:
        raise TypedError(f"{fields.path_text((element,))}: field not declared in schema")
    below: Change = ({}, {}, {})
    verdict = _compare(left, right, kind, below)
    for index in (REMOVED, MODIFIED, ADDED):
        children = below[index]
        if index == verdict:
            out[index][element] = {".": {}, **children} if children else {}
        elif children:
            out[index][element] = children


def _grouped(items: list[Any], kind: Type) -> dict[str, list[Any]]:
    out: dict[str, list[Any]] = {}
    for index, item in enumerate(items):
        try:
            element = element_of(kind, item)
        except TypedError as error:
            raise TypedError(f"element {index}: {error}") from error
        out.setdefault(element, []).append(item)
    return out


def _compare_items(left: list[Any], right: list[Any], kind: Type, out: Change) -> None:
    lefts, rights = _grouped(left, kind), _grouped(right, kind)
    for element in [*lefts, *(element for element in rights if element not in lefts)]:
        mine, theirs = lefts.get(element, []), rights.get(element, [])
        if len(mine) <= 1 and len(theirs) <= 1:
            one, other = (mine or [ABSENT])[0], (theirs or [ABSENT])[0]
            if one is not other:
                _compare_child(element, one, other, kind.item, out)
        elif len(mine) >= 2 and len(theirs) >= 2:
            if not equal(mine, theirs):
                _put(out[MODIFIED], element)
        elif len(mine) >= 2:
            if theirs:
                _compare_child(element, ABSENT, theirs[0], kind.item, out)
            _put(out[REMOVED], element)
        else:
            if mine:
                _compare_child(element, mine[0], ABSENT, kind.item, out)
            _put(out[ADDED], element)


def _put(target: Fields, element: str) -> None:
    node = target.get(element)
    target[element] = {".": {}, **node} if node else {}
