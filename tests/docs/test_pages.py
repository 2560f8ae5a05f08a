"""The pages say what is so: links lead somewhere, named files exist, the commands' page is that of the commands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.cli import page

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / "docs").glob("*.md"),
]
PATH = re.compile(r"`((?:argosy|hub|agent|proto|deploy|tests|docs|examples)/[\w./-]*)`")
"""A path of the repository in backquotes; `docs/cli.md` and `hub/core/` alike."""


def links(text: str) -> Iterator[str]:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
        if "://" not in target:
            yield target


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_and_named_files_exist(file: Path) -> None:
    text = file.read_text()
    dead = [target for target in links(text) if not (file.parent / target).exists()]
    dead += [named for named in PATH.findall(text) if not (ROOT / named).exists()]
    assert not dead


def test_every_package_has_its_place_on_the_map() -> None:
    """By its path, or by its name behind that of the folder it is in."""
    section = (
        (ROOT / "docs/architecture.md").read_text().partition("\n## The packages\n")[2].partition("\n## ")[0]
    )
    named = set(re.findall(r"`([\w/]+/)`", section))
    packages = [
        f"{found.parent.relative_to(ROOT)}/"
        for top in ("argosy", "hub", "agent")
        for found in (ROOT / top).glob("*/**/__init__.py")
    ]
    assert len(packages) > 40
    lost = [each for each in packages if not {each, each.rstrip("/").rpartition("/")[2] + "/"} & named]
    assert not lost


def test_the_page_of_the_command_is_what_the_command_says() -> None:
    assert (ROOT / "docs/cli.md").read_text() == page.render(), "run: python -m hub.cli.page > docs/cli.md"


def test_the_first_screen_has_what_one_looks_for_there() -> None:
    first = "\n".join((ROOT / "README.md").read_text().splitlines()[:45])
    for wanted in ("make demo", "make test", "agent", "What works today"):
        assert wanted in first
