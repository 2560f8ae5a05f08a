"""A user asks a manual application for a sync, ends one, approves a deletion: through hub, link and agent."""

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

HOOK = """
apiVersion: batch/v1
kind: Job
metadata:
  name: migrate
  annotations: {argocd.argoproj.io/hook: PreSync}
spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: slow}]}}}
"""


def app(repo: Repo, path: str, **policy: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": "web",
            "namespace": "argocd",
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": {
            "project": "default",
            "source": {"repoURL": repo.url, "targetRevision": "main", "path": path},
            "destination": {"name": "one", "namespace": "default"},
            "syncPolicy": policy,
        },
    }


async def state(system: System) -> dict[str, Any]:
    """`status.operationState` as the API shows it."""
    return (await shown_status(system)).get("operationState") or {}


async def shown_status(system: System) -> dict[str, Any]:
    """`status` as the API shows it."""
    found = (await hubs.listed(system.hub, table.APPLICATION))["web"]
    uid = found["metadata"]["uid"]
    joined = await system.read(lambda tx: shown.applications(tx, [uid]).get(uid))
    status: dict[str, Any] = views.application(found, joined.view())["status"] if joined else {}
    return status


async def ends(system: System, phase: str) -> dict[str, Any]:
    async def there() -> dict[str, Any] | None:
        now = await state(system)
        return now if now.get("phase") == phase else None

    found: dict[str, Any] = await hubs.until(there, f"operation {phase}")
    return found


async def ask(system: System, **sync: Any) -> None:
    await hubs.patch(system.hub, table.APPLICATION, "web", {"operation": {"sync": sync}})


async def test_a_manual_application_is_synced_when_asked_and_as_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        commit = repo.commit({"a/a.yaml": config_map("a"), "a/b.yaml": config_map("b")})
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            await hubs.add(system.hub, table.APPLICATION, app(repo, "a"))
            await hubs.settled(system.hub)

            await ask(system, dryRun=True)
            done = await ends(system, "Succeeded")
            assert done["operation"]["sync"] == {"dryRun": True, "revision": commit}
            assert spoke.ours() == {}

            await ask(system, resources=[{"group": "", "kind": "ConfigMap", "name": "b"}])
            await ends(system, "Succeeded")
            assert spoke.ours() == {"b": "1"}

            await ask(system, revision=commit)
            await ends(system, "Succeeded")
            assert spoke.ours() == {"a": "1", "b": "1"}
            assert "operation" not in (await hubs.listed(system.hub, table.APPLICATION))["web"]

            await ask(system, revision="v9.9.9")
            refused = await ends(system, "Error")
            assert "v9.9.9" in refused["message"]

            repo.commit({"a/b.yaml": None})
            system.pull()
            await hubs.settled(system.hub)
            await ask(system)
            await ends(system, "Succeeded")
            assert spoke.ours() == {"a": "1", "b": "1"}, "nobody asked to prune"
            await ask(system, prune=True)
            await ends(system, "Succeeded")
            await hubs.until(lambda: spoke.ours() == {"a": "1"}, "pruned")


async def test_any_revision_of_the_source_is_synced_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        first = repo.commit({"a/a.yaml": config_map("a", "1")})
        repo.commit({"a/a.yaml": config_map("a", "2")})
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            await hubs.add(system.hub, table.APPLICATION, app(repo, "a"))
            await hubs.settled(system.hub)

            await ask(system, revision=first)
            await hubs.until(lambda: spoke.ours() == {"a": "1"}, "the first commit")
            done = await ends(system, "Succeeded")
            assert done["operation"]["sync"]["revision"] == first
            assert done["syncResult"]["revision"] == first
            status = await shown_status(system)
            assert status["sync"]["status"] == "OutOfSync"
            assert status["history"][-1]["revision"] == first

            # A tag that nobody has listed yet, from a branch that nobody follows.
            repo.git("checkout", "-q", "-b", "aside")
            (repo.work / "a/a.yaml").write_text(config_map("a", "aside"))
            repo.git("commit", "-q", "-a", "-m", "aside")
            repo.git("tag", "v1.5")
            repo.git("push", "-q", str(repo.server.root / f"{repo.name}.git"), "v1.5")
            repo.git("checkout", "-q", "main")
            await ask(system, revision="v1.5")
            await hubs.until(lambda: spoke.ours() == {"a": "aside"}, "the tag")
            await ends(system, "Succeeded")
            # Nothing of it is forgotten by a hub that starts again or looks again.
            await hubs.settled(system.hub)
            assert spoke.ours() == {"a": "aside"}

            await ask(system)
            await hubs.until(lambda: spoke.ours() == {"a": "2"}, "what is followed")
            await ends(system, "Succeeded")
            assert (await shown_status(system))["sync"]["status"] == "Synced"

            await ask(system, revision=first)
            await hubs.until(lambda: spoke.ours() == {"a": "1"}, "the first commit again")
            repo.commit({"a/a.yaml": config_map("a", "3")})
            system.pull()
            await hubs.settled(system.hub)
            assert spoke.ours() == {"a": "1"}, "nobody asked for the new commit"
            await ask(system)
            await hubs.until(lambda: spoke.ours() == {"a": "3"}, "the new commit")

            await hubs.patch(
                system.hub, table.APPLICATION, "web", {"spec": {"syncPolicy": {"automated": {}}}}
            )
            await hubs.settled(system.hub)
            await ask(system, revision=first)
            refused = await ends(system, "Error")
            assert refused["message"] == f"Cannot sync to {first}: auto-sync currently set to main"
            assert spoke.ours() == {"a": "3"}
            spoke.unharmed()


