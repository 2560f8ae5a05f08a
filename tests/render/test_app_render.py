"""`argosy app render`: exit codes, and the same objects from a repository and from a folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import orjson
import pytest
from chart_case import packed
from chartserver import IndexRepository
from githttp import commit, create
from render_case import application, config_map

from argosy import yamlio
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


def test_what_stays_unsupported_is_refused_by_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    app = tmp_path / "app.yaml"
    app.write_bytes(orjson.dumps(application("x", plugin={"name": "p"})))
    assert app_render.render(str(app)) == 1
    assert (
        "spec.source.plugin: config management plugins are not supported: let CI" in capsys.readouterr().err
    )


@pytest.mark.usefixtures("helm")
class TestCharts:
    @pytest.fixture
    def app(self, tmp_path: Path) -> Path:
        """A chart of a repository with values of another source."""
        app = application()
        app["spec"]["sources"] = [
            {
                "repoURL": "https://charts.example.com/stable",
                "chart": "web",
                "targetRevision": "1.x",
                "helm": {"valueFiles": ["$values/prod.yaml"]},
            },
            {"repoURL": "https://git.example.com/values", "ref": "values"},
        ]
        path = tmp_path / "app.yaml"
        path.write_bytes(orjson.dumps(app))
        values = tmp_path / "values"
        values.mkdir()
        (values / "prod.yaml").write_text("env: prod\n")
        return path

    def shown(
        self, app: Path, capsys: pytest.CaptureFixture[str], *repos: str, **more: Any
    ) -> dict[str, str]:
        code = app_render.render(str(app), repos=repos, output="json", **more)
        told = capsys.readouterr()
        assert code == 0, told.err
        (found,) = json.loads(told.out)["items"]
        return (
            {**found["data"], **found["metadata"]["labels"]}
            if "labels" in found["metadata"]
            else found["data"]
        )

    def test_from_a_folder_of_archives(self, app: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = app.parent / "charts"
        folder.mkdir()
        for version in ("1.0.0", "1.4.0", "2.0.0"):
            (folder / f"web-{version}.tgz").write_bytes(packed("web", version))
        values = f"https://git.example.com/values={app.parent}/values"
        found = self.shown(app, capsys, values, f"https://charts.example.com/stable={folder}")
        assert found["chart"] == "web-1.4.0"
        assert json.loads(found["values"]) == {"from": "chart", "env": "prod"}

    def test_from_where_it_is_with_the_credentials_given(
        self, app: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        server = IndexRepository(("me", "s3cret"))
        server.publish("web", "1.7.0", packed("web", "1.7.0"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(app.parent / "cache"))
        app.write_text(app.read_text().replace("https://charts.example.com/stable", server.repository))
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "s", "labels": {"argocd.argoproj.io/secret-type": "repository"}},
            "stringData": {
                "type": "helm",
                "url": server.repository,
                "username": "me",
                "password": "s3cret",
            },
        }
        tracking = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "argocd-cm"},
            "data": {"application.resourceTrackingMethod": "label"},
        }
        held = app.parent / "held.yaml"
        held.write_text(yamlio.dump_all([secret, tracking]))
        values = f"https://git.example.com/values={app.parent}/values"
        assert app_render.render(str(app), repos=[values]) == 2
        assert "401" in capsys.readouterr().err
        found = self.shown(app, capsys, values, objects=str(held))
        assert (found["chart"], found["app.kubernetes.io/instance"]) == ("web-1.7.0", "app")
        server.close()


def test_fields_that_nobody_knows_are_told_and_nothing_is_rendered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = application("x", directory={"recurse": "yes", "incluude": "*"}, helmm={})
    del manifest["spec"]["destination"]
    path = tmp_path / "app.yaml"
    path.write_bytes(orjson.dumps(manifest))
    assert app_render.render(str(path), repos=[f"https://git.example.com/a={tmp_path}"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    for message in (
        "app.yaml: spec.source.directory.recurse: expected a boolean, found the string 'yes'",
        "spec.source.directory.incluude: unknown field, did you mean include?",
        "spec.source.helmm: unknown field, did you mean helm?",
    ):
        assert message in told.err
