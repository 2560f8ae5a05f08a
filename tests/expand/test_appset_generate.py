"""The offline command: exit codes, what goes to which stream, where its inputs come from."""

from __future__ import annotations

import subprocess
from pathlib import Path

import orjson
import pytest

from argosy import yamlio
from hub.cli import appset_generate
from hub.cli.appset_generate import OK, PROBLEMS, UNUSABLE

SET = """
apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: s}
spec:
  generators:
  - git: {repoURL: https://git.test/fleet.git, revision: REV, directories: [{path: apps/*}]}
  template:
    metadata: {name: '{{path.basename}}'}
    spec: {project: default, source: {repoURL: r, path: '{{path}}'}, destination: {server: https://s}}
"""


def write(folder: Path, text: str, name: str = "set.yaml") -> str:
    (folder / name).write_text(text, "utf-8")
    return str(folder / name)


def git(folder: Path, *args: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *args], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path / "repo"
    (folder / "apps/web").mkdir(parents=True)
    (folder / "apps/web/x").write_text("")
    git(tmp_path, "init", "-q", "-b", "main", str(folder))
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "one")
    git(folder, "tag", "v1.2.0")
    (folder / "apps/api").mkdir()
    (folder / "apps/api/x").write_text("")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "two")
    (folder / "apps/uncommitted").mkdir()
    (folder / "apps/uncommitted/x").write_text("")
    return folder


@pytest.mark.parametrize(
    ("revision", "names"),
    [
        ("main", ["api", "web"]),
        ("HEAD", ["api", "web"]),
        ("v1.2.0", ["web"]),
        ("'1.*'", ["web"]),
        ("main~1", None),
    ],
)
def test_a_revision_is_resolved_in_a_repository(
    tmp_path: Path,
    repository: Path,
    capsys: pytest.CaptureFixture[str],
    revision: str,
    names: list[str] | None,
) -> None:
    file = write(tmp_path, SET.replace("REV", revision))
    code = appset_generate.generate(file, repos=[f"https://git.test/fleet={repository}"], output="name")
    out, err = capsys.readouterr()
    if names is None:
        assert (code, out) == (PROBLEMS, "")
        assert "unable to resolve 'main~1'" in err
    else:
        assert (code, out) == (OK, "".join(f"application.argoproj.io/{name}\n" for name in names))


def test_a_plain_folder_stands_for_every_revision(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "plain/apps/web").mkdir(parents=True)
    (tmp_path / "plain/apps/web/x").write_text("")
    file = write(tmp_path, SET.replace("REV", "whatever"))
    repos = [f"https://git.test/fleet.git={tmp_path / 'plain'}"]
    assert appset_generate.generate(file, repos=repos, output="yaml") == OK
    shown = yamlio.load_all(capsys.readouterr().out, source="out")
    assert [app["metadata"]["name"] for app in shown] == ["web"]
    assert appset_generate.generate(file, repos=repos) == OK
    assert orjson.loads(capsys.readouterr().out)["kind"] == "List"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: [", "set.yaml:2:"),
        ("kind: ConfigMap\napiVersion: v1\n", "holds no ApplicationSet"),
        (SET.replace("revision: REV, ", ""), "spec.generators[0].git.revision: required field is missing"),
        (SET.replace("name: s}", "name: s, labels: {a: 1}}"), "metadata.labels.a: expected a string"),
        (SET.replace("project: default, ", ""), "spec.template.spec.project: required field is missing"),
        ("- just\n- a list\n", "expected an ApplicationSet, found a list"),
    ],
)
def test_input_that_cannot_be_used_is_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str
) -> None:
    assert appset_generate.generate(write(tmp_path, text)) == UNUSABLE
    out, err = capsys.readouterr()
    assert out == ""
    assert words in err


@pytest.mark.parametrize(
    ("clusters", "words"),
    [
        ("data: {name: '%%'}", "secret 'c': data.name is not base64 of text"),
        ("stringData: {name: c, server: s}\n  labels: x", "c.yaml:"),
    ],
)
def test_a_broken_cluster_secret_is_exit_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], clusters: str, words: str
) -> None:
    head = "apiVersion: v1\nkind: Secret\nmetadata: {name: c, labels: {argocd.argoproj.io/secret-type: cluster}}\n"
    file = write(tmp_path, SET.replace("REV", "main"))
    assert appset_generate.generate(file, clusters=write(tmp_path, head + clusters, "c.yaml")) == UNUSABLE
    assert words in capsys.readouterr().err


def test_a_file_that_is_not_there_and_a_repo_that_is_no_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert appset_generate.generate(str(tmp_path / "none.yaml")) == UNUSABLE
    file = write(tmp_path, SET.replace("REV", "main"))
    assert appset_generate.generate(file, repos=["https://x=/does/not/exist"]) == UNUSABLE
    assert appset_generate.generate(file, repos=["nonsense"]) == UNUSABLE
    assert "No such file" in capsys.readouterr().err


def test_a_key_that_stands_twice_and_other_slips_are_warnings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "apps").mkdir()
    text = SET.replace("REV", "main").replace("project: default,", "project: default, project: other,")
    file = write(tmp_path, text)
    assert appset_generate.generate(file, repos=[f"https://git.test/fleet={tmp_path / 'apps'}"]) == OK
    assert "warning: " in capsys.readouterr().err


def test_clusters_may_be_argosys_own_objects(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clusters = "apiVersion: argosy.dev/v1alpha1\nkind: Cluster\nmetadata: {name: c1, labels: {env: x}}\n"
    generators = "  - clusters: {selector: {matchLabels: {env: x}}}\n"
    head, _, rest = SET.partition("  - git")
    text = head + generators + rest.partition("\n")[2].replace("{{path.basename}}", "{{name}}")
    file = write(tmp_path, text)
    assert appset_generate.generate(file, clusters=write(tmp_path, clusters, "c.yaml"), output="name") == OK
    assert capsys.readouterr().out == "application.argoproj.io/c1\n"


def test_a_provider_that_cannot_be_reached_is_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = SET.replace(
        "git: {repoURL: https://git.test/fleet.git, revision: REV, directories: [{path: apps/*}]}",
        "pullRequest: {github: {owner: o, repo: r, api: 'http://127.0.0.1:1/'}}",
    )
    assert appset_generate.generate(write(tmp_path, text)) == PROBLEMS
    out, err = capsys.readouterr()
    assert orjson.loads(out)["items"] == []
    assert "spec.generators[0].pullRequest: http://127.0.0.1:1/api/v3/repos/o/r/pulls" in err
