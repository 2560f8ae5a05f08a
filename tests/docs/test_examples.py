"""The examples are evaluated as users would, offline, by the command."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from argosy import yamlio
from argosy.objects import Manifest
from hub.cli import appset_generate

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def clusters(tmp_path: Path) -> str:
    file = tmp_path / "clusters.yaml"
    found = [
        {
            "apiVersion": "argosy.dev/v1alpha1",
            "kind": "Cluster",
            "metadata": {"name": name, "labels": {"env": env}},
            "spec": {"server": f"https://{name}.example.com"},
        }
        for name, env in (("one", "prod"), ("two", "staging"), ("three", "try"))
    ]
    file.write_text(yamlio.dump_all(found))
    return str(file)


def generated(
    capsys: pytest.CaptureFixture[str], file: str, clusters: str, repos: list[str]
) -> dict[str, Manifest]:
    code = appset_generate.generate(str(EXAMPLES / file), clusters=clusters, repos=repos)
    said = capsys.readouterr()
    assert code == 0, said.err
    return {item["metadata"]["name"]: item for item in orjson.loads(said.out)["items"]}


def test_the_guestbook_goes_to_clusters_with_its_label(
    capsys: pytest.CaptureFixture[str], clusters: str
) -> None:
    apps = generated(capsys, "guestbook.yaml", clusters, [])
    assert set(apps) == {"guestbook-three"}
    assert apps["guestbook-three"]["spec"]["destination"]["server"] == "https://three.example.com"


def test_environments_are_clusters_times_folders(
    capsys: pytest.CaptureFixture[str], clusters: str, tmp_path: Path
) -> None:
    for name in ("web", "queue", "drafts"):
        (tmp_path / "repo/apps" / name).mkdir(parents=True)
        (tmp_path / "repo/apps" / name / "a.yaml").write_text("{}")
    repo = f"https://git.example.com/fleet.git={tmp_path / 'repo'}"
    apps = generated(capsys, "environments.yaml", clusters, [repo])
    assert set(apps) == {
        f"{app}-{cluster}" for app in ("web", "queue") for cluster in ("one", "two", "three")
    }
    counts = {name: app["spec"]["source"]["kustomize"]["replicas"][0]["count"] for name, app in apps.items()}
    assert (str(counts["web-one"]), str(counts["web-two"])) == ("3", "1")


def test_every_example_is_on_the_list_and_every_file_on_the_list_is_there() -> None:
    listed = (EXAMPLES / "README.md").read_text()
    for file in EXAMPLES.glob("*.yaml"):
        assert f"({file.name})" in listed
