"""Real control planes: one etcd, and one kube-apiserver per cluster, without kubelets or containers.

`running()` is the door: clusters that differ only by their prefix in etcd, each with its own kube-system
UID, and so separate clusters to everything that speaks to them. Everything here blocks (a start takes
seconds); asynchronous tests call `restart` and `kill` through `asyncio.to_thread`.

Without controllers some things do not happen: namespaces stay Terminating, owners do not take their
children along, the roles `admin`, `edit` and `view` are empty, Deployments get no status.
`controllers=True` mends the first three, `nodes=True` all: with every controller, a scheduler, and kwok, which plays
nodes on which Pods seem to run.
"""

from __future__ import annotations

import contextlib
import json
import ssl
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from testbed import binaries, credentials, processes

DEADLINE = 90.0
"""Seconds a program has to become ready. It takes 3 s on a quiet machine and 10 s on a busy one."""

ATTEMPTS = 3
"""Starts with fresh ports before giving up: a port that was free may be taken by the time it is bound."""

CONTROLLERS = (
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "clusterrole-aggregation-controller",
    "root-ca-certificate-publisher-controller",
)


@dataclass(frozen=True)
class Answer:
    """What an API server answered. `headers` have lower-case names."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class ControlPlane:
    """One cluster: a kube-apiserver on the testbed's etcd, and its controllers and nodes if it has any."""

    def __init__(self, bed: Testbed, name: str, *, controllers: bool, nodes: bool) -> None:
        self.name = name
        self._bed = bed
        self._controllers = controllers or nodes
        self._nodes = nodes
        self._folder = bed.folder / name
        self._folder.mkdir()
        self._port = 0
        self._announced = False
        self._programs: list[processes.Program] = []

    @property
    def server(self) -> str:
        """The address of the API server, without a slash at the end."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def ca_file(self) -> Path:
        """The PEM file to trust: the API server's certificate, self-signed, valid for 127.0.0.1."""
        return self._folder / "certs" / "apiserver.crt"

    @property
    def pid(self) -> int:
        """The API server's process id."""
        return self._programs[0].pid

    def ssl_context(self) -> ssl.SSLContext:
        """A context that trusts this API server and nothing else."""
        return ssl.create_default_context(cafile=str(self.ca_file))

    def kubeconfig(self, user: credentials.User = credentials.ADMIN) -> Path:
        """A kubeconfig file with the user's bearer token. The context has the cluster's name."""
        access = {
            "clusters": [
                {
                    "name": self.name,
                    "cluster": {"server": self.server, "certificate-authority": str(self.ca_file)},
                }
            ],
            "users": [{"name": user.name, "user": {"token": user.token}}],
            "contexts": [{"name": self.name, "context": {"cluster": self.name, "user": user.name}}],
        }
        file = self._folder / f"{user.name}.kubeconfig"
        file.write_text(
            json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": self.name} | access)
        )
        return file

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        user: credentials.User | None = credentials.ADMIN,
        media: str = "application/json",
        context: ssl.SSLContext | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        """One call to the API server; a refusal is an Answer, too.

        `body` is sent as JSON, bytes as they are. `context` may carry a client certificate.

        Raises OSError when the server cannot be reached.
        """
        url = self.server + path + (f"?{urllib.parse.urlencode(query)}" if query else "")
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        asked = urllib.request.Request(url, data, {"Content-Type": media}, method=method)
        if user is not None:
            asked.add_header("Authorization", f"Bearer {user.token}")
        try:
            with _opener(context or self.ssl_context()).open(asked, timeout=60) as answer:
                return Answer(answer.status, _lowered(answer.headers), answer.read())
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, _lowered(refusal.headers), refusal.read())

    def apply(
        self, path: str, manifest: Mapping[str, Any], *, manager: str = "testbed", force: bool = True
    ) -> Answer:
        """Server-side apply of one object at its path."""
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return self.request("PATCH", path, dict(manifest), media="application/apply-patch+yaml", query=query)

    def uid(self) -> str:
        """The UID of the namespace kube-system, by which Argosy knows a cluster."""
        uid: str = self.request("GET", "/api/v1/namespaces/kube-system").json()["metadata"]["uid"]
        return uid

    def start(self) -> None:
        """Starts the API server without waiting for it. See `ready`."""
        self._port = self._port or processes.free_port()
        server = self._bed.program(self._folder, "kube-apiserver", *self._flags(), GOGC="50")
        server.start()
        self._programs = [server]

    def _flags(self) -> list[str]:
        bed = self._bed
        flags = [
            f"--etcd-servers={bed.etcd_url}",
            f"--etcd-prefix=/{self.name}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--cert-dir={self._folder / 'certs'}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={bed.service_account_public}",
            f"--service-account-signing-key-file={bed.service_account_private}",
            f"--token-auth-file={bed.token_file}",
            f"--client-ca-file={bed.clients.file}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
        ]
        if not self._controllers:
            # Nobody makes the default ServiceAccounts then, and this plug-in refuses every Pod without one.
            flags.append("--disable-admission-plugins=ServiceAccount")
        return flags

    def ready(self) -> None:
        """Waits until the API server is ready and starts its controllers. Raises Died, also at the deadline.

        A port that somebody else took meanwhile is exchanged for another, unless a client knows it already.
        """
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _wait(self._programs[0], self._answers_ready)
                break
            except processes.Died as death:
                if "address already in use" not in str(death) or attempt == ATTEMPTS:
                    raise
                self._port = self._port if self._announced else 0
                self.start()
        self._announced = True
        self.kubeconfig()
        # The namespace is written a moment after the server says that it is ready.
        _wait(self._programs[0], lambda: self.request("GET", "/api/v1/namespaces/kube-system").status == 200)
        if self._controllers:
            manager = self._bed.program(self._folder, "kube-controller-manager", *self._manager_flags())
            manager.start()
            self._programs.append(manager)
            _wait(manager, self._edit_is_filled)
        if self._nodes:
            self._start_nodes()

    def _start_nodes(self) -> None:
        """A scheduler, and one large node that is not there."""
        access = f"--kubeconfig={self.kubeconfig()}"
        stages = binaries.find("kwok", self._bed.kubernetes).with_name(binaries.STAGES)
        for name, flags in (
            ("kube-scheduler", ("--leader-elect=false", "--secure-port=0")),
            ("kwok", ("--manage-all-nodes=true", f"--config={stages}")),
        ):
            program = self._bed.program(self._folder, name, access, *flags)
            program.start()
            self._programs.append(program)
        room = {"cpu": "64", "memory": "256Gi", "pods": "1000"}
        node = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "kwok"}}
        self.apply("/api/v1/nodes/kwok", node)
        self.apply("/api/v1/nodes/kwok/status", node | {"status": {"allocatable": room, "capacity": room}})
        self.apply(
            "/apis/storage.k8s.io/v1/storageclasses/kwok-volume",
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {
                    "name": "kwok-volume",
                    "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
                },
                "provisioner": "kwok.x-k8s.io/volume",
                "volumeBindingMode": "Immediate",
            },
        )
        _wait(self._programs[-1], self._node_is_ready)

    def _node_is_ready(self) -> bool:
        found = self.request("GET", "/api/v1/nodes/kwok").json().get("status", {}).get("conditions") or ()
        return any(one["type"] == "Ready" and one["status"] == "True" for one in found)

    def _manager_flags(self) -> list[str]:
        return [
            f"--kubeconfig={self.kubeconfig()}",
            "--leader-elect=false",
            "--secure-port=0",
            "--use-service-account-credentials=false",
            f"--service-account-private-key-file={self._bed.service_account_private}",
            f"--root-ca-file={self.ca_file}",
            f"--controllers={'*' if self._nodes else ','.join(CONTROLLERS)}",
            # Our node sends no heartbeat. Taken for dead after 50 s, it comes back, but its Pods stay unready for ever.
            "--node-monitor-grace-period=24h",
        ]

    def _answers_ready(self) -> bool:
        return self.ca_file.exists() and self.request("GET", "/readyz", user=None).status == 200

    def _edit_is_filled(self) -> bool:
        role = self.request("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/edit")
        return role.status == 200 and bool(role.json().get("rules"))

    def stop(self) -> None:
        """Ends the controllers, then the API server; the data stays."""
        for program in reversed(self._programs):
            program.stop()

    def kill(self) -> None:
        """Crashes the API server (SIGKILL) and its controllers; the data stays."""
        for program in reversed(self._programs):
            program.kill()

    def restart(self) -> None:
        """Starts the API server again on its data, address and certificate, and waits until it is ready.

        One that still runs is stopped first. Watches of before are gone, and older resourceVersions answer
        410.
        """
        self.stop()
        self.start()
        self.ready()


