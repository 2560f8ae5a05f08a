"""What people type who come from Argo CD or kubectl is answered with what does it here."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command

from hub.cli import commands, elsewhere, offline
from hub.cli.errors import Usage
from hub.cli.wait import lifetime


def ours() -> set[tuple[str, ...]]:
    """The first words of all commands that there are."""
    found: set[tuple[str, ...]] = set()
    for name, command in get_command(commands.app).commands.items():  # type: ignore[attr-defined]
        found.add((name,))
        found |= {(name, part) for part in getattr(command, "commands", {})}
    return found


def test_no_command_of_ours_is_said_to_be_none() -> None:
    assert not ours() & set(elsewhere.INSTEAD)
    assert not any(offline.named(words) for words in elsewhere.INSTEAD)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (["app", "get", "web"], "`argosy app get` is no command; use `argosy app show NAME`"),
        (["proj", "list"], "kubectl get|edit|delete appproj"),
        (["app", "show", "get"], ""),
        (["app"], ""),
        ([], ""),
    ],
)
def test_words_of_others(line: list[str], said: str) -> None:
    found = elsewhere.instead(line)
    assert said in found
    assert bool(said) == bool(found)


def test_the_command_says_so_with_the_code_of_usage() -> None:
    line = [
        sys.executable,
        "-c",
        "import sys; sys.argv[1:] = ['app', 'wait', 'web']; import hub.cli.main as m; m.main()",
    ]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: `argosy app wait` is no command; use `argosy wait app/NAME`\n"


@pytest.mark.parametrize(("text", "seconds"), [("3600", 3600), ("30m", 1800), ("1h", 3600)])
def test_lives_of_tokens(text: str, seconds: int) -> None:
    assert lifetime(text, 3600) == seconds


@pytest.mark.parametrize("text", ["59", "2h", "soon"])
def test_a_life_that_cannot_be_is_a_usage_error(text: str) -> None:
    with pytest.raises(Usage):
        lifetime(text, 3600)
