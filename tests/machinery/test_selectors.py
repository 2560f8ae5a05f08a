"""Label and field selectors."""

from __future__ import annotations

import pytest

from argosy.machinery import selector
from argosy.machinery.failure import ApiFailure

LABELS = {"app": "web", "tier": "front", "n": "5", "empty": ""}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("", True),
        ("app=web", True),
        ("app==web,tier=front", True),
        ("app=api", False),
        ("app!=api", True),
        ("none!=x", True),
        ("app in (web, api)", True),
        ("app notin (web)", False),
        ("none notin (x)", True),
        ("app", True),
        ("none", False),
        ("!none", True),
        ("! app", False),
        ("n>4", True),
        ("n<5", False),
        ("app>1", False),
        ("empty=", True),
        ("empty in ()", True),
        ("x.example.com/y notin (a,b),app", True),
    ],
)
def test_text(text: str, matches: bool) -> None:
    assert selector.parse(text)(LABELS) is matches


@pytest.mark.parametrize(
    "text", ["=a", "a in b", "a in (b", "a,", "a b", "a=b=c", "-bad=x", "a=bad value!", "in in"]
)
def test_text_that_is_none(text: str) -> None:
    with pytest.raises(ApiFailure) as caught:
        selector.parse(text)
    assert caught.value.code == 400


def test_fields() -> None:
    known = selector.metadata_fields(namespaced=True)
    manifest = {"metadata": {"name": "one", "namespace": "default"}}
    assert selector.parse_fields("metadata.name=one,metadata.namespace!=kube-system", known)(manifest)
    assert not selector.parse_fields("metadata.name!=one", known)(manifest)
    with pytest.raises(ApiFailure, match=r"field label not supported: spec\.x"):
        selector.parse_fields("spec.x=1", known)
