"""Where the hub's API is and who we are: kubeconfig files, as kubectl reads them, into one `Access`.

Files are merged in the order of `$KUBECONFIG`: the first file that names a context, cluster or user wins.
Knows nothing of HTTP; the only input besides its arguments is the files they name.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from argosy import yamlio
from argosy.errors import Invalid, NotFound
from hub.core.types import NAMESPACE


@dataclass(frozen=True, slots=True)
class Access:
    """One API server and one identity. Certificates and keys are PEM bytes, empty where there is none."""

    server: str
    namespace: str = NAMESPACE
    ca: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    token: str = ""
    server_name: str = ""
    insecure: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """What the command line said about access; "" where it said nothing."""

    server: str = ""
    kubeconfig: str = ""
    context: str = ""
    token: str = ""
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A named entry of a kubeconfig and the file it is from, which relative paths are relative to."""

    body: dict[str, Any]
    file: Path


def resolve(choice: Choice, environ: Mapping[str, str], home: Path) -> Access:
    """Finds the API by flags, then `$ARGOSY_KUBECONFIG`, then `$KUBECONFIG`, then `~/.kube/config`.

    Raises `NotFound` where nothing tells the server, `Invalid` for a file that cannot be used.
    """
    token = choice.token or environ.get("ARGOSY_TOKEN", "")
    files = _files(choice, environ, home)
    if not files and not choice.server:
        raise NotFound(
            "no kubeconfig: --kubeconfig, $ARGOSY_KUBECONFIG and $KUBECONFIG are not set and "
            f"{home / '.kube' / 'config'} does not exist; the hub writes one to DIR/admin.kubeconfig"
        )
    access = _read(files, choice.context) if files else Access(server="")
    if choice.server:
        access = replace(access, server=_address(choice.server, "--server"))
    if choice.ca_file:
        access = replace(access, ca=_bytes(Path(choice.ca_file), "--certificate-authority"))
    return replace(access, token=token) if token else access


def _files(choice: Choice, environ: Mapping[str, str], home: Path) -> list[Path]:
    if choice.kubeconfig:
        return [_present(Path(choice.kubeconfig), "--kubeconfig")]
    for variable in ("ARGOSY_KUBECONFIG", "KUBECONFIG"):
        named = [Path(part) for part in environ.get(variable, "").split(os.pathsep) if part]
        present = [path for path in named if path.exists()]
        if present:
            return present
        if named and not choice.server:
            raise NotFound(f"${variable}: {named[0]} does not exist")
    default = home / ".kube" / "config"
    return [default] if default.exists() else []


def _present(path: Path, where: str) -> Path:
    if not path.exists():
        raise NotFound(f"{where}: {path} does not exist")
    return path


def _read(files: list[Path], context: str) -> Access:
    contexts: dict[str, _Entry] = {}
    clusters: dict[str, _Entry] = {}
    users: dict[str, _Entry] = {}
    current = context
    for file in files:
        body = _document(file)
        current = current or str(body.get("current-context") or "")
        for names, plural, singular in (
            (contexts, "contexts", "context"),
            (clusters, "clusters", "cluster"),
            (users, "users", "user"),
        ):
            for entry in body.get(plural) or []:
                names.setdefault(str(entry.get("name")), _Entry(entry.get(singular) or {}, file))
    where = ", ".join(map(str, files))
    if not current:
        raise Invalid(f"{where}: no current-context; contexts here: {', '.join(contexts) or 'none'}")
    chosen = _named(contexts, current, "context", where)
    cluster = _named(clusters, str(chosen.body.get("cluster") or ""), "cluster", where)
    user_name = str(chosen.body.get("user") or "")
    user = _named(users, user_name, "user", where) if user_name else _Entry({}, chosen.file)
    return _access(chosen, cluster, user)


def _document(file: Path) -> dict[str, Any]:
    body = yamlio.load_first(_bytes(file, "kubeconfig"), source=str(file))
    if not isinstance(body, dict):
        raise Invalid(f"{file}: expected a kubeconfig (kind: Config), found {type(body).__name__}")
    return body


def _named(entries: dict[str, _Entry], name: str, kind: str, where: str) -> _Entry:
    if name not in entries:
        raise Invalid(f'{where}: no {kind} "{name}"; found: {", ".join(entries) or "none"}')
    return entries[name]


def _access(context: _Entry, cluster: _Entry, user: _Entry) -> Access:
    for plugin in ("exec", "auth-provider"):
        if plugin in user.body:
            raise Invalid(
                f"{user.file}: the user's `{plugin}` is not supported; give a certificate or a token"
            )
    token = str(user.body.get("token") or "")
    if not token and user.body.get("tokenFile"):
        token = (
            _bytes(user.file.parent / str(user.body["tokenFile"]), f"{user.file}: tokenFile").decode().strip()
        )
    return Access(
        server=_address(str(cluster.body.get("server") or ""), f"{cluster.file}: server"),
        namespace=str(context.body.get("namespace") or NAMESPACE),
        ca=_data_or_file(cluster, "certificate-authority"),
        certificate=_data_or_file(user, "client-certificate"),
        key=_data_or_file(user, "client-key"),
        token=token,
        server_name=str(cluster.body.get("tls-server-name") or ""),
        insecure=cluster.body.get("insecure-skip-tls-verify") is True,
    )


def _data_or_file(entry: _Entry, name: str) -> bytes:
    data = entry.body.get(f"{name}-data")
    if data:
        try:
            return base64.b64decode(str(data), validate=True)
        except binascii.Error as error:
            raise Invalid(f"{entry.file}: {name}-data is not base64: {error}") from None
    path = entry.body.get(name)
    return _bytes(entry.file.parent / str(path), f"{entry.file}: {name}") if path else b""


def _bytes(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Invalid(f"{where}: {path}: {error.strerror}") from None


def _address(server: str, where: str) -> str:
    if not server.startswith(("https://", "http://")):
        raise Invalid(f'{where}: expected an address such as https://hub.example:6443, found "{server}"')
    return server.rstrip("/")


def render(access: Access, *, name: str = "argosy") -> str:
    """A self-contained kubeconfig that gives the same access."""
    cluster: dict[str, Any] = {"server": access.server}
    if access.ca:
        cluster["certificate-authority-data"] = _encoded(access.ca)
    if access.server_name:
        cluster["tls-server-name"] = access.server_name
    if access.insecure:
        cluster["insecure-skip-tls-verify"] = True
    user: dict[str, Any] = {}
    if access.certificate:
        user["client-certificate-data"] = _encoded(access.certificate)
    if access.key:
        user["client-key-data"] = _encoded(access.key)
    if access.token:
        user["token"] = access.token
    return yamlio.dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [
                {"name": name, "context": {"cluster": name, "user": name, "namespace": access.namespace}}
            ],
        }
    )


def _encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()
