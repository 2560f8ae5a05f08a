"""Patterns of value files find what bmatcuk/doublestar finds, in its order."""

from __future__ import annotations

import pytest

from hub.core.matching import doublestar

FILES = [
    "a.yaml", "b.yaml", "b.yml", "x-1.yaml", "[c].yaml", "d*.yaml",
    "sub/a.yaml", "sub/z.yaml", "sub/.d/a.yaml", "sub/deep/er/a.yaml", "sub2/a.yaml",
]  # fmt: skip


def listing(folder: str) -> dict[str, bool] | None:
    start = f"{folder}/" if folder else ""
    inside = [path[len(start) :] for path in FILES if path.startswith(start)]
    return {path.partition("/")[0]: "/" in path for path in sorted(inside)} if inside else None


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("*.yaml", ["[c].yaml", "a.yaml", "b.yaml", "d*.yaml", "x-1.yaml"]),
        ("*/a.yaml", ["sub/a.yaml", "sub2/a.yaml"]),
        ("**/a.yaml", ["a.yaml", "sub/a.yaml", "sub/.d/a.yaml", "sub/deep/er/a.yaml", "sub2/a.yaml"]),
        ("sub/**", ["sub/.d/a.yaml", "sub/a.yaml", "sub/deep/er/a.yaml", "sub/z.yaml"]),
        ("sub/**/er/*", ["sub/deep/er/a.yaml"]),
        ("b.{yml,yaml}", ["b.yaml", "b.yml"]),
        ("{sub2,sub}/*.yaml", ["sub/a.yaml", "sub/z.yaml", "sub2/a.yaml"]),
        ("{sub/,}*.yaml", ["sub/a.yaml", "sub/z.yaml"]),
        ("{,sub/}a.yaml", ["a.yaml", "sub/a.yaml"]),
        ("{a,{b,x-1}}.yaml", ["a.yaml", "b.yaml", "x-1.yaml"]),
        ("[!a].yaml", ["b.yaml"]),
        ("[^b].yaml", ["a.yaml"]),
        ("[b-x]-[0-9].yaml", ["x-1.yaml"]),
        ("x[a-]1.yaml", ["x-1.yaml"]),
        (r"\[c\].yaml", ["[c].yaml"]),
        (r"d\*.yaml", ["d*.yaml"]),
        (r"[\[]c*", ["[c].yaml"]),
        ("*", ["[c].yaml", "a.yaml", "b.yaml", "b.yml", "d*.yaml", "x-1.yaml"]),
        ("absent/*.yaml", []),
        ("a**.yaml", ["a.yaml"]),
    ],
)
def test_what_is_found_and_in_which_order(pattern: str, found: list[str]) -> None:
    assert doublestar.find(pattern, listing) == found


@pytest.mark.parametrize("pattern", ["[", "[a", "[]a]", "[!]", "{a", "a}", "a\\", "{a,{b}"])
def test_malformed_patterns_are_told(pattern: str) -> None:
    with pytest.raises(ValueError):
        doublestar.find(pattern, listing)


def test_folders_in_circles_come_to_an_end() -> None:
    with pytest.raises(ValueError, match="folders inside each other"):
        doublestar.find("**", lambda folder: {"again": True})
