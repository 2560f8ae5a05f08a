"""`argosy app render`: exit codes, and the same objects from a repository and from a folder."""

from __future__ import annotations

import json
from pathlib import Path

import orjson
import pytest
from githttp import commit, create
from render_case import application, config_map

from hub.cli import app_render


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "app.yaml"
    path.write_bytes(orjson.dumps(application("x")))
    return path


def test_a_folder_and_a_repository_give_the_same(
    app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repo = create(tmp_path, "repo")
    commit(repo, {"x/a.yaml": config_map("a"), "x/b.yaml": config_map("b")})
    folder = tmp_path / "folder"
    (folder / "x").mkdir(parents=True)
    for name in "ab":
        (folder / f"x/{name}.yaml").write_text(config_map(name))
    shown = []
    for place in (repo, folder):
        assert (
            app_render.render(str(app), repos=[f"https://git.example.com/a.git={place}"], output="json") == 0
        )
        shown.append(json.loads(capsys.readouterr().out))
    assert shown[0] == shown[1]
    assert [each["metadata"]["name"] for each in shown[0]["items"]] == ["a", "b"]
    assert shown[0]["items"][0]["metadata"]["namespace"] == "there"


def test_exit_codes(app: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app_render.render(str(tmp_path / "absent.yaml")) == 1
    (tmp_path / "other.yaml").write_text(config_map())
    assert app_render.render(str(tmp_path / "other.yaml")) == 1
    assert app_render.render(str(app), repos=["nonsense"]) == 1
    assert app_render.render(str(app)) == 2
    assert app_render.render(str(app), repos=[f"https://git.example.com/a={tmp_path}/absent"]) == 2
    (tmp_path / "x").mkdir()
    (tmp_path / "x/bad.yaml").write_text(config_map() + "---\napiVersion: v1\nmetadata: {}\n")
    assert app_render.render(str(app), repos=[f"https://git.example.com/a={tmp_path}"]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "x/bad.yaml: document 2: kind is missing" in told.err
