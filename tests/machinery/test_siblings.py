"""An object made after a model is the object that the whole way gives, and is refused where that refuses it."""

from __future__ import annotations

import copy
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from argosy.machinery import write
from argosy.machinery.failure import ApiFailure
from argosy.machinery.kinds import Place
from argosy.machinery.siblings import Siblings
from argosy.machinery.write import Options, Outcome
from hub.core.served import table

KIND = table.APPLICATION.kind


def application(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": name,
            "namespace": "argocd",
            "labels": {"region": "r1"},
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://x", "path": "a", "targetRevision": "main"},
            "destination": {"server": "https://one", "namespace": "shop"},
            "syncPolicy": {"automated": {"prune": True}, "syncOptions": ["CreateNamespace=true"]},
            **spec,
        },
    }


def release(**spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Release",
        "metadata": {"name": "shop-1", "namespace": "argocd"},
        "spec": {
            "owner": {"kind": "ApplicationSet", "name": "shop", "uid": "u1"},
            "number": 1,
            "commits": [{"repo": "https://x", "revision": "main", "commit": "c1"}],
            "applications": [moved("one")],
            "changed": 1,
            "truncated": False,
            "previous": "shop-0",
            "reason": "labels",
            **spec,
        },
    }


def moved(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "uid": f"uid of {name}", "cluster": "c1", "bundle": "b1", "revision": "c1", **more}


def event(**fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "shop.1", "namespace": "argocd"},
        "involvedObject": {"apiVersion": "v1", "kind": "Application", "name": "shop", "uid": "u1"},
        "type": "Normal",
        "reason": "Released",
        "message": "release shop-1",
        "source": {"component": "someone"},
        "firstTimestamp": "2026-01-01T00:00:00Z",
        "count": 1,
        **fields,
    }


KINDS = {"Application": KIND, "Release": table.RELEASE.kind, "Event": table.EVENT.kind}


def outcome(create: Any, body: dict[str, Any], uid: str, now: str) -> Outcome | str:
    place = Place(KINDS[body["kind"]], "argocd", body["metadata"].get("name") or "")
    try:
        made: Outcome = create(place, copy.deepcopy(body), Options("someone", now, uid=uid, suffix="abcde"))
    except ApiFailure as failure:
        return str(failure)
    return made


changes = st.one_of(
    st.tuples(st.just(("metadata", "name")), st.sampled_from(["two", "a" * 260, "Bad_Name", "", "x.y"])),
    st.tuples(
        st.just(("metadata", "labels")),
        st.sampled_from([{"region": "r2"}, {"region": "not good!"}, {"b": "c"}]),
    ),
    st.tuples(st.just(("metadata", "annotations")), st.sampled_from([{"a": "b"}, {}])),
    st.tuples(st.just(("metadata", "finalizers")), st.sampled_from([["a/b"], ["a/b", "a/b"], ["bad"]])),
    st.tuples(st.just(("spec", "project")), st.sampled_from(["other", "", 1, None])),
    st.tuples(st.just(("spec", "source", "path")), st.sampled_from(["b", "", True, {"x": 1}])),
    st.tuples(st.just(("spec", "source", "unknown")), st.just("x")),
    st.tuples(st.just(("spec", "destination", "server")), st.sampled_from(["https://two", 5, ["x"]])),
    st.tuples(st.just(("spec", "syncPolicy", "automated", "prune")), st.sampled_from([False, 1, "true"])),
    st.tuples(st.just(("spec", "syncPolicy", "syncOptions")), st.sampled_from([[], ["A=1", "A=1"], ["B=2"]])),
    st.tuples(st.just(("spec", "revisionHistoryLimit")), st.sampled_from([1, "1", 1.0, True])),
)


@settings(max_examples=150, deadline=None)
@given(steps=st.lists(st.lists(changes, max_size=3), min_size=1, max_size=5))
def test_after_a_model_or_not_the_outcome_is_the_same(steps: list[list[tuple[tuple[str, ...], Any]]]) -> None:
    siblings = Siblings()
    for number, step in enumerate([[], *steps]):
        body = application("one")
        for path, value in step:
            target = body
            for name in path[:-1]:
                target = target[name]
            target[path[-1]] = value
        same_as_whole(siblings, body, number)


