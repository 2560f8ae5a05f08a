"""Hub and agents as the processes people run, with the commands people type."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from hubs import Repo

from argosy import yamlio
from argosy.objects import Manifest

T = TypeVar("T")

BIN = Path(sys.executable).parent


def wait(ask: Callable[[], T], what: str, *, seconds: float = 60.0) -> T:
    """Asks until the answer is truthy and returns it; fails with `what` and the last answer at the deadline."""
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}; last answer: {answer!r}")
        time.sleep(0.1)
    return answer


class Process:
    """One program with its log. Ended by its own id, at the latest with the test."""

    def __init__(self, arguments: list[str], log: Path) -> None:
        self.log = log
        with log.open("ab") as file:
            self._process = subprocess.Popen(
                [str(BIN / arguments[0]), *arguments[1:]],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                start_new_session=True,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def stop(self) -> int:
        """SIGTERM; returns the exit code, and fails where it takes more than ten seconds."""
        if self.running:
            self._process.send_signal(signal.SIGTERM)
        return self._process.wait(10)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)

    def close(self) -> None:
        if self.running:
            self.kill()


class Fleet:
    """A hub in `folder` and the agents that joined it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "hub"
        self.hub: Process | None = None
        self.agents: dict[str, Process] = {}
        self._commands: dict[str, list[str]] = {}
        self._api = self._link = 0

    # --- programs ---

    def start_hub(self, *options: str) -> None:
        """Starts the hub, the second time on the addresses of the first, and waits until it is ready."""
        api, link = f"127.0.0.1:{self._api}", f"127.0.0.1:{self._link}"
        enroll = f"127.0.0.1:{self._link + 1 if self._link else 0}"
        if not self._link:
            self._api, self._link = free_ports()
            api, link, enroll = (f"127.0.0.1:{port}" for port in (self._api, self._link, self._link + 1))
        command = ["argosy-hub", "serve", "--data", str(self.data), "--api", api, "--link", link]
        command += ["--enroll", enroll, "--poll", "2", *options]
        self.hub = Process(command, self.folder / "hub.log")
        wait(self._ready, f"the hub is ready:\n{self.log()}")

    def _ready(self) -> bool:
        assert self.hub is not None
        if not self.hub.running:
            raise AssertionError(f"the hub ended:\n{self.log()}")
        try:
            return self.raw("/readyz").startswith("ok")
        except OSError:
            return False

    def log(self) -> str:
        return (self.folder / "hub.log").read_text()[-4000:]

    def raw(self, path: str, body: bytes | None = None, **headers: str) -> str:
        """A request without credentials."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        request = urllib.request.Request(f"https://127.0.0.1:{self._api}{path}", data=body, headers=headers)
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            return str(answer.read().decode())

    def join(self, name: str, *where: str, **labels: str) -> None:
        """`argosy join`, then an agent with `where` to find its cluster."""
        flags = [flag for key, value in labels.items() for flag in ("--label", f"{key}={value}")]
        token = self.argosy("join", name, *flags, "-o", "token").strip()
        self._commands[name] = [*where, "--state", str(self.folder / f"agent-{name}")]
        self.start_agent(name, "--join", token)

    def start_agent(self, name: str, *options: str) -> None:
        command = ["argosy-agent", "run", *self._commands[name], *options]
        self.agents[name] = Process(command, self.folder / f"{name}.log")

    def close(self) -> None:
        for process in (*self.agents.values(), self.hub):
            if process is not None:
                process.close()

    # --- commands ---

    def argosy(self, *arguments: str) -> str:
        return self._run(str(BIN / "argosy"), *arguments)

    def kubectl(self, *arguments: str, stdin: str = "") -> str:
        return self._run(str(BIN / "kubectl"), *arguments, stdin=stdin)

    def _run(self, *command: str, stdin: str = "") -> str:
        environment = {**os.environ, "KUBECONFIG": str(self.data / "admin.kubeconfig")}
        done = subprocess.run(
            command, input=stdin, env=environment, capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode:
            raise AssertionError(f"{' '.join(command)} exited {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def apply(self, *manifests: Manifest) -> str:
        return self.kubectl("apply", "-f", "-", stdin="---\n".join(yamlio.dump(item) for item in manifests))

    def get(self, kind: str, name: str) -> Manifest:
        found: Manifest = json.loads(self.kubectl("get", kind, name, "-n", "argocd", "-o", "json"))
        return found

    def app(self, name: str) -> tuple[str, str, str]:
        """(sync, health, revision) of an Application."""
        status = self.get("application", name).get("status") or {}
        sync = status.get("sync") or {}
        health = status.get("health") or {}
        return sync.get("status", ""), health.get("status", ""), sync.get("revision", "")

    def settled(self, name: str, commit: str) -> None:
        """Waits until an Application is Synced and Healthy at a commit."""
        wanted = ("Synced", "Healthy", commit)
        wait(lambda: self.app(name) == wanted, f"{name} is {wanted}, {self._state(name)}")

    def _state(self, name: str) -> str:
        return f"it was {self.app(name)} at first"

    def push(self, repo: Repo) -> None:
        """Tells the hub of a push as GitHub does."""
        payload = {"ref": "refs/heads/main", "repository": {"html_url": re.sub(r"\.git$", "", repo.url)}}
        body = json.dumps(payload).encode()
        self.raw("/api/webhook", body, **{"X-GitHub-Event": "push", "Content-Type": "application/json"})

    def ready(self, *names: str) -> None:
        self.kubectl("wait", "--for=condition=Ready", "--timeout=60s", *(f"cluster/{name}" for name in names))

    def condition(self, cluster: str, kind: str) -> dict[str, Any]:
        conditions = self.get("cluster", cluster)["status"]["conditions"]
        return next((item for item in conditions if item["type"] == kind), {})


def free_ports() -> tuple[int, int]:
    """A free port, and the first of two free ones in a row.

    They lie below the ports that the kernel gives to outgoing connections: one of those could take the place of a hub
    that is down for a moment.
    """
    while True:
        api, link = (random.randrange(12_000, 30_000) for _ in range(2))
        if api not in (link, link + 1) and all(_is_free(port) for port in (api, link, link + 1)):
            return api, link


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def application(repo: Repo, name: str, cluster: str, path: str, namespace: str, **policy: Any) -> Manifest:
    """An automated Application of one folder on one cluster."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": name,
            "namespace": "argocd",
            "finalizers": ["resources-finalizer.argocd.argoproj.io"],
        },
        "spec": {
            "project": "default",
            "source": {"repoURL": repo.url, "targetRevision": "main", "path": path},
            "destination": {"name": cluster, "namespace": namespace},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True, **policy},
                "syncOptions": ["CreateNamespace=true"],
            },
        },
    }
