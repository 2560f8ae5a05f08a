"""The product as its users run it: `argosy-hub serve` and `argosy-agent run` as processes, Git over HTTP beside them."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from pathlib import Path

from argosy.errors import ArgosyError
from argosy.objects import Manifest
from bench.harness import Bench, Broken, Process, until
from hub.cli import join, kubeconfig
from hub.cli.client import Client
from hub.demo import gitserver
from hub.demo.gitserver import GitServer

NAMESPACE = "argocd"
SETS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applicationsets"
APPS = f"/apis/argoproj.io/v1alpha1/namespaces/{NAMESPACE}/applications"
ANY = "127.0.0.1:0"


class Repo:
    """A bare repository on this machine, served over HTTP."""

    def __init__(self, folder: Path) -> None:
        self._server = GitServer(folder)
        self.path = gitserver.create(folder, "shop")
        self.url = self._server.url("shop")

    def commit(self, files: Mapping[str, str]) -> str:
        return gitserver.commit(self.path, files, time=int(time.time()))

    def close(self) -> None:
        self._server.close()


class Hub:
    """A hub that looks at repositories only when a webhook says so."""

    def __init__(self, bench: Bench, data: Path) -> None:
        self._bench = bench
        self.data = data
        command = [
            program("argosy-hub"),
            "serve",
            "--data",
            str(data),
            "--poll",
            "3600",
            "--log-level",
            "warning",
        ]
        self.process: Process = bench.program(
            [*command, "--api", ANY, "--link", ANY, "--enroll", ANY], "argosy-hub"
        )
        until(self._ready, "the hub is ready", 60)
        self.client = Client(self._access())

    @property
    def link_port(self) -> int:
        """From the line with which the hub says where it listens."""
        text = self.process.line(5).decode()
        return int(text.rpartition(":")[2])

    def join(self, name: str) -> str:
        """Registers a cluster; the token by which its agent joins."""
        join.register(self.client, name, {"bench": "live"})
        return join.mint(self.client, name, 3600)

    def notify(self, repo: Repo, commit: str) -> None:
        """The webhook of a Git host, in GitHub's form."""
        body: Manifest = {
            "ref": "refs/heads/main",
            "after": commit,
            "repository": {
                "clone_url": repo.url,
                "html_url": repo.url.removesuffix(".git"),
                "default_branch": "main",
            },
        }
        self.client.notify("/api/webhook", body, {"X-GitHub-Event": "push"})

    def app(self, name: str) -> Manifest:
        return self.client.get(f"{APPS}/{name}")

    def wait_for(self, name: str, revision: str, seconds: float = 60.0) -> None:
        """Until the Application is Synced at a commit."""
        last: dict[str, object] = {}

        def synced() -> bool:
            try:
                status = self.app(name).get("status") or {}
            except ArgosyError as error:
                last["error"] = error.message
                return False
            last["status"] = {key: status.get(key) for key in ("sync", "health", "conditions")}
            sync = status.get("sync") or {}
            return bool(sync.get("status") == "Synced" and sync.get("revision") == revision)

        try:
            until(synced, f"{name} is Synced at {revision}", seconds, pause=0.1)
        except Broken as error:
            raise self.process.broken(f"{error}: {last}") from None

    def end(self) -> None:
        self.client.close()
        self._bench.end(self.process)

    def _access(self) -> kubeconfig.Access:
        choice = kubeconfig.Choice(kubeconfig=str(self.data / "admin.kubeconfig"))
        return kubeconfig.resolve(choice, {}, self.data)

    def _ready(self) -> bool:
        if not self.process.alive:
            raise self.process.broken("it has ended")
        try:
            client = Client(self._access(), timeout=5)
            client.text("/readyz")
            client.close()
        except ArgosyError:
            return False
        return True


def agent(bench: Bench, state: Path, token: str, kubeconfig_file: Path) -> Process:
    """A real agent on the cluster of a kubeconfig; `token` "" where it has joined before."""
    command = [program("argosy-agent"), "run", "--state", str(state), "--log-level", "warning"]
    joined = ["--join", token] if token else []
    return bench.program([*command, "--kubeconfig", str(kubeconfig_file), *joined], "argosy-agent")


def program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def application(name: str, url: str, path: str, server_name: str, namespace: str) -> Manifest:
    """An Application with automated sync, in Argo CD's words."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "project": "default",
            "source": {"repoURL": url, "targetRevision": "main", "path": path},
            "destination": {"name": server_name, "namespace": namespace},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["CreateNamespace=true"],
            },
        },
    }


def config_map(name: str, value: str, entries: int = 8) -> str:
    """A ConfigMap of about 0.4 KB whose `value` is what a commit changes."""
    data = "".join(f'  setting-{number}: "{"x" * 24}"\n' for number in range(entries))
    return f'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: "{value}"\n{data}'


def deployment(name: str) -> str:
    return (
        f"apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\n  labels:\n    app: {name}\nspec:\n"
        f"  replicas: 0\n  selector:\n    matchLabels:\n      app: {name}\n  template:\n    metadata:\n      labels:\n"
        f"        app: {name}\n    spec:\n      containers:\n      - name: main\n        image: registry.example/main:1\n"
    )
