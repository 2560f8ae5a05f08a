"""No address leads out of where a project's patterns are asked about it, and one that is none is its user's trouble."""

from __future__ import annotations

from pathlib import Path

import hubs
import pytest

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core import repos
from hub.core.apps import charts
from hub.core.served import table
from hub.store import apps


@pytest.mark.parametrize(
    "url",
    [
        "https://git.example.com/team/..",
        "https://git.example.com/team/../other/repo",
        "https://git.example.com/team/%2e%2E/other/repo",
        "https://git.example.com/team/..%2fother/repo",
        "https://git.example.com/team/..\\other",
        "https://git.example.com/./repo",
        "ssh://git@git.example.com/team/../other",
        "git@git.example.com:../other",
        "git@git.example.com:team/../other",
    ],
)
def test_a_repository_is_where_its_address_says(url: str) -> None:
    with pytest.raises(Invalid, match=r"'\.\.' are no part of a repository's address"):
        repos.parse(url)


@pytest.mark.parametrize(
    "repo", ["registry.example.com/team/..", "https://x.io/team/%2e%2e", "oci://x.io/../y"]
)
def test_so_is_a_chart(repo: str) -> None:
    with pytest.raises(Invalid, match="is no chart repository"):
        charts.address(repo, "other/web" if not repo.startswith("https") else "web", "spec.source")


def test_so_is_an_artifact() -> None:
    with pytest.raises(Invalid, match="expected oci://HOST/REPOSITORY"):
        charts.place("oci://registry.example.com/team/../other")


@pytest.mark.parametrize(
    "url", ["https://git.example.com/team/a..b/.github", "https://git.example.com/...", "git@host:~me/x"]
)
def test_dots_in_names_are_none_of_that(url: str) -> None:
    assert repos.parse(url).path


@pytest.mark.parametrize(
    "url", ["nonsense", "https://git.test:no-port/x", "https://[bad/x", "https://git.test/a/../x"]
)
async def test_what_is_no_address_stops_nobody_else(tmp_path: Path, url: str) -> None:
    def app(name: str, repo: str) -> Manifest:
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name, "namespace": "argocd"},
            "spec": {
                "project": "default",
                "source": {"repoURL": repo, "path": "apps/web"},
                "destination": {"name": "one", "namespace": "default"},
            },
        }

    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/a.yaml": hubs.config_map("web-a")})
        async with hubs.running(tmp_path / "hub") as hub:
            await hubs.add_cluster(hub, "one")
            await hubs.add(hub, table.APPLICATION, app("bad", url))
            await hubs.add(hub, table.APPLICATION, app("good", repo.url))

            async def told() -> bool:
                states = {state.name: state for state in await hub.store.read(apps.every)}
                return len(states) == 2 and bool(states["good"].bundle) and bool(states["bad"].problem)

            await hubs.until(told, "one is rendered, and the other says why it is not")
