"""Offline commands start fast: nothing heavy is imported before a command asks for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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


def test_no_offline_command_pays_for_the_imports_of_others(tmp_path: Path) -> None:
    clusters = tmp_path / "clusters.yaml"
    clusters.write_text(
        "{apiVersion: argosy.dev/v1alpha1, kind: Cluster, metadata: {name: a, labels: {env: try}}}"
    )
    line = ["argosy", "appset", "generate", "-f", str(EXAMPLE), "--clusters", str(clusters), "-o", "name"]
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
    app, modules = said.splitlines()
    assert app == "application.argoproj.io/guestbook-a"
    assert not HEAVY & set(modules.split())
