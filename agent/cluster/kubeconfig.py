"""Where the API server is and how to prove who we are: kubeconfig files and the in-cluster service account.

Read by ourselves because the official loader costs a second and 20 MB at the start (measured with kubernetes
37); only users with a legacy `auth-provider` go through it, in `agent/cluster/kube.py`. Tokens from files and
commands are fetched again when they expire. No token is ever logged.
"""

from __future__ import annotations

import asyncio
import base64
import os
import ssl
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from agent.core import marks
from argosy import yamlio
from argosy.errors import Invalid, Unavailable

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FILE_LIFE = 60.0
EXEC_LIFE = 300.0
EXEC_TIMEOUT = 60.0


@dataclass
class Credentials:
    """How to reach one API server. `token` is None where a client certificate speaks for us."""

    server: str
    tls: ssl.SSLContext | None
    static_token: str = ""
    token_file: Path | None = None
    command: Mapping[str, Any] | None = None
    basic: str = ""
    legacy_user: bool = False
    """The user needs the official client's loader."""
    _token: str = field(default="", repr=False)
    _until: float = 0.0

    async def authorization(self, *, renew: bool = False) -> str:
        """The Authorization header, "" for none. `renew` after the server refused the last one."""
        if self.basic:
            return self.basic
        if self.token_file is None and self.command is None:
            return f"Bearer {self.static_token}" if self.static_token else ""
        if renew or time.time() >= self._until:
            await self._fetch()
        return f"Bearer {self._token}" if self._token else ""

    async def _fetch(self) -> None:
        if self.token_file is not None:
            try:
                self._token = self.token_file.read_text().strip()
            except OSError as error:
                raise Unavailable(f"token file {self.token_file}: {error.strerror}") from None
            self._until = time.time() + FILE_LIFE
            return
        assert self.command is not None
        status = await run_exec(self.command)
        self._token = str(status.get("token") or "")
        self._until = _expiry(status.get("expirationTimestamp"))
        if status.get("clientCertificateData") and self.tls is not None:
            _load_chain(self.tls, status["clientCertificateData"].encode(), status["clientKeyData"].encode())


def _expiry(text: Any) -> float:
    if not text:
        return time.time() + EXEC_LIFE
    return datetime.fromisoformat(str(text)).timestamp() - 10.0


async def run_exec(command: Mapping[str, Any]) -> Mapping[str, Any]:
    """The `status` of an exec credential plugin (client.authentication.k8s.io)."""
    name = str(command.get("command") or "")
    version = str(command.get("apiVersion") or "client.authentication.k8s.io/v1")
    info = {"apiVersion": version, "kind": "ExecCredential", "spec": {"interactive": False}}
    extra = {str(item["name"]): str(item["value"]) for item in command.get("env") or ()}
    environment = {**os.environ, **extra, "KUBERNETES_EXEC_INFO": orjson.dumps(info).decode()}
    try:
        process = await asyncio.create_subprocess_exec(
            name,
            *[str(item) for item in command.get("args") or ()],
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
        )
    except OSError as error:
        raise Unavailable(f"credential command {name}: {error.strerror}") from None
    try:
        async with asyncio.timeout(EXEC_TIMEOUT):
            out, problem = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise Unavailable(f"credential command {name}: no answer in {EXEC_TIMEOUT:.0f} s") from None
    if process.returncode != 0:
        text = problem.decode(errors="replace").strip()[:300]
        raise Unavailable(f"credential command {name}: exit {process.returncode}: {text}")
    try:
        status = orjson.loads(out).get("status")
    except (orjson.JSONDecodeError, AttributeError):
        status = None
    if not isinstance(status, dict):
        raise Unavailable(f"credential command {name}: its answer is no ExecCredential with a status")
    return status


