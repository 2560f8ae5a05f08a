"""A whole hub in the test's own process, and a Git repository over HTTP for it to read."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from githttp import FaultyGitServer

from argosy.objects import Manifest
from hub.assembly import Hub
from hub.config import HubConfig
from hub.core.served import table
from hub.core.served.base import Served
from hub.store.base import Tx

USER = "tester"


class Clock:
    """The real time, put forward by `ahead` seconds."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@contextlib.asynccontextmanager
async def running(
    folder: Path, *, clock: Callable[[], float] = time.time, **settings: Any
) -> AsyncIterator[Hub]:
    """A hub on free ports of loopback; the same folder again is the same hub after a restart."""
    options: dict[str, Any] = {"api": "127.0.0.1:0", "link": "127.0.0.1:0", "poll": 3600.0, **settings}
    hub = Hub(HubConfig(data=folder, **options), clock)
    await hub.start()
    try:
        yield hub
    finally:
        await hub.stop()


@dataclass
class Repo:
    """A work tree whose commits are pushed to a bare repository behind `server`."""

    server: FaultyGitServer
    name: str
    work: Path

    @property
    def url(self) -> str:
        return self.server.url(self.name)

    def commit(
        self,
        files: Mapping[str, str | bytes | None],
        message: str = "a change",
        *,
        author: str = "Test <test@example.com>",
    ) -> str:
        """Writes files (None deletes), commits and pushes; returns the commit id."""
        for path, content in files.items():
            target = self.work / path
            if content is None:
                target.unlink()
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode() if isinstance(content, str) else content)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--author", author, "--message", message)
        # The server's faults are for the hub; the test itself writes past them.
        self.git("push", "--quiet", str(self.server.root / f"{self.name}.git"), "HEAD:refs/heads/main")
        return self.git("rev-parse", "HEAD").strip()

    def git(self, *arguments: str) -> str:
        names = ("AUTHOR", "COMMITTER")
        who = {f"GIT_{n}_NAME": "Test" for n in names} | {f"GIT_{n}_EMAIL": "test@example.com" for n in names}
        done = subprocess.run(
            ["git", "-C", str(self.work), *arguments],
            env={**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout


@contextlib.contextmanager
def repository(folder: Path, name: str = "fleet") -> Iterator[Repo]:
    """An empty repository `main` behind a Git server that can be made to fail."""
    root, work = folder / "git", folder / f"work-{name}"
    root.mkdir(parents=True, exist_ok=True)
    for command in (["--bare", str(root / f"{name}.git")], [str(work)]):
        subprocess.run(["git", "init", "--quiet", "--initial-branch=main", *command], check=True)
    server = FaultyGitServer(root)
    try:
        yield Repo(server, name, work)
    finally:
        server.close()


async def add(hub: Hub, served: Served, manifest: Manifest) -> Manifest:
    """Creates an object as a user would, through the one write path."""
    return await hub.store.write(
        lambda tx: hub.resources.create(tx, served, manifest, manager=USER, now=time.time())
    )


async def patch(hub: Hub, served: Served, name: str, change: Manifest, namespace: str = "argocd") -> None:
    def write(tx: Tx) -> None:
        hub.resources.patch(tx, served, namespace, name, change, manager=USER, now=time.time())

    await hub.store.write(write)


async def delete(hub: Hub, served: Served, name: str, namespace: str = "argocd") -> None:
    await hub.store.write(lambda tx: hub.resources.delete(tx, served, namespace, name, now=time.time()))


async def add_cluster(hub: Hub, name: str, **labels: str) -> Manifest:
    return await add(
        hub,
        table.CLUSTER,
        {
            "apiVersion": "argosy.dev/v1alpha1",
            "kind": "Cluster",
            "metadata": {"name": name, "labels": labels},
        },
    )


async def listed(hub: Hub, served: Served) -> dict[str, Manifest]:
    """All objects of a kind by name."""
    found = await hub.store.read(lambda tx: hub.resources.list(tx, served))
    return {item["metadata"]["name"]: item for item in found}


async def apps(hub: Hub) -> dict[str, Manifest]:
    """The Applications by name, without those that wait for their cluster to let them go."""
    found = await listed(hub, table.APPLICATION)
    return {name: app for name, app in found.items() if not app["metadata"].get("deletionTimestamp")}


async def until(true: Callable[[], Any], what: str, *, seconds: float = 60.0) -> Any:
    """Asks (a function or coroutine function) until the answer is truthy; fails with `what` at the deadline."""
    deadline = time.monotonic() + seconds
    while True:
        answer = true()
        if asyncio.iscoroutine(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}")
        await asyncio.sleep(0.02)


async def settled(hub: Hub) -> None:
    """Runs every loop once by hand, in the order of a change, and so leaves nothing undone that is due now."""
    for name in ("poller", "expander", "renderer", "holder", "roller", "mover", "remover"):
        (loop,) = [loop for loop in hub.loops if loop.name == name]
        await until(lambda loop=loop: not loop.record.running, f"{name} at rest")
        runs = loop.record.runs
        loop.wake.set()
        await until(lambda loop=loop, runs=runs: loop.record.runs > runs, f"{name} ran")


async def pushed(hub: Hub) -> None:
    """As if webhooks told of a push to every repository, until all of it is done."""
    hub.poller.ask(lambda url: True)
    await settled(hub)
    await settled(hub)


def condition(manifest: Manifest, kind: str) -> dict[str, Any]:
    """The condition of a type in an object's stored status; empty where there is none."""
    found = (manifest.get("status") or {}).get("conditions") or []
    return next((item for item in found if item["type"] == kind), {})


def appset(repo: Repo, name: str = "fleet", *, path: str = "apps/*", **annotations: str) -> Manifest:
    """A set of clusters (label env=prod) times folders, automated with prune."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {
            "name": name,
            "namespace": "argocd",
            "annotations": {
                f"argosy.dev/{key.replace('_', '-')}": value for key, value in annotations.items()
            },
        },
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [
                {
                    "matrix": {
                        "generators": [
                            {"clusters": {"selector": {"matchLabels": {"env": "prod"}}}},
                            {
                                "git": {
                                    "repoURL": repo.url,
                                    "revision": "main",
                                    "directories": [{"path": path}],
                                }
                            },
                        ]
                    }
                }
            ],
            "template": {
                "metadata": {"name": "{{.path.basename}}-{{.name}}"},
                "spec": {
                    "project": "default",
                    "source": {"repoURL": repo.url, "targetRevision": "main", "path": "{{.path.path}}"},
                    "destination": {"server": "{{.server}}", "namespace": "default"},
                    "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
                },
            },
        },
    }


def config_map(name: str, value: str = "1", **metadata: Any) -> str:
    """A ConfigMap as YAML."""
    lines = ["apiVersion: v1", "kind: ConfigMap", "metadata:", f"  name: {name}"]
    lines += [f"  {key}: {item}" for key, item in metadata.items()]
    return "\n".join([*lines, "data:", f'  value: "{value}"', ""])
