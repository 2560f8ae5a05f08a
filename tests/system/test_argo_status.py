"""An Application's status in Argo CD's shape, from Git to what the API shows: through hub, link and agent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hubs
import pytest
import spokes
from hubs import Repo, config_map
from spokes import System

from hub.core.served import table
from hub.core.views import views
from hub.store import shown

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: c, image: "web:1"}]}
"""
KUSTOMIZATION = "resources: [c.yaml]\n"


def app(repo: Repo, **spec: Any) -> dict[str, Any]:
    source = {"repoURL": repo.url, "targetRevision": "main", "path": "a"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "destination": {"name": "one", "namespace": "default"},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
            **({} if "sources" in spec else {"source": source}),
            **spec,
        },
    }


async def status(system: System) -> dict[str, Any]:
    found = (await hubs.listed(system.hub, table.APPLICATION))["web"]
    uid = found["metadata"]["uid"]
    joined = await system.read(lambda tx: shown.applications(tx, [uid]).get(uid))
    return (views.application(found, joined.view()).get("status") or {}) if joined else {}


async def deployed(system: System, count: int) -> dict[str, Any]:
    """The status once the history has so many entries and all is in sync."""

    async def there() -> dict[str, Any] | None:
        now = await status(system)
        done = len(now.get("history") or ()) == count and now["sync"]["status"] == "Synced"
        return now if done else None

    found: dict[str, Any] = await hubs.until(there, f"{count} syncs in the history")
    return found


async def test_history_operation_and_summary_follow_the_syncs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        first = repo.commit({"a/a.yaml": config_map("a"), "a/d.yaml": DEPLOYMENT})
        async with spokes.system(tmp_path, monkeypatch) as system:
            await system.join("one")
            manifest = app(repo, ignoreDifferences=[{"kind": "ConfigMap", "jsonPointers": ["/data/x"]}])
            await hubs.add(system.hub, table.APPLICATION, manifest)
            source = manifest["spec"]["source"]

            found = await deployed(system, 1)
            assert found["sourceType"] == "Directory"
            assert found["summary"] == {"images": ["web:1"]}
            assert found["sync"]["comparedTo"] == {
                name: manifest["spec"][name] for name in ("source", "destination", "ignoreDifferences")
            }
            (entry,) = found["history"]
            assert (entry["id"], entry["revision"], entry["source"]) == (0, first, source)
            assert entry["initiatedBy"] == {"automated": True}
            assert entry["deployStartedAt"] <= entry["deployedAt"] <= found["reconciledAt"]
            result = found["operationState"]["syncResult"]
            assert (result["revision"], result["source"]) == (first, source)

            second = repo.commit({"a/d.yaml": DEPLOYMENT.replace("web:1", "web:2")})
            system.pull()
            found = await deployed(system, 2)
            assert [one["revision"] for one in found["history"]] == [first, second]
            assert found["summary"] == {"images": ["web:2"]}

            asked = {"operation": {"initiatedBy": {"username": "eve"}, "sync": {"revision": second}}}
            await hubs.patch(system.hub, table.APPLICATION, "web", asked)
            found = await deployed(system, 3)
            assert found["history"][-1]["initiatedBy"] == {"username": "eve"}
            assert found["history"][-1]["id"] == 2

            await hubs.patch(system.hub, table.APPLICATION, "web", {"spec": {"revisionHistoryLimit": 1}})
            third = repo.commit({"a/a.yaml": None})
            system.pull()

            async def shortened() -> bool:
                history = (await status(system)).get("history") or []
                return [(one["id"], one["revision"]) for one in history] == [(3, third)]

            await hubs.until(shortened, "the history is cut to one entry")


async def test_several_sources_have_a_revision_and_a_kind_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        commit = repo.commit(
            {
                "a/a.yaml": config_map("a"),
                "k/kustomization.yaml": KUSTOMIZATION,
                "k/c.yaml": config_map("c"),
            }
        )
        repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "HEAD:refs/heads/other")
        at = {"repoURL": repo.url}
        sources = [
            {**at, "targetRevision": "main", "path": "a"},
            {**at, "targetRevision": "main", "ref": "values"},
            {**at, "targetRevision": "main", "path": "k"},
        ]
        async with spokes.system(tmp_path, monkeypatch) as system:
            await system.join("one")
            await hubs.add(system.hub, table.APPLICATION, app(repo, sources=sources))
            found = await deployed(system, 1)
            assert found["sourceTypes"] == ["Directory", "", "Kustomize"]
            assert "sourceType" not in found
            assert found["sync"]["revisions"] == [commit] * 3
            assert "source" not in found["sync"]["comparedTo"]
            (entry,) = found["history"]
            assert (entry["revisions"], entry["sources"]) == ([commit] * 3, sources)
            result = found["operationState"]["syncResult"]
            assert (result["revisions"], result["sources"]) == ([commit] * 3, sources)
            assert "revision" not in result

            # A commit that changes nothing they read is what they are at from now on; no sync, no entry.
            later = repo.commit({"README": "x"})
            system.pull()

            async def confirmed() -> bool:
                return bool((await status(system))["sync"]["revisions"] == [later] * 3)

            await hubs.until(confirmed, "the new commit is compared")
            assert len((await status(system))["history"]) == 1
