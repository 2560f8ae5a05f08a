"""An object made after a model is the object that the whole way gives, and is refused where that refuses it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
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


def outcome(create: Any, body: dict[str, Any], uid: str, now: str) -> Outcome | str:
    place = Place(KIND, "argocd", body["metadata"].get("name") or "")
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
        now = f"2026-01-01T00:00:0{number}Z"
        assert outcome(siblings.create, body, f"u{number}", now) == outcome(
            write.create, body, f"u{number}", now
        )


def test_most_of_a_set_is_made_after_its_first(monkeypatch: pytest.MonkeyPatch) -> None:
    siblings, whole = Siblings(), []

    def counted(*arguments: Any) -> Outcome:
        whole.append(arguments)
        return original(*arguments)

    original = write.create
    monkeypatch.setattr(write, "create", counted)
    for number in range(50):
        outcome(
            siblings.create,
            application(f"app-{number}", project=f"p{number}"),
            str(number),
            "2026-01-01T00:00:00Z",
        )
    assert len(whole) == 1