def same_as_whole(siblings: Siblings, body: dict[str, Any], number: int) -> None:
    """Compared as JSON: 1, 1.0 and true are equal to Python."""
    now = f"2026-01-01T00:00:0{number}Z"
    found = outcome(siblings.create, body, f"u{number}", now)
    wanted = outcome(write.create, body, f"u{number}", now)
    assert found == wanted
    assert orjson.dumps(getattr(found, "object", None)) == orjson.dumps(getattr(wanted, "object", None))


RELEASES = st.fixed_dictionaries(
    {},
    optional={
        "owner": st.sampled_from([{"kind": "Application", "name": "a", "uid": "u"}, {"kind": "", "uid": 1}]),
        "number": st.sampled_from([2, 2**62, 2.0, 2.5, True, "2", None]),
        "commits": st.sampled_from(
            [[], [{"repo": "y", "revision": "", "commit": "c"}] * 2, [{}], ["c"], [None]]
        ),
        "applications": st.lists(
            st.sampled_from(
                [
                    moved("two"),
                    moved("", uid=None),
                    moved("three", bundle=1),
                    moved("four", unknown="x"),
                    {"name": "five"},
                    None,
                    "six",
                ]
            ),
            max_size=3,
        ),
        "truncated": st.sampled_from([True, 1, None]),
        "reason": st.sampled_from(["join", "", 5]),
        "unknown": st.just(1),
    },
)
EVENTS = st.fixed_dictionaries(
    {},
    optional={
        "involvedObject": st.sampled_from(
            [
                {"apiVersion": "v1", "kind": "Cluster", "name": "c", "uid": "u2"},
                {"apiVersion": "v1", "kind": "Cluster", "name": "", "uid": "u2"},
                {"apiVersion": "v1", "kind": 1, "name": "c", "uid": "u2"},
                {"kind": "Cluster", "extra": "x"},
                {},
                None,
            ]
        ),
        "reason": st.sampled_from(["Other", "", None, 1]),
        "message": st.sampled_from(["another", "", ["x"], {}]),
        "source": st.sampled_from([{"component": "x"}, {"component": ""}, {"component": None}, {}]),
        "firstTimestamp": st.sampled_from(["2027-01-01T00:00:00Z", "", 1, None]),
        "count": st.sampled_from([0, 2, 1.0, "1", True]),
        "labels": st.just("x"),
    },
)


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(RELEASES, min_size=1, max_size=5))
@example([{"number": 2.0}, {"number": 2.5}])
@example([{"applications": [moved("two", other="x")]}, {"applications": [moved("three", other="x")]}])
def test_a_release_is_the_same(steps: list[dict[str, Any]]) -> None:
    siblings = Siblings()
    for number, spec in enumerate([{}, *steps]):
        same_as_whole(siblings, release(**spec), number)


@settings(max_examples=200, deadline=None)
@given(steps=st.lists(EVENTS, min_size=1, max_size=5))
def test_an_event_is_the_same(steps: list[dict[str, Any]]) -> None:
    siblings = Siblings()
    for number, fields in enumerate([{}, *steps]):
        same_as_whole(siblings, event(**fields), number)


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The creates that took the whole way."""
    found, original = [], write.create

    def counted(*arguments: Any) -> Outcome:
        found.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(write, "create", counted)
    return found


def test_most_of_a_set_is_made_after_its_first(whole: list[Any]) -> None:
    siblings = Siblings()
    for number in range(50):
        body = application(f"app-{number}", project=f"p{number}")
        outcome(siblings.create, body, str(number), "2026-01-01T00:00:00Z")
    assert len(whole) == 1


def test_what_tells_of_a_change_is_made_after_the_first_of_its_form(whole: list[Any]) -> None:
    siblings = Siblings()
    for number in range(1, 20):
        apps = [moved(f"app-{n}") for n in range(number)]
        now = f"2026-01-01T00:00:{number:02}Z"
        outcome(siblings.create, release(number=number, changed=number, applications=apps), str(number), now)
        outcome(siblings.create, event(message=f"release {number}", firstTimestamp=now), str(number), now)
    assert len(whole) == 2
