"""Every case under `tests/cases/expand`: what Argo CD 3.6 makes of a set, through the offline command."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from argosy import yamlio
from hub.cli import appset_generate

CASES = Path(__file__).parents[1] / "cases/expand"


def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[Any], list[str]]:
    given = {
        name: str(folder / f"{name}.yaml")
        for name in ("clusters", "objects")
        if (folder / f"{name}.yaml").exists()
    }
    repos = [f"https://git.test/fleet.git={folder / 'repo'}"] if (folder / "repo").exists() else []
    code = appset_generate.generate(str(folder / "appset.yaml"), repos=repos, output="json", **given)
    out, err = capsys.readouterr()
    return code, orjson.loads(out)["items"], [line for line in err.splitlines() if line.startswith("error: ")]


def matches(found: Any, wanted: Any) -> bool:
    """Whether `found` has all that `wanted` names; "absent" wants a key to be missing."""
    if not isinstance(wanted, dict):
        return bool(found == wanted)
    return all(
        (key not in found) if item == "absent" else (key in found and matches(found[key], item))
        for key, item in wanted.items()
    )


@pytest.mark.parametrize("name", sorted(folder.name for folder in CASES.iterdir() if folder.is_dir()))
def test_case(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = yamlio.load_first((CASES / name / "expected.yaml").read_bytes(), source=name)
    code, apps, errors = run(CASES / name, capsys)
    assert [app["metadata"]["name"] for app in apps] == [app["metadata"]["name"] for app in wanted["apps"]]
    for app, expected in zip(apps, wanted["apps"], strict=True):
        assert matches(app, expected), (app, expected)
    problems = wanted.get("problems", [])
    assert len(errors) == len(problems)
    for line, text in zip(errors, problems, strict=True):
        assert text in line
    assert code == (appset_generate.PROBLEMS if problems else appset_generate.OK)
