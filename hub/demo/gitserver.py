"""A small Git server over smart HTTP for this machine: what the demo clones from and pushes to, and tests
break.

It puts Git's own `git http-backend` behind Python's HTTP server, so what mirrors talk to is a real Git
server. It listens on loopback and is no server for the world.
"""

from __future__ import annotations

import base64
import os
import secrets
import subprocess
import threading
import urllib.parse
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO

_CHUNK = 64 * 1024


class GitServer:
    """Serves the bare repositories below `root`. `user` and `password`, or `token`, close it to everybody
    else.

    `requests` counts what came, by service: "listing" (info/refs), "fetch" (upload-pack), "push"
    (receive-pack).
    """

    def __init__(
        self,
        root: Path,
        *,
        user: str = "",
        password: str = "",
        token: str = "",
        writable: bool = False,
        port: int = 0,
    ) -> None:
        self.root = root
        self.writable = writable
        self.requests: dict[str, int] = {"listing": 0, "fetch": 0, "push": 0}
        self._accepted = _accepted(user, password, token)
        server = self
        self._lock = threading.Lock()

        class Handler(_Handler):
            owner = server

        self._http = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._http.server_address[1])

    def url(self, name: str) -> str:
        """The address of a repository by its name, with `.git`."""
        return f"http://127.0.0.1:{self.port}/{name}.git"

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def permits(self, header: str) -> bool:
        """Whether a request with this Authorization header may go on."""
        return self._accepted is None or secrets.compare_digest(header.encode(), self._accepted.encode())

    def count(self, service: str) -> None:
        with self._lock:
            self.requests[service] += 1

    def answer(self, handler: _Handler, service: str, body: BinaryIO) -> None:
        """Copies what the backend says to the client. Tests put their faults here."""
        handler.pass_on(body)


def _accepted(user: str, password: str, token: str) -> str | None:
    if token:
        return f"Bearer {token}"
    if user or password:
        return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
    return None


class _Handler(BaseHTTPRequestHandler):
    owner: GitServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it so
        """Says nothing: the demo's lines are for people."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def pass_on(self, body: BinaryIO) -> None:
        """The backend's CGI answer as HTTP, in chunks."""
        self.begin(body)
        while chunk := body.read1(_CHUNK):  # type: ignore[attr-defined]
            self.chunk(chunk)
        self.chunk(b"")

    def begin(self, body: BinaryIO) -> None:
        """Status and headers of a CGI answer."""
        status, headers = 200, []
        while (line := body.readline().strip()) != b"":
            name, _, value = line.decode("latin-1").partition(":")
            if name.lower() == "status":
                status = int(value.split()[0])
            else:
                headers.append((name, value.strip()))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _serve(self) -> None:
        path, _, query = self.path.partition("?")
        service = _service(path, query)
        self.owner.count(service)
        if not self.owner.permits(self.headers.get("Authorization", "")):
            self._refuse(401, ("WWW-Authenticate", 'Basic realm="git"'))
        elif service == "push" and not self.owner.writable:
            self._refuse(403)
        else:
            self._backend(path, query, service)

    def _refuse(self, status: int, *headers: tuple[str, str]) -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()

    def _backend(self, path: str, query: str, service: str) -> None:
        env = {
            "PATH": os.environ.get("PATH", os.defpath),
            "GIT_PROJECT_ROOT": str(self.owner.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "PATH_INFO": urllib.parse.unquote(path),
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "REMOTE_USER": "git" if self.owner.writable else "",
            "REMOTE_ADDR": "127.0.0.1",
            **_git_config({"safe.directory": "*", "uploadpack.allowAnySHA1InWant": "true"}),
        }
        body = self._body()
        if "Content-Encoding" not in self.headers:
            env["CONTENT_LENGTH"] = str(len(body))
        with subprocess.Popen(
            ["git", "http-backend"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=env,
        ) as backend:
            assert backend.stdin is not None
            assert backend.stdout is not None
            feeder = threading.Thread(target=_feed, args=(backend.stdin, body), daemon=True)
            feeder.start()
            try:
                self.owner.answer(self, service, backend.stdout)  # type: ignore[arg-type]
            except OSError:
                self.close_connection = True
            finally:
                backend.kill()
                feeder.join()

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts: list[bytes] = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)


def _feed(into: Any, body: bytes) -> None:
    try:
        into.write(body)
        into.close()
    except OSError:
        return


def _git_config(values: Mapping[str, str]) -> dict[str, str]:
    found = {"GIT_CONFIG_COUNT": str(len(values))}
    for number, (key, value) in enumerate(values.items()):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def _service(path: str, query: str) -> str:
    if path.endswith("/info/refs"):
        return "push" if "git-receive-pack" in query else "listing"
    return "push" if path.endswith("/git-receive-pack") else "fetch"


def create(root: Path, name: str) -> Path:
    """Makes an empty bare repository with the default branch `main`; pushes over HTTP are accepted."""
    path = root / f"{name}.git"
    subprocess.run(["git", "init", "--quiet", "--bare", "--initial-branch=main", str(path)], check=True)
    subprocess.run(["git", "--git-dir", str(path), "config", "http.receivepack", "true"], check=True)
    return path


def commit(
    repo: Path,
    files: Mapping[str, bytes | str | None],
    message: str = "Change",
    *,
    branch: str = "main",
    time: int = 0,
) -> str:
    """Puts a commit on top of a branch of a bare repository, without a checkout; None deletes a file or
    folder.

    `time` is in Unix seconds; 0 is a fixed day, so that equal content gives equal ids. Returns the commit id.
    """
    known = _git(repo, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")
    lines = [
        f"commit refs/heads/{branch}\n",
        f"committer Argosy <argosy@example.com> {time or 1_700_000_000} +0000\n",
    ]
    parts = ["".join(lines).encode(), _data(message.encode())]
    if known:
        parts.append(f"from {known}\n".encode())
    for path, content in files.items():
        if content is None:
            parts.append(f"D {path}\n".encode())
        else:
            raw = content.encode() if isinstance(content, str) else content
            parts.append(f"M 100644 inline {path}\n".encode() + _data(raw))
    subprocess.run(
        ["git", "--git-dir", str(repo), "fast-import", "--quiet"], input=b"".join(parts), check=True
    )
    return _git(repo, "rev-parse", f"refs/heads/{branch}")


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _git(repo: Path, *args: str) -> str:
    done = subprocess.run(["git", "--git-dir", str(repo), *args], check=True, capture_output=True, text=True)
    return done.stdout.strip()
