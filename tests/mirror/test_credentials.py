"""Argo CD's repository Secrets open what they should, nothing else, and show nowhere."""

from __future__ import annotations

import asyncio
import base64
import shutil
import socket
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from githttp import FaultyGitServer, commit, create

from argosy.errors import Invalid, Unavailable
from hub.core.matching import semver
from hub.core.secret import texts
from hub.git.command import Settings, environment
from hub.git.credentials import Access, Credentials, Keyring, keyring
from hub.git.mirror import Mirrors

PASSWORD = "s3cret-Pa$$ 'word\"%"


def secret(kind: str, *, text: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {
        "metadata": {"name": "s", "labels": {"argocd.argoproj.io/secret-type": kind}},
        "data": encoded,
        "stringData": text or {},
    }


def mirrors(folder: Path, keys: Keyring) -> Mirrors:
    return Mirrors(folder, highest=semver.highest, settings=Settings(list_seconds=60), keyring=keys)


async def test_a_password_opens_and_a_wrong_one_does_not(tmp_path: Path) -> None:
    server = FaultyGitServer(tmp_path, user="me", password=PASSWORD)
    wanted = commit(create(tmp_path, "app"), {"a.txt": "1"})
    url = server.url("app")
    keys = keyring([secret("repository", url=url, username="me", text={"password": PASSWORD})])
    good = mirrors(tmp_path / "good", keys)
    assert (await good.tree(url, wanted)).read("a.txt") == b"1"
    for wrong in (keyring([secret("repository", url=url, username="me", password="wrong-one")]), Keyring()):
        bad = mirrors(tmp_path / "bad", wrong)
        with pytest.raises(Unavailable) as failure:
            await bad.refs(url)
        assert "wrong-one" not in failure.value.message
    everything = b"".join(path.read_bytes() for path in (tmp_path / "good").rglob("*") if path.is_file())
    assert b"s3cret" not in everything
    await good.close()
    server.close()


async def test_a_bearer_token_opens(tmp_path: Path) -> None:
    server = FaultyGitServer(tmp_path, token="tok-123456")
    wanted = commit(create(tmp_path, "app"), {"a.txt": "1"})
    url = server.url("app")
    opened = mirrors(tmp_path / "m", keyring([secret("repository", url=url, bearerToken="tok-123456")]))
    assert (await opened.refs(url))["HEAD"] == wanted
    server.close()


async def test_a_password_in_the_address_is_used_and_not_shown(tmp_path: Path) -> None:
    server = FaultyGitServer(tmp_path, user="me", password="in-address")
    wanted = commit(create(tmp_path, "app"), {"a.txt": "1"})
    url = server.url("app").replace("://", "://me:in-address@")
    opened = mirrors(tmp_path / "m", Keyring())
    assert (await opened.refs(url))["HEAD"] == wanted
    with pytest.raises(Unavailable) as failure:
        await opened.refs(url.replace("app", "absent"))
    assert "in-address" not in failure.value.message
    server.close()


async def test_a_redirect_does_not_carry_the_password_to_another_host(tmp_path: Path) -> None:
    heard: list[str] = []

    class Thief(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.headers.get("Authorization", ""))
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="give"')
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    thief = HTTPServer(("127.0.0.1", 0), Thief)

    class Redirect(Thief):
        def do_GET(self) -> None:
            self.send_response(301)
            self.send_header("Location", f"http://localhost:{thief.server_address[1]}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    front = HTTPServer(("127.0.0.1", 0), Redirect)
    for one in (thief, front):
        threading.Thread(target=one.serve_forever, args=(0.05,), daemon=True).start()
    url = f"http://127.0.0.1:{front.server_address[1]}/app"
    keys = keyring([secret("repository", url=url, username="me", password="stolen?")])
    with pytest.raises(Unavailable):
        await mirrors(tmp_path / "m", keys).refs(url)
    assert heard
    assert set(heard) == {""}
    for one in (thief, front):
        one.shutdown()
        one.server_close()


def test_the_longest_prefix_wins_and_a_repositorys_own_secret_beats_it() -> None:
    keys = keyring(
        [
            secret("repo-creds", url="https://git.example.com/", username="all"),
            secret("repo-creds", url="https://git.example.com/team", username="team"),
            secret("repository", url="https://GIT.example.com/team/own.git", username="own"),
            secret("repository", url="https://git.example.com/team/plain"),
            secret("repo-creds", url="git@git.example.com:team/", sshPrivateKey="KEY"),
            secret("repository", url="https://charts.example.com", type="helm", username="helm"),
            {"metadata": {"labels": {"argocd.argoproj.io/secret-type": "cluster"}}},
        ]
    )

    def user(url: str) -> str:
        return keys.access(url).credentials.username

    assert user("https://git.example.com/other/x") == "all"
    assert user("https://git.example.com/team/x.git") == "team"
    assert user("https://git.example.com/team/own") == "own"
    assert user("https://git.example.com/team/plain.git") == "team"
    assert user("https://charts.example.com") == ""
    assert user("https://elsewhere.example.com/team/x") == ""
    assert keys.access("ssh://git@git.example.com/team/x").credentials.ssh_private_key == "KEY"


@pytest.mark.parametrize(
    ("prefix", "url", "opens"),
    [
        ("https://git.example.com", "https://git.example.com/a", True),
        ("https://git.example.com", "https://git.example.com:8443/a", True),
        ("https://git.example.com", "https://git.example.com.thief.net/a", False),
        ("https://git.example.com", "https://git.example.community/a", False),
        ("https://git.example.com", "https://git.example.com:x@thief.net/a", False),
        ("https://git.example.com/team-", "https://git.example.com/team-a/b", True),
        ("git@git.example.com", "git@git.example.com:a/b", True),
        ("git@git.example.com", "git@git.example.com.thief.net:a/b", False),
    ],
)
def test_a_prefix_without_a_path_opens_its_host_and_no_longer_name(
    prefix: str, url: str, *, opens: bool
) -> None:
    keys = keyring([secret("repo-creds", url=prefix, username="me")])
    assert keys.access(url).credentials.username == ("me" if opens else "")


def test_what_is_not_supported_is_refused_by_name(tmp_path: Path) -> None:
    access = keyring([secret("repository", url="https://g.example.com/a", githubAppID="1")]).access(
        "https://g.example.com/a"
    )
    with pytest.raises(Invalid, match="githubAppID is not supported"):
        environment("https://g.example.com/a", access, Settings(), str(tmp_path))


def test_certificates_and_proxy_reach_git_by_its_environment(tmp_path: Path) -> None:
    maps = [
        {"metadata": {"name": "argocd-tls-certs-cm"}, "data": {"g.example.com": "PEM-CA"}},
        {
            "metadata": {"name": "argocd-ssh-known-hosts-cm"},
            "data": {"ssh_known_hosts": "g.example.com ssh-rsa X"},
        },
    ]
    fields = {"tlsClientCertData": "CERT", "tlsClientCertKey": "KEY", "proxy": "http://p:1", "noProxy": "x"}
    keys = keyring([secret("repository", url="https://g.example.com/a", **fields)], maps)
    found = environment(
        "https://g.example.com/a", keys.access("https://g.example.com/a"), Settings(), str(tmp_path)
    )
    config = {
        found[f"GIT_CONFIG_KEY_{at}"]: found[f"GIT_CONFIG_VALUE_{at}"]
        for at in range(int(found["GIT_CONFIG_COUNT"]))
    }
    assert Path(config["http.sslCAInfo"]).read_text() == "PEM-CA"
    assert Path(config["http.sslKey"]).read_text() == "KEY"
    assert Path(config["http.sslKey"]).stat().st_mode & 0o777 == 0o600
    assert (config["http.proxy"], found["no_proxy"]) == ("http://p:1", "x")
    assert "file" not in found["GIT_ALLOW_PROTOCOL"].split(":")
    (tmp_path / "ssh").mkdir()
    over_ssh = environment(
        "git@g.example.com:a", keys.access("git@g.example.com:a"), Settings(), str(tmp_path / "ssh")
    )
    assert "StrictHostKeyChecking=yes" in over_ssh["GIT_SSH_COMMAND"]
    assert (tmp_path / "ssh/known_hosts").read_text() == "g.example.com ssh-rsa X"


def test_secrets_are_hidden_in_what_git_says_and_in_their_own_text() -> None:
    held = Credentials(password="pa55word", bearer_token="t0ken")
    assert "pa55word" not in repr(Access(held))
    assert (
        Access(held).hide("fatal: pa55word t0ken at https://u:x9@h/") == "fatal: *** *** at https://u:***@h/"
    )


def test_string_data_wins_and_what_is_no_text_is_left_out() -> None:
    found = texts(
        {
            "data": {"a": base64.b64encode(b"old").decode(), "b": "%%%", "c": "/w=="},
            "stringData": {"a": "new", "d": True},
        }
    )
    assert found == {"a": "new", "d": "true"}


async def _head(folder: Path, keys: Keyring, url: str) -> str:
    return (await mirrors(folder, keys).refs(url))["HEAD"]


@pytest.mark.skipif(shutil.which("sshd") is None, reason="sshd is not installed")
def test_a_key_opens_over_ssh(tmp_path: Path) -> None:
    wanted = commit(create(tmp_path, "app"), {"a.txt": "1"})
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / name)], check=True
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shutil.copy(tmp_path / "user.pub", tmp_path / "authorized")
    options = [
        f"HostKey={tmp_path}/host",
        f"AuthorizedKeysFile={tmp_path}/authorized",
        "StrictModes=no",
        "UsePAM=no",
    ]
    arguments = [part for option in options for part in ("-o", option)]
    daemon = subprocess.Popen(
        [str(shutil.which("sshd")), "-D", "-f", "/dev/null", "-p", str(port), *arguments]
    )
    url = f"ssh://root@127.0.0.1:{port}{tmp_path}/app.git"
    known = f"[127.0.0.1]:{port} {(tmp_path / 'host.pub').read_text()}"
    maps = [{"metadata": {"name": "argocd-ssh-known-hosts-cm"}, "data": {"ssh_known_hosts": known}}]
    keys = keyring([secret("repository", url=url, sshPrivateKey=(tmp_path / "user").read_text())], maps)
    try:
        assert asyncio.run(_head(tmp_path / "m", keys, url)) == wanted
    finally:
        daemon.terminate()
        daemon.wait()
