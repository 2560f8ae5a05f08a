"""Finalizers say which phases an Application's removal has hooks for."""

from __future__ import annotations

import pytest

from hub.core.apps import finish, hooks
from hub.core.appsets import generated

PRE, POST = hooks.FINALIZERS["PreDelete"], hooks.FINALIZERS["PostDelete"]


@pytest.mark.parametrize(
    ("present", "phases", "expected"),
    [
        ([], set(), []),
        (["x"], {"PreDelete"}, ["x", PRE]),
        (["x", PRE], {"PreDelete", "PostDelete"}, ["x", PRE, POST]),
        ([PRE, f"{PRE}/cleanup", "x"], set(), ["x"]),
        ([f"{POST}/cleanup"], {"PostDelete"}, [f"{POST}/cleanup"]),
    ],
)
def test_finalizers_follow_the_bundle(present: list[str], phases: set[str], expected: list[str]) -> None:
    assert hooks.finalizers(present, frozenset(phases)) == expected
    assert set(hooks.phases(expected)) == phases


def test_cascading_finalizers_have_suffixes() -> None:
    assert hooks.cascades(["resources-finalizer.argocd.argoproj.io"])
    assert hooks.cascades(["x", "resources-finalizer.argocd.argoproj.io/background"])
    assert not hooks.cascades(["x", "resources-finalizer.argocd.argoproj.io.example.com", PRE])


def test_only_hooks_may_be_nameless() -> None:
    hook = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"generateName": "x-", "annotations": {"argocd.argoproj.io/hook": "PreSync"}},
    }
    done = finish.finish([hook], finish.Target("shop", "web"))
    assert done.problems == ()
    assert done.objects[0]["metadata"]["generateName"] == "x-"
    for notes in (None, [], {}, {"argocd.argoproj.io/hook": "Skip"}):
        plain = {**hook, "metadata": {"generateName": "x-", "annotations": notes}}
        problems = finish.finish([plain], finish.Target("shop", "web")).problems
        assert any("for hooks only" in problem.message for problem in problems)


def test_a_set_takes_no_approval_away() -> None:
    generated_app = {"metadata": {"name": "web", "namespace": "argocd"}, "spec": {"project": "default"}}
    notes = {"argocd.argoproj.io/deletion-approved": "2026-11-28T10:00:00Z", "mine": "x"}
    live = {"metadata": {"name": "web", "namespace": "argocd", "annotations": notes}, "spec": {}}
    identity = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet"}
    appset = {**identity, "metadata": {"name": "set", "uid": "u", "namespace": "argocd"}, "spec": {}}
    merged = generated.merge(live, generated_app, appset)
    assert merged["metadata"]["annotations"] == {
        "argocd.argoproj.io/deletion-approved": "2026-11-28T10:00:00Z"
    }
