"""What a plan says about two versions of an object: everything that differs, and nothing that is secret."""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from argosy import differences
from argosy.differences import ADDED, CHANGED, MASK, REMOVED


def deployment(*, replicas: int = 1, image: str = "web:1", extra: tuple[str, ...] = ()) -> dict[str, Any]:
    containers = [{"name": "web", "image": image}, *({"name": name, "image": name} for name in extra)]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"replicas": replicas, "template": {"spec": {"containers": containers}}},
    }


def secret(**texts: str) -> dict[str, Any]:
    data = {key: base64.b64encode(text.encode()).decode() for key, text in texts.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys", "namespace": "shop"},
        "data": data,
    }


def test_fields_are_named_as_people_read_them() -> None:
    found = differences.between(deployment(), deployment(replicas=3, image="web:2", extra=("log",))).fields
    assert [(each.path, each.before, each.after) for each in found] == [
        ("spec.replicas", 1, 3),
        ("spec.template.spec.containers[name=web].image", "web:1", "web:2"),
        ("spec.template.spec.containers[name=log]", None, {"name": "log", "image": "log"}),
    ]
    assert found[2].document() == {
        "path": "spec.template.spec.containers[name=log]",
        "after": {"name": "log", "image": "log"},
    }


def test_a_list_without_names_is_compared_by_position_and_a_new_order_is_told() -> None:
    plain = differences.between({"a": [1, 2]}, {"a": [1, 3, 4]}).fields
    assert [(each.path, each.before, each.after) for each in plain] == [("a[1]", 2, 3), ("a[2]", None, 4)]
    one, two = {"name": "x"}, {"name": "y"}
    (order,) = differences.between({"a": [one, two]}, {"a": [two, one]}).fields
    assert order.path == "a (order)"


def test_true_is_not_one_and_a_missing_field_is_not_null() -> None:
    assert differences.between({"a": 1}, {"a": True}).fields
    (gone,) = differences.between({"a": None}, {}).fields
    assert gone.document() == {"path": "a", "before": None}


def test_secrets_are_masked_key_by_key() -> None:
    before, after = secret(password="old-password", user="me"), secret(password="new-password", token="abc")
    found = differences.between(before, after).fields
    assert {each.path: (each.before, each.after) for each in found} == {
        "data.password": (MASK, MASK),
        "data.token": (None, MASK),
        "data.user": (MASK, None),
    }
    whole = differences.between(before, {**before, "data": None})
    assert whole.fields[0].before == {"password": MASK, "user": MASK}


def test_a_secret_in_what_kubectl_applied_last_is_not_shown() -> None:
    before, after = secret(password="a"), secret(password="a")
    after["metadata"]["annotations"] = {
        "kubectl.kubernetes.io/last-applied-configuration": json.dumps(secret(password="hunter2"))
    }
    text = repr(differences.between(before, after))
    assert base64.b64encode(b"hunter2").decode() not in text


def test_bundles_are_compared_by_key_and_say_what_stays() -> None:
    before = [deployment(), secret(a="1")]
    after = [deployment(replicas=2), {**secret(), "kind": "ConfigMap"}]
    found = {each.key.kind: each for each in differences.of_bundles(before, after, kept="prune is off")}
    assert {kind: each.change for kind, each in found.items()} == {
        "ConfigMap": ADDED,
        "Deployment": CHANGED,
        "Secret": REMOVED,
    }
    assert found["Secret"].kept == "prune is off"


def test_one_object_does_not_fill_the_answer() -> None:
    found = differences.between({}, {f"key{at}": "x" * 10_000 for at in range(1000)})
    assert len(found.fields) == differences.MOST_FIELDS
    assert found.more == 1000 - differences.MOST_FIELDS
    assert all(len(each.after) < differences.LONGEST + 40 for each in found.fields)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("abc", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(["spec", "metadata", "data", "a.b"]), VALUES, max_size=3)


@given(OBJECTS, OBJECTS)
def test_there_are_differences_exactly_where_the_objects_differ(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    same = json.dumps(before, sort_keys=True) == json.dumps(after, sort_keys=True)
    assert (not differences.between(before, after).fields) == same


@given(st.dictionaries(st.text("ab", min_size=1), st.text(min_size=8), max_size=3), st.text(min_size=8))
def test_no_secret_value_is_ever_shown(data: dict[str, str], other: str) -> None:
    before = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "k"}, "stringData": data}
    after = {**before, "stringData": {**dict.fromkeys(data, other), "new": other}}
    shown = differences.between(before, after)
    for value in (*data.values(), other):
        assert all(value not in (each.before, each.after) for each in shown.fields)
