"""A hub that is only store and API, served over TLS from a thread of the test's own process."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml

from argosy import token
from hub.api import server
from hub.api.app import Action, Api, Hub
from hub.ca import authority
from hub.core.access import access
from hub.store import accounts, bootstrap, departures, resources, seal, sqlite
from hub.store.base import Tx

T = TypeVar("T")

ADMIN_TOKEN, READER_TOKEN, STRANGER_TOKEN = "admin-token", "reader-token", "stranger-token"


def kubectls() -> list[str]:
    """Every kubectl to be had: the one of our environment, and one on the path."""
    found = [str(Path(sys.executable).with_name("kubectl"))]
    if other := shutil.which("kubectl"):
        found.append(other)
    return [path for path in dict.fromkeys(found) if Path(path).exists()]


@dataclass
class RunningApi:
    """An API to talk to. `url` is https; `ca` its certificate authority's file."""

    url: str
    ca: Path
    kubeconfig: Path
    folder: Path
    store: sqlite.SqliteStore
    resources: resources.Resources
    loop: asyncio.AbstractEventLoop

    def run(self, coroutine: Any) -> Any:
        """Runs a coroutine on the hub's loop and waits for it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    def write(self, job: Callable[[Tx], T]) -> T:
        """Runs a write job."""
        found: T = self.run(self.store.write(job))
        return found

    def read(self, job: Callable[[Tx], T]) -> T:
        """Runs a read job."""
        found: T = self.run(self.store.read(job))
        return found

    def kubeconfig_of(self, secret: str) -> Path:
        """A kubeconfig with a bearer token."""
        path = self.folder / f"{secret}.kubeconfig"
        cluster = {"server": self.url, "certificate-authority": str(self.ca)}
        path.write_text(_kubeconfig(cluster, {"token": secret}))
        return path


def _kubeconfig(cluster: dict[str, str], user: dict[str, str]) -> str:
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "hub", "cluster": cluster}],
            "users": [{"name": "me", "user": user}],
            "contexts": [{"name": "hub", "context": {"cluster": "hub", "user": "me", "namespace": "argocd"}}],
            "current-context": "hub",
        }
    )


class ApiThread:
    """Starts and stops a hub's API in a thread. `actions` and `clock` go to the API as they are."""

    def __init__(
        self, folder: Path, actions: tuple[Action, ...] = (), clock: Callable[[], float] = time.time
    ) -> None:
        self._folder = folder
        self._actions = actions
        self._clock = clock
        self._started = threading.Event()
        self._failure: BaseException | None = None
        self._running: RunningApi | None = None
        self._stop: asyncio.Event | None = None
        self._thread = threading.Thread(target=self._main, name="hub-api")

    def start(self) -> RunningApi:
        self._thread.start()
        self._started.wait(30)
        if self._failure is not None:
            raise self._failure
        assert self._running is not None
        return self._running

    def stop(self) -> None:
        if self._running is not None and self._stop is not None:
            self._running.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(30)
        assert not self._thread.is_alive(), "the API did not stop"

    def _main(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
            self._started.set()

    async def _serve(self) -> None:
        folder, now = self._folder, time.time()
        store = sqlite.open_store(folder / "hub.db")
        kept = resources.Resources(
            seal.open_sealer(folder / "seal.key"),
            lambda tx, cluster, life: token.new_secret(),
            departures.DELETIONS,
        )
        ca = authority.open_authority(folder / "ca", now)
        certificate = ca.server(["127.0.0.1", "localhost"], now)
        admin = ca.user("admin", [access.ADMINS], now)
        files = {"ca.pem": ca.bundle, "api.pem": certificate.certificate, "api.key": certificate.key}
        files |= {"admin.pem": admin.certificate, "admin.key": admin.key}
        for name, content in files.items():
            (folder / name).write_bytes(content)

        def first(tx: Tx) -> None:
            bootstrap.first_objects(tx, kept, now)
            accounts.offer(tx, ADMIN_TOKEN, "ada", [access.ADMINS], now)
            accounts.offer(tx, READER_TOKEN, "ruth", [access.READERS], now)
            accounts.offer(tx, STRANGER_TOKEN, "sam", [], now)

        await store.write(first)
        api = Api(Hub(store, kept, "0.0.0", actions=self._actions, clock=self._clock))
        paths = {name: folder / name for name in files}
        serving = await server.serve(
            api, server.Config("127.0.0.1", 0, paths["api.pem"], paths["api.key"], paths["ca.pem"])
        )
        kubeconfig = folder / "admin.kubeconfig"
        user = {"client-certificate": str(paths["admin.pem"]), "client-key": str(paths["admin.key"])}
        kubeconfig.write_text(
            _kubeconfig({"server": serving.url, "certificate-authority": str(paths["ca.pem"])}, user)
        )
        loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        self._running = RunningApi(serving.url, paths["ca.pem"], kubeconfig, folder, store, kept, loop)
        self._started.set()
        await self._stop.wait()
        await serving.stop()
        await store.close()


@dataclass
class Kubectl:
    """One kubectl with its own cache, talking to one API."""

    path: str
    kubeconfig: Path
    cache: Path

    def environment(self, **more: str) -> dict[str, str]:
        return {**os.environ, "KUBECONFIG": str(self.kubeconfig), "KUBECACHEDIR": str(self.cache), **more}

    def run(
        self, *arguments: str, stdin: str = "", check: bool = True, timeout: float = 60.0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [self.path, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            env=self.environment(**environment),
        )
        if check and done.returncode:
            raise AssertionError(
                f"kubectl {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def __call__(self, *arguments: str, stdin: str = "") -> str:
        return self.run(*arguments, stdin=stdin).stdout


class Client:
    """Plain requests to a running API, as an administrator unless another token is given."""

    def __init__(self, api: RunningApi, secret: str = ADMIN_TOKEN) -> None:
        host, port = api.url.removeprefix("https://").split(":")
        context = ssl.create_default_context(cafile=str(api.ca))
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self.connection = http.client.HTTPSConnection(host, int(port), context=context, timeout=60)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *exception: object) -> None:
        self.connection.close()

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> http.client.HTTPResponse:
        """One request; the answer is not read yet."""
        target = path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        self.connection.request(method, target, body, {**self._headers, **(headers or {})})
        return self.connection.getresponse()

    def ask(
        self, method: str, path: str, body: Any = None, *, media: str = "application/json", query: Any = None
    ) -> tuple[int, Any]:
        """(status code, JSON of the answer)."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        answer = self.send(method, path, data, query=query, headers={"Content-Type": media})
        return answer.status, json.loads(answer.read())
