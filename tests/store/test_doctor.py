"""`argosy-hub doctor` names what is missing and what cannot be done without it."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub import doctor


def findings(folder: Path) -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine(folder)}


@pytest.fixture
def empty_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no program on it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("sys.executable", str(folder / "python"))
    return folder


@pytest.mark.usefixtures("empty_path")
def test_missing_tools_are_named_with_what_they_are_for(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert found["git"].ok is False
    assert {name for name, one in found.items() if one.ok is None} == {"kustomize", "helm", "argosy-agent"}
    assert found["helm"].text == "no helm on PATH: Helm sources cannot be rendered (helm 4 is needed)"
    assert "no kustomize and no kubectl on PATH" in found["kustomize"].text
    assert "--in-cluster" in found["argosy-agent"].text


def test_either_program_will_do_for_kustomizations(tmp_path: Path, empty_path: Path) -> None:
    program = empty_path / "kubectl"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    assert findings(tmp_path)["kustomize"] == doctor.Finding("kustomize", True, f"found {program}")


@pytest.mark.usefixtures("empty_path")
def test_only_what_is_needed_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor.report(doctor.examine(tmp_path)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines if " helm " in line] == ["note"]