class Testbed:
    """One etcd and the clusters on it. Made by `running`."""

    __test__ = False  # not a test class, whatever pytest thinks of its name

    def __init__(self, folder: Path, reaper: processes.Reaper, kubernetes: str | None) -> None:
        self.folder = folder
        self.kubernetes = kubernetes
        self._reaper = reaper
        self.clients = credentials.ClientAuthority(folder)
        self.service_account_private, self.service_account_public = credentials.write_service_account_key(
            folder
        )
        self.token_file = folder / "tokens.csv"
        self.token_file.write_text(credentials.token_file(credentials.USERS))
        self.etcd_url = ""
        self._etcd: processes.Program | None = None
        self._planes: list[ControlPlane] = []

    def program(self, folder: Path, name: str, *flags: str, **environment: str) -> processes.Program:
        """A program of this testbed's version that logs into `folder`. Raises Absent."""
        path = binaries.find(name, self.kubernetes)
        log = folder / f"{name}.log"
        return processes.Program([str(path), *flags], log=log, reaper=self._reaper, environment=environment)

    def start_etcd(self) -> None:
        """Starts etcd and waits until it is healthy. Raises Died."""
        for attempt in range(1, ATTEMPTS + 1):
            self.etcd_url, peers = (f"http://127.0.0.1:{processes.free_port()}" for _ in range(2))
            self._etcd = self.program(
                self.folder,
                "etcd",
                f"--data-dir={self.folder / f'etcd-{attempt}'}",
                "--unsafe-no-fsync",
                f"--listen-client-urls={self.etcd_url}",
                f"--advertise-client-urls={self.etcd_url}",
                f"--listen-peer-urls={peers}",
                f"--initial-advertise-peer-urls={peers}",
                f"--initial-cluster=default={peers}",
            )
            self._etcd.start()
            try:
                _wait(self._etcd, self._etcd_healthy)
                return
            except processes.Died as death:
                if "address already in use" not in str(death) or attempt == ATTEMPTS:
                    raise

    def _etcd_healthy(self) -> bool:
        with _opener().open(f"{self.etcd_url}/health", timeout=5) as answer:
            return bool(json.load(answer)["health"] == "true")

    def add(self, *names: str, controllers: bool = False, nodes: bool = False) -> list[ControlPlane]:
        """Starts clusters together and waits until all are ready. A name is used once in a testbed.

        Raises Absent when `controllers` or `nodes` are asked for and a program for them is missing; Died when
        one does not start.
        """
        if controllers:
            binaries.find("kube-controller-manager", self.kubernetes)
        for program in binaries.WORKLOADS if nodes else ():
            binaries.find(program, self.kubernetes)
        added = [ControlPlane(self, name, controllers=controllers, nodes=nodes) for name in names]
        self._planes += added
        for plane in added:
            plane.start()
        for plane in added:
            plane.ready()
        return added

    def stop(self) -> None:
        """Ends the clusters, then etcd: an API server whose etcd went first does not end in time."""
        for plane in self._planes:
            plane.stop()
        if self._etcd is not None:
            self._etcd.stop()


