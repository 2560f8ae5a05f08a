"""Offline commands start fast: nothing heavy is imported before a command asks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {
    "aiohttp",
    "asyncio",
    "git",
    "grpc",
    "gotpl",
    "kubernetes",
    "pydantic",
    "rich",
    "sqlite3",
    "starlette",
    "structlog",
    "typer",
    "uvicorn",
}


EXAMPLE = Path(__file__).parents[2] / "examples/guestbook.yaml"


def ran(line: list[str]) -> tuple[str, set[str]]:
    """What a command line prints, and which packages were imported for it."""
    code = f"""
import sys
import hub.cli.main
sys.argv = {line!r}
try:
    hub.cli.main.main()
except SystemExit as ended:
    assert ended.code == 0
print(*sorted({{name.partition(".")[0] for name in sys.modules}}))
"""
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    shown, modules = said.splitlines()
    return shown, set(modules.split())


def test_no_offline_command_pays_for_the_imports_of_others(tmp_path: Path) -> None:
    clusters = tmp_path / "clusters.yaml"
    clusters.write_text(
        "{apiVersion: argosy.dev/v1alpha1, kind: Cluster, metadata: {name: a, labels: {env: try}}}"
    )
    line = ["argosy", "appset", "generate", "-f", str(EXAMPLE), "--clusters", str(clusters), "-o", "name"]
    app, modules = ran(line)
    assert app == "application.argoproj.io/guestbook-a"
    assert not HEAVY & modules


@pytest.mark.parametrize("command", ["project check", "project windows", "rollout simulate"])
def test_nor_do_those_that_answer_questions(command: str, tmp_path: Path) -> None:
    questions = tmp_path / "questions.json"
    questions.write_text("[]")
    said, modules = ran(["argosy", *command.split(), "-f", str(questions), "-o", "json"])
    assert said == "[]"
    assert not HEAVY & modules


@pytest.mark.parametrize("command", ["app order", "app health"])
def test_nor_do_those_that_look_at_objects(command: str, tmp_path: Path) -> None:
    file = tmp_path / "none.yaml"
    file.write_text("")
    said, modules = ran(["argosy", *command.split(), "-f", str(file), "-o", "json"])
    assert said == "[]"
    assert not (HEAVY | {"lupa"}) & modules


def test_commands_that_ask_the_hub_import_few_of_its_decisions() -> None:
    code = (
        "import sys, hub.cli.commands; print(*(name for name in sys.modules if name.startswith('hub.core')))"
    )
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not {"hub.core.plans.change", "hub.core.served.argo", "hub.core.access.rbac"} & set(said.split())
