"""Sets of field paths in FieldsV1 form."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argosy.machinery import fields

ample = settings(deadline=None, max_examples=60)
elements = st.sampled_from(["f:a", "f:b", 'k:{"name":"x"}', 'v:"y"'])
paths = st.lists(elements, min_size=1, max_size=3).map(tuple)
path_sets = st.frozensets(paths, max_size=8)


def made(members: frozenset[fields.Path]) -> fields.Fields:
    out: fields.Fields = {}
    for path in members:
        out = fields.insert(out, path)
    return out


@ample
@given(path_sets, path_sets)
def test_sets_are_sets(left: frozenset[fields.Path], right: frozenset[fields.Path]) -> None:
    one, other = made(left), made(right)
    assert set(fields.paths(one)) == left
    assert set(fields.paths(fields.union(one, other))) == left | right
    assert set(fields.paths(fields.difference(one, other))) == left - right
    assert set(fields.paths(fields.intersection(one, other))) == left & right
    assert all(fields.has(one, path) for path in left)
    assert set(fields.paths(fields.without_below(one, other))) == {
        path for path in left if not any(path[: len(taken)] == taken for taken in right)
    }


@ample
@given(path_sets)
def test_what_is_encoded_is_decoded(members: frozenset[fields.Path]) -> None:
    one = made(members)
    assert fields.decode(one) == one


@ample
@given(path_sets, path_sets)
def test_one_set_has_one_form(left: frozenset[fields.Path], right: frozenset[fields.Path]) -> None:
    assert made(left | right) == fields.union(made(left), made(right))


def test_a_member_with_members_below_is_marked_by_a_dot() -> None:
    out = fields.insert(fields.insert({}, ("f:a",)), ("f:a", "f:b"))
    assert out == {"f:a": {".": {}, "f:b": {}}}


def test_keys_become_canonical() -> None:
    raw = {"f:ports": {'k:{"protocol": "TCP", "containerPort": 80.0}': {".": {}}}}
    assert fields.decode(raw) == {"f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {}}}


@pytest.mark.parametrize("raw", [[], {"f:a": 1}, {"x:a": {}}, {"k:[1]": {}}, {"k:{": {}}])
def test_what_is_no_set_is_refused(raw: Any) -> None:
    with pytest.raises(ValueError):
        fields.decode(raw)


def test_paths_read_as_conflicts_show_them() -> None:
    path = ("f:spec", "f:ports", 'k:{"number":80,"protocol":"TCP"}', "f:note")
    assert fields.path_text(path) == '.spec.ports[number=80,protocol="TCP"].note'
    assert fields.path_text(("f:finalizers", 'v:"x"')) == '.finalizers[="x"]'
