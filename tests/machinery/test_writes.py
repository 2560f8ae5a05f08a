"""Creates, updates, deletes: identity, locking, generations, finalizers, validation."""

from __future__ import annotations

from typing import Any

import pytest

from argosy.machinery import failure, kinds, names, write
from argosy.machinery.failure import ApiFailure

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-01T00:00:09Z"
KIND = kinds.custom(
    "argosy.test",
    "v1",
    "Thing",
    "things",
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["mode"],
                "properties": {
                    "mode": {"type": "string", "enum": ["fast", "slow"]},
                    "size": {"type": "integer", "minimum": 1, "default": 3},
                    "name": {"type": "string", "pattern": "^[a-z]+$"},
                    "when": {"type": "string", "format": "date-time"},
                },
            },
            "status": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
        },
    },
    status=True,
)
PLACE = kinds.Place(KIND, "default", "one")
STATUS = kinds.Place(KIND, "default", "one", "status")
MERGE = "application/merge-patch+json"


def thing(metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    spec = {"mode": "fast", **spec}
    return {
        "apiVersion": "argosy.test/v1",
        "kind": "Thing",
        "metadata": {"name": "one", **(metadata or {})},
        "spec": spec,
    }


def options(**rest: Any) -> write.Options:
    return write.Options("test", rest.pop("now", NOW), uid="uid-1", suffix="abcde", **rest)


def made(metadata: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    out = write.create(PLACE, thing(metadata, **spec), options()).object
    return {**out, "metadata": {**out["metadata"], "resourceVersion": "7"}}


def test_a_new_object_gets_what_the_server_gives() -> None:
    outcome = write.create(PLACE, {**thing(), "status": {"sneaky": True}}, options())
    metadata = outcome.object["metadata"]
    assert (metadata["uid"], metadata["creationTimestamp"], metadata["generation"]) == ("uid-1", NOW, 1)
    assert metadata["namespace"] == "default"
    assert outcome.object["spec"] == {"mode": "fast", "size": 3}
    assert "status" not in outcome.object


def test_a_name_is_generated() -> None:
    body = thing({"name": "", "generateName": "job-"})
    assert (
        write.create(kinds.Place(KIND, "default"), body, options()).object["metadata"]["name"] == "job-abcde"
    )
    assert len(names.generated("x" * 200, "abcde")) == 63


@pytest.mark.parametrize(
    ("body", "cause"),
    [
        (thing(mode="warp"), ("FieldValueNotSupported", "spec.mode")),
        (thing(size=0), ("FieldValueInvalid", "spec.size")),
        (thing(size="2"), ("FieldValueTypeInvalid", "spec.size")),
        (thing(name="Nope"), ("FieldValueInvalid", "spec.name")),
        (thing(when="yesterday"), ("FieldValueTypeInvalid", "spec.when")),
        ({**thing(), "spec": {}}, ("FieldValueRequired", "spec.mode")),
        (thing({"name": "Not_A_Name"}), ("FieldValueInvalid", "metadata.name")),
        (thing({"labels": {"bad key": "x"}}), ("FieldValueInvalid", "metadata.labels")),
        (thing({"annotations": {"k": "v" * 300_000}}), ("FieldValueTooLong", "metadata.annotations")),
    ],
)
def test_what_is_invalid_is_refused_with_its_field(body: dict[str, Any], cause: tuple[str, str]) -> None:
    with pytest.raises(ApiFailure) as caught:
        write.create(PLACE, body, options())
    assert (caught.value.code, caught.value.reason) == (422, "Invalid")
    assert [(each.reason, each.field) for each in caught.value.causes] == [cause]


def test_the_text_of_an_invalid_object_is_the_api_servers() -> None:
    with pytest.raises(ApiFailure) as caught:
        write.create(PLACE, thing(mode="warp"), options())
    assert caught.value.message == (
        'Thing.argosy.test "one" is invalid: spec.mode: Unsupported value: "warp": '
        'supported values: "fast", "slow"'
    )


def test_unknown_fields_are_refused_told_or_dropped() -> None:
    body = thing(nope=1)
    text = 'unknown field "spec.nope"'
    with pytest.raises(ApiFailure, match=f"strict decoding error: {text}") as caught:
        write.create(PLACE, body, options(validation="Strict"))
    assert caught.value.code == 400
    assert write.create(PLACE, body, options(validation="Warn")).warnings == (text,)
    ignored = write.create(PLACE, body, options(validation="Ignore"))
    assert ignored.warnings == ()
    assert "nope" not in ignored.object["spec"]


def test_generations_count_changes_of_what_is_wanted() -> None:
    live = made()
    changed = write.patched(PLACE, live, MERGE, {"spec": {"size": 5}}, options()).object
    assert changed["metadata"]["generation"] == 2
    labelled = write.patched(PLACE, live, MERGE, {"metadata": {"labels": {"a": "b"}}}, options()).object
    assert labelled["metadata"]["generation"] == 1
    status = write.patched(STATUS, live, MERGE, {"status": {"x": 1}, "spec": {"size": 9}}, options()).object
    assert (status["metadata"]["generation"], status["spec"]["size"], status["status"]) == (1, 3, {"x": 1})


def test_an_update_needs_the_current_version() -> None:
    live = made()
    with pytest.raises(ApiFailure, match="must be specified for an update") as caught:
        write.update(PLACE, live, thing(), options())
    assert caught.value.code == 422
    with pytest.raises(ApiFailure, match="the object has been modified; please apply your changes") as caught:
        write.update(PLACE, live, thing({"resourceVersion": "6"}), options())
    assert (caught.value.code, caught.value.message) == (
        409,
        'Operation cannot be fulfilled on things.argosy.test "one": the object has been modified; '
        "please apply your changes to the latest version and try again",
    )
    assert (
        write.update(PLACE, live, thing({"resourceVersion": "7"}, size=4), options()).action == write.UPDATED
    )


def test_nothing_is_written_where_nothing_changes() -> None:
    live = made()
    same = write.update(PLACE, live, thing({"resourceVersion": "7"}), options(now=LATER))
    assert same.action == write.UNCHANGED
    assert same.object == live


def test_what_identifies_an_object_stays() -> None:
    live = made()
    with pytest.raises(ApiFailure, match=r"metadata\.uid: Invalid value"):
        write.patched(PLACE, live, MERGE, {"metadata": {"uid": "other"}}, options())
    with pytest.raises(ApiFailure, match="does not match the name on the URL"):
        write.patched(PLACE, live, MERGE, {"metadata": {"name": "other"}}, options())
    with pytest.raises(ApiFailure, match="namespace of the provided object does not match"):
        write.patched(PLACE, live, MERGE, {"metadata": {"namespace": "other"}}, options())
    kept = write.patched(PLACE, live, MERGE, {"metadata": {"creationTimestamp": None}}, options()).object
    assert kept["metadata"]["creationTimestamp"] == NOW


def test_finalizers_hold_an_object_until_the_last_is_gone() -> None:
    live = made({"finalizers": ["argosy.test/a", "argosy.test/b"]})
    marked = write.delete(PLACE, live, write.Deletion(LATER))
    assert marked.action == write.UPDATED
    assert marked.object["metadata"]["deletionTimestamp"] == LATER
    assert marked.object["metadata"]["generation"] == 2
    again = write.delete(PLACE, marked.object, write.Deletion("2026-01-01T01:00:00Z"))
    assert again.action == write.UNCHANGED
    one = {"metadata": {"finalizers": ["argosy.test/b"]}}
    left = write.patched(PLACE, marked.object, MERGE, one, options())
    assert left.action == write.UPDATED
    none = {"metadata": {"finalizers": None}}
    assert write.patched(PLACE, left.object, MERGE, none, options()).action == write.DELETED
    more = {"metadata": {"finalizers": ["argosy.test/b", "argosy.test/c"]}}
    with pytest.raises(ApiFailure, match="no new finalizers can be added if the object is being deleted"):
        write.patched(PLACE, left.object, MERGE, more, options())


def test_a_delete_meets_exactly_the_object_it_means() -> None:
    live = made()
    assert write.delete(PLACE, live, write.Deletion(NOW, uid="uid-1")).action == write.DELETED
    with pytest.raises(ApiFailure, match="The object might have been deleted and then recreated") as caught:
        write.delete(PLACE, live, write.Deletion(NOW, uid="uid-2"))
    assert caught.value.code == 409
    with pytest.raises(ApiFailure, match="The object might have been modified"):
        write.delete(PLACE, live, write.Deletion(NOW, resource_version="6"))
    with pytest.raises(ApiFailure, match=r'things\.argosy\.test "one" not found'):
        write.delete(PLACE, None, write.Deletion(NOW))


def test_a_custom_kind_takes_no_strategic_patch_and_says_what_it_takes() -> None:
    with pytest.raises(ApiFailure) as caught:
        write.patched(PLACE, made(), "application/strategic-merge-patch+json", {}, options())
    assert caught.value.code == 415
    assert caught.value.message == (
        "the body of the request was in an unknown format - accepted media types include: "
        "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml"
    )


def deep(levels: int) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for _ in range(levels):
        out = {"x": out}
    return out


def test_what_is_nested_too_deep_is_refused_by_every_write() -> None:
    body = {**thing(), "status": deep(1000)}
    live = made()
    for refused in (
        lambda: write.create(PLACE, body, options()),
        lambda: write.update(PLACE, live, body, options()),
        lambda: write.apply(PLACE, live, body, options()),
        lambda: write.patched(STATUS, live, MERGE, body, options()),
    ):
        with pytest.raises(ApiFailure, match="exceeded max depth") as caught:
            refused()
        assert caught.value.code == 400
    nested = {**thing(), "status": deep(100)}
    assert write.patched(STATUS, live, MERGE, nested, options()).action == write.UPDATED


def test_old_mistakes_are_not_held_against_an_update() -> None:
    live = made()
    live["spec"]["name"] = "WRITTEN BEFORE THE PATTERN"
    out = write.patched(PLACE, live, MERGE, {"spec": {"size": 5}}, options())
    assert out.action == write.UPDATED


@pytest.mark.parametrize(
    ("made_failure", "message"),
    [
        (failure.not_found("pods", "", "x"), 'pods "x" not found'),
        (failure.already_exists("things", "argosy.test", "x"), 'things.argosy.test "x" already exists'),
        (
            failure.access_denied("jane", "list", "pods", "", "dev", ""),
            'pods is forbidden: User "jane" cannot list resource "pods" in API group "" in the namespace "dev"',
        ),
        (
            failure.access_denied("jane", "get", "nodes", "", "", "n1"),
            'nodes "n1" is forbidden: User "jane" cannot get resource "nodes" in API group "" at the cluster scope',
        ),
        (
            failure.method_not_allowed("things", "argosy.test", "patch"),
            'patch is not supported on resources of kind "things.argosy.test"',
        ),
    ],
)
def test_texts_that_clients_match_on(made_failure: ApiFailure, message: str) -> None:
    status = made_failure.to_status()
    assert status["message"] == message
    assert (status["kind"], status["status"], status["code"]) == ("Status", "Failure", made_failure.code)
