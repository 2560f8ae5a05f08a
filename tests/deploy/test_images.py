"""The Dockerfiles, read and not run: building an image needs a container runtime, which a test machine may
not have.
"""

from __future__ import annotations

import json
import re

import pytest
import yaml
from imagefolder import ROOT, Instruction, instructions
from testbed import binaries

PROGRAMS = ("hub", "agent")
CARRIED = {"hub": {"argosy", "hub", "agent"}, "agent": {"argosy", "agent"}}
LOCKED = {"hub": {"hub", "agent"}, "agent": {"agent"}}
HELM = "tests/support/testbed/modules/helm-4.3.1"
"""The hub builds helm from Go modules that are pinned by hash, the same as tests use."""


def last_stage(program: str) -> list[Instruction]:
    every = instructions(program)
    return [each for each in every if each.stage == every[-1].stage]


def words(program: str, word: str) -> list[str]:
    return [each.rest for each in instructions(program) if each.word == word]


def packages_copied(program: str) -> set[str]:
    """What of the repository gets into the image, by the first name of its path."""
    sources = (rest.split()[:-1] for rest in words(program, "COPY") if not rest.startswith("--from="))
    return {source.split("/")[0] for each in sources for source in each}


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_stage_starts_from_a_named_debian_slim_python(program: str) -> None:
    for base in words(program, "FROM"):
        if base.endswith(" AS helm"):
            assert re.fullmatch(r"golang:1\.\d+[.\d]*-trixie AS helm", base), base
        else:
            assert re.fullmatch(r"python:3\.11[.\d]*-slim-[a-z]+( AS [a-z]+)?", base), base


def test_helm_is_built_from_modules_that_are_pinned() -> None:
    (build,) = (run for run in words("hub", "RUN") if "go build" in run)
    assert "-mod=readonly" in build
    assert f"COPY {HELM} /src" in (ROOT / "deploy/hub/Dockerfile").read_text()
    version = HELM.rpartition("-")[2]
    assert version == binaries.HELM
    assert f"version=v{version}" in build
    module = (ROOT / HELM / "go.mod").read_text()
    assert f"helm.sh/helm/v4 v{version}" in module
    assert f"helm.sh/helm/v4 v{version} h1:" in (ROOT / HELM / "go.sum").read_text()


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_runs_as_a_user_that_the_kubelet_can_see_is_not_root(program: str) -> None:
    users = [each.rest for each in last_stage(program) if each.word == "USER"]
    assert users
    for user in users:
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user), "numbers, or runAsNonRoot cannot be checked"


@pytest.mark.parametrize("program", PROGRAMS)
def test_nothing_comes_from_addresses(program: str) -> None:
    assert words(program, "ADD") == []
    for run in words(program, "RUN"):
        assert not re.search(r"\b(curl|wget)\b|://", run)


@pytest.mark.parametrize("program", PROGRAMS)
def test_packages_are_installed_by_hash_only(program: str) -> None:
    installs = [run for run in words(program, "RUN") if re.search(r"\bpip\b.*\binstall\b", run)]
    assert installs
    for run in installs:
        assert "--require-hashes" in run
        assert "--no-cache-dir" in run


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_lists_of_apt_are_not_left_in_a_layer(program: str) -> None:
    for run in words(program, "RUN"):
        if "apt-get install" in run:
            assert "apt-get update" in run
            assert "--no-install-recommends" in run
            assert "rm -rf /var/lib/apt/lists/*" in run


@pytest.mark.parametrize("program", PROGRAMS)
def test_only_the_programs_own_packages_are_copied(program: str) -> None:
    others = {"tests"} if program == "hub" else set()
    assert packages_copied(program) == CARRIED[program] | {"requirements"} | others
    copied = " ".join(words(program, "COPY"))
    for name in LOCKED[program]:
        assert f"requirements/{name}.txt" in copied


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_copied_is_not_ignored(program: str) -> None:
    ignored = (ROOT / "deploy" / program / "Dockerfile.dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert set(ignored[1:]) == {
        *(f"!{name}" for name in CARRIED[program]),
        *(f"!requirements/{name}.txt" for name in LOCKED[program]),
        *([f"!{HELM}"] if program == "hub" else []),
        "**/__pycache__",
    }


@pytest.mark.parametrize("program", PROGRAMS)
def test_commands_are_lists_so_that_signals_reach_the_program(program: str) -> None:
    (entry,) = words(program, "ENTRYPOINT")
    (command,) = words(program, "CMD")
    assert json.loads(entry) == [f"argosy-{program}"]
    assert json.loads(command)
    assert len(words(program, "HEALTHCHECK")) == 1


@pytest.mark.parametrize("program", PROGRAMS)
def test_it_runs_without_writing_beside_its_volumes(program: str) -> None:
    environment = " ".join(words(program, "ENV"))
    assert "PYTHONDONTWRITEBYTECODE=1" in environment
    assert "HOME=/tmp" in environment
    assert any("compileall" in run for run in words(program, "RUN"))
    assert words(program, "VOLUME") in (["/data"], ["/state"])


def test_compose_gives_every_container_a_read_only_root() -> None:
    services = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())["services"]
    assert set(services) == {"hub", "join", "east", "west"}
    for name, service in services.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
    agents = [service for service in services.values() if service["image"].startswith("argosy-agent")]
    assert len(agents) == 2
    for agent in agents:
        assert "--memory" in agent["command"][0]
        assert not any(volume.startswith("hub:") for volume in agent["volumes"]), "the CA's key lies there"
