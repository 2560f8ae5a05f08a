"""Offline commands start fast: nothing heavy is imported before a command asks for it."""

from __future__ import annotations

import subprocess
import sys

HEAVY = {
    "aiohttp",
    "asyncio",
    "git",
    "grpc",
    "gotpl",
    "kubernetes",
    "rich",
    "sqlite3",
    "starlette",
    "structlog",
    "uvicorn",
}


def test_no_command_pays_for_the_imports_of_another() -> None:
    code = "import sys, hub.cli.main; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert not HEAVY & set(found.split())
