"""`argosy freeze`, `override`, `unfreeze` against a hub's API."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from hubapi import ADMIN_TOKEN, ApiThread, RunningApi

from hub.cli import kubeconfig, main
from hub.cli.client import Client
from hub.cli.resources import FREEZES
from hub.core.served import table
from hub.store import audit


@pytest.fixture
def api(tmp_path: Path) -> Iterator[RunningApi]:
    thread = ApiThread(tmp_path)
    yield thread.start()
    thread.stop()


class Command:
    """Runs `argosy` in this process."""

    def __init__(
        self, api: RunningApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self._config = str(api.kubeconfig_of(ADMIN_TOKEN))
        self._capsys = capsys
        self._monkeypatch = monkeypatch
        self.warned = ""

    def __call__(self, *words: str, code: int = 0) -> str:
        self._monkeypatch.setattr(sys, "argv", ["argosy", *words, "--kubeconfig", self._config])
        with pytest.raises(SystemExit) as end:
            main.main()
        said = self._capsys.readouterr()
        self.warned = said.err
        assert (end.value.code or 0) == code, said.err
        return said.out if code == 0 else said.err


@pytest.fixture
def argosy(api: RunningApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return Command(api, capsys, monkeypatch)


def test_a_freeze_is_made_seen_and_ended(argosy: Command, api: RunningApi) -> None:
    said = argosy(
        "freeze", "--cluster", "red", "-l", "env=prod", "--reason", "audit", "--for", "2h", "--name", "q4"
    )
    assert said.startswith("freeze.argosy.dev/q4 until 2")
    (made,) = orjson.loads(argosy("freeze", "list", "-o", "json"))["items"]
    spec = made["spec"]
    assert (spec["clusters"], spec["clusterSelector"]) == (["red"], {"matchLabels": {"env": "prod"}})
    assert spec["person"] == "ada"
    shown = argosy("freeze", "list")
    assert "Active" in shown
    assert "audit" in shown
    assert argosy("unfreeze", "q4") == "freeze.argosy.dev/q4 ended\n"
    assert argosy("freeze", "list", "-o", "name") == ""


def test_what_a_freeze_names_and_nobody_has_is_warned_of(argosy: Command, api: RunningApi) -> None:
    """A slip of the pen at three in the morning would protect nothing."""
    cluster = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": "red"},
        "spec": {},
    }
    api.write(lambda tx: api.resources.create(tx, table.CLUSTER, cluster, manager="test", now=1.0))
    always = ("--reason", "r", "--for", "1h")
    argosy("freeze", "--cluster", "red", *always)
    assert argosy.warned == ""
    argosy("freeze", "--cluster", "rde", "--app", "team/web", *always)
    assert argosy.warned.splitlines() == [
        "warning: there is no cluster rde now; it counts once there is one",
        "warning: there is no app team/web now; it counts once there is one",
    ]
    argosy("freeze", "-l", "env=prod", "--appset", "x", *always)
    assert "no appset x" in argosy.warned
    assert "no cluster with env=prod" in argosy.warned


def test_an_override_is_recorded_with_who_made_it(argosy: Command, api: RunningApi) -> None:
    argosy("freeze", "override", "--app", "web", "--reason", "fire", "--for", "30m", "--name", "o")
    made = api.read(lambda tx: api.resources.get(tx, table.OVERRIDE, "", "o"))
    assert made is not None
    assert made["spec"]["person"] == "ada"
    (record, *_) = api.read(lambda tx: audit.newest(tx, 1))
    assert (record.username, record.verb, record.resource, record.name) == (
        "ada",
        "create",
        "argosy.dev/overrides",
        "o",
    )


def test_nobody_signs_for_somebody_else(api: RunningApi, argosy: Command) -> None:
    argosy("freeze", "--fleet", "--reason", "r", "--for", "1h", "--name", "mine", "--heal")
    body = {"spec": {"person": "bob", "reason": "other"}}
    access = kubeconfig.resolve(
        kubeconfig.Choice(kubeconfig=str(api.kubeconfig_of(ADMIN_TOKEN))), {}, api.folder
    )
    changed = Client(access).merge(FREEZES.path(name="mine"), body)
    assert changed["spec"]["person"] == "ada"
    assert changed["spec"]["reason"] == "other"
    assert changed["spec"]["heal"] is True


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "expected one of --fleet"),
        (("--fleet",), "expected --reason"),
        (("--fleet", "--reason", "r"), "expected --for"),
        (("--fleet", "--selector", "env"), "env=prod"),
    ],
)
def test_what_lacks_is_named(argosy: Command, words: tuple[str, ...], said: str) -> None:
    assert said in argosy("freeze", *words, code=2)


def test_unfreeze_wants_names_or_all(argosy: Command) -> None:
    assert "--all" in argosy("unfreeze", code=2)
    argosy("freeze", "--fleet", "--reason", "r", "--for", "1h", "--name", "a")
    argosy("freeze", "--app", "x", "--reason", "r", "--for", "1h", "--name", "b")
    assert argosy("unfreeze", "--all").splitlines() == [
        "freeze.argosy.dev/a ended",
        "freeze.argosy.dev/b ended",
    ]