@contextlib.contextmanager
def running(*names: str, controllers: bool = False, kubernetes: str | None = None) -> Iterator[Testbed]:
    """A testbed with the named clusters, all of it ended and removed afterwards.

    `kubernetes` is a version (default: `binaries.version()`). Raises Absent with the reason when a program
    is missing.
    """
    for name in binaries.REQUIRED:
        binaries.find(name, kubernetes)
    folder = Path(tempfile.mkdtemp(prefix="argosy-testbed-"))
    reaper = processes.Reaper(folder)
    try:
        bed = Testbed(folder, reaper, kubernetes)
        try:
            bed.start_etcd()
            bed.add(*names, controllers=controllers)
            yield bed
        finally:
            bed.stop()
    finally:
        reaper.close()


def wait_until(true: Callable[[], bool], otherwise: str, *, seconds: float = 60) -> None:
    """Asks until the answer is yes. Raises TimeoutError with the text `otherwise` at the deadline."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(otherwise)
        time.sleep(0.05)


def _opener(context: ssl.SSLContext | None = None) -> urllib.request.OpenerDirector:
    """Opens addresses directly: a proxy of the user's environment has no business with the loopback."""
    secure = urllib.request.HTTPSHandler(context=context)
    return urllib.request.build_opener(urllib.request.ProxyHandler({}), secure)


def _lowered(headers: Any) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


def _wait(program: processes.Program, ready: Callable[[], bool]) -> None:
    """Asks `ready` until it says yes.

    Raises Died when the program ends meanwhile or does not get there in time.
    """
    deadline = time.monotonic() + DEADLINE
    while time.monotonic() < deadline:
        if not program.alive:
            raise processes.Died(f"{program.name} ended before it was ready:\n{program.tail()}")
        # Refused connections and half-written certificates are what "not yet" looks like.
        with contextlib.suppress(OSError):
            if ready():
                return
        time.sleep(0.05)
    raise processes.Died(f"{program.name} was not ready within {DEADLINE:.0f} s:\n{program.tail()}")
