"""The examples of the pages on removals and day two are accepted by a hub as they stand, and their commands exist."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import hubs
import pytest
import typer

from argosy import yamlio
from argosy.objects import Manifest
from hub.assembly import Hub
from hub.cli import commands
from hub.core.access import rbac
from hub.core.served import table

PAGES = [Path(__file__).parents[2] / "docs" / name for name in ("removals.md", "day-two.md")]


def blocks(language: str) -> list[str]:
    return [
        found
        for page in PAGES
        for found in re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)
    ]


def manifests() -> list[Manifest]:
    return [item for text in blocks("yaml") for item in yamlio.load_all(text, source="docs") if item]


async def test_every_manifest_is_accepted(hub: Hub) -> None:
    found = manifests()
    assert {item["kind"] for item in found} == {
        "ApplicationSet",
        "Freeze",
        "AppProject",
        "Cluster",
        "ConfigMap",
    }
    for item in found:
        group = item["apiVersion"].partition("/")[0] if "/" in item["apiVersion"] else ""
        (served,) = [one for one in table.SERVED if (one.kind.group, one.kind.kind) == (group, item["kind"])]
        await hubs.add(hub, served, item)
    policy = next(item for item in found if item["metadata"]["name"] == rbac.CONFIG_MAP)
    read = rbac.of_config(policy["data"], [])
    assert read.allows("ann", ["shop-team"], "applications", "sync", "shop/web")
    assert not read.allows("ann", ["shop-team"], "applications", "sync", "shop/payment")


def command_of(words: list[str]) -> tuple[Any, list[str]]:
    """The command that a line means, and the rest of the line."""
    found: Any = typer.main.get_command(commands.app)
    while words and words[0] in getattr(found, "commands", {}):
        found, words = found.commands[words[0]], words[1:]
    return found, words


LINES = [
    line.removeprefix("$ argosy ").strip()
    for text in blocks("console")
    for line in text.splitlines()
    if line.startswith("$ argosy ")
]


@pytest.mark.parametrize("line", LINES)
def test_every_command_exists_with_its_flags(line: str) -> None:
    words = re.findall(r'"[^"]*"|\S+', line)
    found, rest = command_of(words)
    assert found.name != "argosy"
    flags = {flag for parameter in found.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in rest if word.startswith("--")} <= flags
