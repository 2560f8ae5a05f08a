"""How the command finds the hub's API: flags, variables, files, in kubectl's way."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from argosy import yamlio
from argosy.errors import Invalid, NotFound
from hub.cli import kubeconfig
from hub.cli.kubeconfig import Access, Choice


def config(name: str, **user: Any) -> str:
    return yamlio.dump(
        {
            "kind": "Config",
            "current-context": name,
            "clusters": [{"name": name, "cluster": {"server": f"https://{name}:6443/"}}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        }
    )


def written(folder: Path, name: str, **user: Any) -> str:
    file = folder / f"{name}.kubeconfig"
    file.write_text(config(name, **user))
    return str(file)


def test_the_first_place_that_is_set_wins(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text(config("home"))
    one, two, three = (written(tmp_path, name) for name in ("one", "two", "three"))
    both = {"ARGOSY_KUBECONFIG": two, "KUBECONFIG": three}

    def server(choice: Choice, environ: dict[str, str]) -> str:
        return kubeconfig.resolve(choice, environ, tmp_path).server

    assert server(Choice(kubeconfig=one), both) == "https://one:6443"
    assert server(Choice(), both) == "https://two:6443"
    assert server(Choice(), {"KUBECONFIG": three}) == "https://three:6443"
    assert server(Choice(), {}) == "https://home:6443"
    assert server(Choice(kubeconfig=one, server="https://other"), both) == "https://other"


def test_files_of_a_list_are_merged_and_the_first_wins(tmp_path: Path) -> None:
    files = ":".join([written(tmp_path, "one"), written(tmp_path, "two", token="t")])
    access = kubeconfig.resolve(Choice(context="two"), {"KUBECONFIG": files}, tmp_path)
    assert (access.server, access.token) == ("https://two:6443", "t")
    assert kubeconfig.resolve(Choice(), {"KUBECONFIG": files}, tmp_path).server == "https://one:6443"


def test_certificates_are_inline_or_files_beside_the_kubeconfig(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(b"KEY")
    inline = base64.b64encode(b"CERT").decode()
    file = written(tmp_path, "one", **{"client-certificate-data": inline, "client-key": "key.pem"})
    access = kubeconfig.resolve(Choice(kubeconfig=file), {}, tmp_path)
    assert (access.certificate, access.key) == (b"CERT", b"KEY")


def test_a_token_of_the_environment_is_used_and_one_of_the_flags_wins(tmp_path: Path) -> None:
    file = written(tmp_path, "one", token="file")
    environ = {"ARGOSY_TOKEN": "environment"}
    assert kubeconfig.resolve(Choice(kubeconfig=file), {}, tmp_path).token == "file"
    assert kubeconfig.resolve(Choice(kubeconfig=file), environ, tmp_path).token == "environment"
    assert kubeconfig.resolve(Choice(kubeconfig=file, token="flag"), environ, tmp_path).token == "flag"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("just text", "expected a kubeconfig"),
        ("a: 1\na: 2\n]", ""),
        ("contexts: []", "no current-context"),
        (
            config("one").replace("current-context: one", "current-context: gone"),
            'no context "gone"; found: one',
        ),
        (config("one").replace("https://one:6443/", "one:6443"), 'found "one:6443"'),
        (config("one", exec={"command": "x"}), "`exec` is not supported"),
        (config("one", **{"client-key-data": "%%"}), "client-key-data is not base64"),
        (config("one", **{"client-key": "nowhere"}), "nowhere"),
    ],
)
def test_what_cannot_be_used_is_named(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "config"
    file.write_text(text)
    with pytest.raises(Invalid) as caught:
        kubeconfig.resolve(Choice(kubeconfig=str(file)), {}, tmp_path)
    assert says in caught.value.message
    assert str(file) in caught.value.message


def test_without_any_kubeconfig_the_message_says_where_it_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"KUBECONFIG.*does not exist"):
        kubeconfig.resolve(Choice(), {}, tmp_path)
    with pytest.raises(NotFound, match="--kubeconfig: /nowhere does not exist"):
        kubeconfig.resolve(Choice(kubeconfig="/nowhere"), {}, tmp_path)


def test_a_printed_kubeconfig_gives_the_same_access(tmp_path: Path) -> None:
    access = Access("https://hub:6443", "team", b"CA", b"CERT", b"KEY", "token", "name", True)
    file = tmp_path / "printed"
    file.write_text(kubeconfig.render(access))
    assert kubeconfig.resolve(Choice(kubeconfig=str(file)), {}, tmp_path) == access
