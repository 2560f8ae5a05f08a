"""Expressions that users write for names are answered in bounded time."""

from __future__ import annotations

import time

import pytest

from hub.core import expressions
from hub.core.access import rbac
from hub.core.projects.projects import permits_namespace

HOSTILE = [
    "(a+)+$",
    "^(a|a)*$",
    "(a*)*b",
    "a*a*a*a*a*a*a*a*b",
    "(?:a{1,}){1,}$",
    "^(([a-z])+.)+[A-Z]([a-z])+$",
    "^" + "a?" * 60 + "b",
    "^" + "a{0,60}" * 8 + "b",
    "^" + "(a|a)" * 60 + "b",
]


@pytest.mark.parametrize("expression", HOSTILE)
def test_a_hostile_one_costs_little(expression: str) -> None:
    began = time.thread_time()
    assert not expressions.found(expression, "a" * 200 + "!")
    assert time.thread_time() - began < 5


@pytest.mark.parametrize("expression", ["(?=a)(a+)+$", r"(a)(\1+)+$"])
def test_one_that_is_hostile_and_needs_backtracking_matches_nothing(expression: str) -> None:
    began = time.thread_time()
    assert not expressions.found(expression, "a" * 60)
    assert time.thread_time() - began < 5


@pytest.mark.parametrize(
    ("expression", "text", "expected"),
    [
        ("^team-[0-9]+$", "team-12", True),
        ("^team-[0-9]+$", "team-x", False),
        ("^(red|blue)-.*$", "blue-1", True),
        ("^(?!kube-).*$", "kube-system", False),
        ("^(?!kube-).*$", "shop", True),
        ("^(?!(kube-system|kube-public|kube-node-lease|default|argocd)$).*$", "shop-" + "a" * 58, True),
        ("^(?!(kube-system|kube-public|kube-node-lease|default|argocd)$).*$", "argocd", False),
        (r"^a\*+$", "a**", True),
        ("^(team-)?[a-z]+(-[0-9]+)*$", "team-a-1-2", True),
        ("a.*b.*c.*d", "xaxbxcxdx", True),
        ("[", "x", False),
        ("(a+)+[", "a", False),
    ],
)
def test_what_matches(expression: str, text: str, expected: bool) -> None:
    assert expressions.found(expression, text) is expected


def test_policies_and_projects_ask_so() -> None:
    policy = rbac.parse("p, u, applications, get, (a+)+$, allow", regex=True)
    began = time.thread_time()
    assert not policy.allows("u", (), "applications", "get", "a" * 60 + "!")
    project = {"metadata": {"name": "p"}, "spec": {"sourceNamespaces": ["/(a+)+$/"]}}
    assert not permits_namespace(project, "a" * 60 + "-", "argocd")
    assert time.thread_time() - began < 5