async def test_a_running_sync_is_ended_and_a_deletion_approved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = config_map("b", annotations={"argocd.argoproj.io/sync-options": "Delete=confirm"})
    with hubs.repository(tmp_path) as repo:
        repo.commit({"a/hook.yaml": HOOK, "a/a.yaml": config_map("a"), "b/b.yaml": kept})
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            spoke.cluster.inside.settled = False  # nobody runs Jobs there
            await hubs.add(system.hub, table.APPLICATION, app(repo, "a", automated={}))
            await ends(system, "Running")
            await hubs.until(lambda: any(key[1] == "Job" for key in spoke.cluster.objects()), "the hook runs")

            def end(tx: Any) -> None:
                found = system.hub.resources.list(tx, table.APPLICATION)[0]
                status = {**(found.get("status") or {}), "operationState": {"phase": "Terminating"}}
                system.hub.resources.set_status(
                    tx, table.APPLICATION, "argocd", "web", status, manager="test", now=system.clock()
                )

            await system.hub.store.write(end)
            done = await ends(system, "Failed")
            assert done["message"] == "Operation terminated"
            assert not any(key[1] == "Job" for key in spoke.cluster.objects())
            assert spoke.ours() == {}

            await hubs.patch(system.hub, table.APPLICATION, "web", {"spec": {"source": {"path": "b"}}})
            await hubs.until(lambda: spoke.ours() == {"b": "1"}, "other content is another sync")
            await hubs.delete(system.hub, table.APPLICATION, "web")
            await hubs.settled(system.hub)
            for _ in range(3):
                await hubs.settled(system.hub)
            assert spoke.ours() == {"b": "1"}

            approval = {"argocd.argoproj.io/deletion-approved": "2999-01-01T00:00:00Z"}
            await hubs.patch(system.hub, table.APPLICATION, "web", {"metadata": {"annotations": approval}})
            await hubs.until(lambda: spoke.ours() == {}, "approved")
            spoke.unharmed()


async def test_a_removal_runs_its_hooks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = HOOK.replace("PreSync", "PreDelete").replace("name: migrate", "generateName: bye-")
    with hubs.repository(tmp_path) as repo:
        repo.commit({"a/hook.yaml": before, "a/a.yaml": config_map("a")})
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            await hubs.add(system.hub, table.APPLICATION, app(repo, "a", automated={}))
            await hubs.until(lambda: spoke.ours() == {"a": "1"}, "synced")
            await hubs.settled(system.hub)
            live = (await hubs.listed(system.hub, table.APPLICATION))["web"]
            assert "pre-delete-finalizer.argocd.argoproj.io" in live["metadata"]["finalizers"]
            assert "post-delete-finalizer.argocd.argoproj.io" not in live["metadata"]["finalizers"]

            spoke.cluster.inside.settled = False  # nobody runs Jobs there
            await hubs.delete(system.hub, table.APPLICATION, "web")

            def hooks() -> list[str]:
                return [key[3] for key in spoke.cluster.objects() if key[1] == "Job"]

            await hubs.until(hooks, "the hook runs")
            assert hooks()[0].startswith("bye-")
            await hubs.settled(system.hub)
            assert spoke.ours() == {"a": "1"}

            spoke.cluster.settle()
            await hubs.until(lambda: spoke.ours() == {}, "gone")

            async def let_go() -> bool:
                return "web" not in await hubs.listed(system.hub, table.APPLICATION)

            await hubs.until(let_go, "the Application is let go")
            assert len(hooks()) == 1, "a removal that is over runs no hook again"
            spoke.unharmed()