def in_cluster() -> Credentials:
    """The pod's own service account. Raises `Invalid` outside of a pod."""
    host, port = (
        os.environ.get("KUBERNETES_SERVICE_HOST", ""),
        os.environ.get("KUBERNETES_SERVICE_PORT", "443"),
    )
    token = SERVICE_ACCOUNT / "token"
    if not host or not token.exists():
        raise Invalid("no kubeconfig was given and this is no pod with a service account")
    context = ssl.create_default_context(cafile=str(SERVICE_ACCOUNT / "ca.crt"))
    shown = f"[{host}]" if ":" in host else host
    return Credentials(f"https://{shown}:{port}", context, token_file=token)


def own_namespaces() -> frozenset[str]:
    """Where the agent itself lives: its inventories' namespace, and in a pod the pod's."""
    try:
        mine = (SERVICE_ACCOUNT / "namespace").read_text().strip()
    except OSError:
        mine = ""
    return frozenset({marks.NAMESPACE, mine} - {""})


def load(path: Path, context: str = "") -> Credentials:
    """One context of a kubeconfig file, else its current one. Raises `Invalid` naming file and field."""
    try:
        documents = yamlio.load_all(path.read_bytes(), source=str(path))
    except OSError as error:
        raise Invalid(f"kubeconfig {path}: {error.strerror}") from None
    config = documents[0] if documents and isinstance(documents[0], dict) else {}
    name = context or str(config.get("current-context") or "")
    chosen = _named(config, "contexts", name, "context", path)
    cluster = _named(config, "clusters", str(chosen.get("cluster") or ""), "cluster", path)
    user = _named(config, "users", str(chosen.get("user") or ""), "user", path) if chosen.get("user") else {}
    server = str(cluster.get("server") or "").rstrip("/")
    if not server:
        raise Invalid(f"kubeconfig {path}: cluster {chosen.get('cluster')!r} has no server")
    tls = _tls(cluster, user, path.parent) if server.startswith("https://") else None
    token_file = path.parent / str(user["tokenFile"]) if user.get("tokenFile") else None
    basic = ""
    if user.get("username"):
        pair = f"{user['username']}:{user.get('password') or ''}"
        basic = "Basic " + base64.b64encode(pair.encode()).decode()
    return Credentials(
        server,
        tls,
        static_token=str(user.get("token") or ""),
        token_file=token_file,
        command=user.get("exec"),
        basic=basic,
        legacy_user="auth-provider" in user,
    )


def _named(config: Mapping[str, Any], section: str, name: str, part: str, path: Path) -> Mapping[str, Any]:
    for entry in config.get(section) or ():
        if isinstance(entry, dict) and entry.get("name") == name and isinstance(entry.get(part), dict):
            found: Mapping[str, Any] = entry[part]
            return found
    raise Invalid(f"kubeconfig {path}: {section} has no entry named {name!r}")


def _tls(cluster: Mapping[str, Any], user: Mapping[str, Any], folder: Path) -> ssl.SSLContext:
    authority = _data(cluster, "certificate-authority", folder)
    try:
        context = ssl.create_default_context(cadata=authority.decode() if authority else None)
        if cluster.get("insecure-skip-tls-verify"):
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        certificate, key = _data(user, "client-certificate", folder), _data(user, "client-key", folder)
        if certificate and key:
            _load_chain(context, certificate, key)
    except (ssl.SSLError, ValueError) as error:
        raise Invalid(f"kubeconfig: certificates are not usable: {error}") from None
    return context


def _data(entry: Mapping[str, Any], name: str, folder: Path) -> bytes | None:
    if entry.get(f"{name}-data"):
        return base64.b64decode(str(entry[f"{name}-data"]))
    if entry.get(name):
        try:
            return (folder / str(entry[name])).read_bytes()
        except OSError as error:
            raise Invalid(f"kubeconfig: {name} {entry[name]}: {error.strerror}") from None
    return None


def _load_chain(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    # OpenSSL takes files only; this one is ours alone and lives for a moment.
    with tempfile.NamedTemporaryFile(prefix="argosy-") as file:
        file.write(certificate + b"\n" + key)
        file.flush()
        context.load_cert_chain(file.name)
