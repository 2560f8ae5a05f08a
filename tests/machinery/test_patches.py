"""JSON patch, merge patch and strategic merge patch."""

from __future__ import annotations

from typing import Any

import jsonpatch
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from argosy.machinery import kinds, patch, schema
from argosy.machinery.failure import ApiFailure

ample = settings(deadline=None, max_examples=60)
scalars = st.one_of(st.integers(-2, 2), st.booleans(), st.sampled_from(["", "x"]))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("ab/~"), inner)),
    max_leaves=8,
)
documents = st.dictionaries(st.sampled_from("abcd"), values)


@ample
@given(documents, documents)
def test_a_merge_patch_of_the_difference_leads_to_the_other(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert patch.merge_patch(before, patch.merge_diff(before, after)) == after


@ample
@given(documents, documents)
def test_json_patches_of_another_library_lead_where_they_should(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert patch.json_patch(before, jsonpatch.make_patch(before, after).patch) == after


def test_a_merge_patch_removes_by_null() -> None:
    assert patch.merge_patch({"a": {"b": 1, "c": 2}}, {"a": {"b": None}}) == {"a": {"c": 2}}


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ({"op": "add", "path": "/list/-", "value": 3}, {"list": [1, 2, 3], "map": {}}),
        ({"op": "add", "path": "/list/0", "value": 0}, {"list": [0, 1, 2], "map": {}}),
        ({"op": "remove", "path": "/list/-1"}, {"list": [1], "map": {}}),
        ({"op": "replace", "path": "/map/new", "value": 1}, {"list": [1, 2], "map": {"new": 1}}),
        ({"op": "copy", "from": "/map/none", "path": "/copied"}, {"list": [1, 2], "map": {}, "copied": None}),
        ({"op": "move", "from": "/map", "path": "/moved"}, {"list": [1, 2], "moved": {}}),
        ({"op": "test", "path": "/map/none", "value": None}, {"list": [1, 2], "map": {}}),
    ],
)
def test_operations_as_the_api_server_reads_them(operation: dict[str, Any], expected: Any) -> None:
    assert patch.json_patch({"list": [1, 2], "map": {}}, [operation]) == expected


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/none"},
        {"op": "add", "path": "/none/below", "value": 1},
        {"op": "replace", "path": "/list/5", "value": 1},
        {"op": "test", "path": "/list/0", "value": 2},
        {"op": "test", "path": "/list/0", "value": True},
        {"op": "jump", "path": "/list"},
        {"op": "add", "value": 1},
    ],
)
def test_operations_that_cannot_be_applied(operation: dict[str, Any]) -> None:
    with pytest.raises(ApiFailure) as caught:
        patch.json_patch({"list": [1]}, [operation])
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")


def test_a_json_patch_is_bounded() -> None:
    with pytest.raises(ApiFailure, match="allowed maximum operations in a JSON patch is 10000, got 10001"):
        patch.json_patch({}, [{"op": "test", "path": "", "value": {}}] * 10_001)


def deployment() -> schema.Type:
    return next(kind for kind in kinds.builtin() if kind.kind == "Deployment").type


def pods(*containers: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return {"spec": {"template": {"spec": {"containers": list(containers), **rest}}}}


def test_containers_are_merged_by_name() -> None:
    live = pods({"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "1"})
    change = pods({"name": "b", "image": "2"}, {"name": "c", "image": "1"})
    out = patch.strategic_patch(live, change, deployment())
    assert out == pods(
        {"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "2"}, {"name": "c", "image": "1"}
    )


@pytest.mark.parametrize(
    ("change", "left"),
    [
        (pods({"name": "a", "$patch": "delete"}), ["b"]),
        (pods({"$patch": "replace"}, {"name": "z"}), ["z"]),
        (
            {"spec": {"template": {"spec": {"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]}}}},
            None,
        ),
    ],
)
def test_directives_of_lists(change: dict[str, Any], left: list[str] | None) -> None:
    if left is None:
        change = {"spec": {"template": {"spec": {**change["spec"]["template"]["spec"], "containers": []}}}}
        left = ["b", "a"]
    out = patch.strategic_patch(pods({"name": "a"}, {"name": "b"}), change, deployment())
    assert [container["name"] for container in out["spec"]["template"]["spec"]["containers"]] == left


def test_directives_of_maps() -> None:
    live = {"spec": {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}}
    retained = {"spec": {"strategy": {"$retainKeys": ["type"], "type": "Recreate"}}}
    assert patch.strategic_patch(live, retained, deployment())["spec"]["strategy"] == {"type": "Recreate"}
    replaced = {"spec": {"strategy": {"$patch": "replace", "type": "Recreate"}}}
    assert patch.strategic_patch(live, replaced, deployment())["spec"]["strategy"] == {"type": "Recreate"}


def test_primitive_lists_lose_what_is_named() -> None:
    live = {"metadata": {"finalizers": ["a", "b"]}}
    change = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["a"]}}
    assert patch.strategic_patch(live, change, deployment()) == {"metadata": {"finalizers": ["b"]}}
