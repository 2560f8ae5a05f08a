"""The command against a real hub and a real agent with its cluster in memory, each a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson
import pytest

from argosy import yamlio
from argosy.errors import ArgosyError
from hub.cli import kubeconfig, main, waiting
from hub.cli.client import Client
from hub.cli.resources import APPS, APPSETS
from hub.demo import content, gitserver
from hub.demo.programs import Program

ANYWHERE = "127.0.0.1:0"
NAME = "alpha"


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str


@dataclass
class Fleet:
    """A hub with one joined cluster and the demo's set on it. `commit` is what it runs."""

    folder: Path
    client: Client
    commit: str

    @property
    def config(self) -> str:
        return str(self.folder / "hub/admin.kubeconfig")


def ready(hub: Program, folder: Path) -> Client:
    deadline = time.monotonic() + 60
    while True:
        hub.check()
        try:
            choice = kubeconfig.Choice(kubeconfig=str(folder / "hub/admin.kubeconfig"))
            client = Client(kubeconfig.resolve(choice, {}, folder), timeout=5)
            client.text("/readyz")
            return client
        except ArgosyError:
            assert time.monotonic() < deadline, hub.tail()
            time.sleep(0.1)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    git = gitserver.GitServer(folder, writable=True)
    repo = gitserver.create(folder, "fleet")
    commit = gitserver.commit(repo, content.first_commit(), "Start")
    serve = ["argosy-hub", "serve", "--data", str(folder / "hub"), "--grace", "1"]
    hub = Program("hub", [*serve, "--api", ANYWHERE, "--link", ANYWHERE], folder / "hub.log")
    agent: Program | None = None
    try:
        client = ready(hub, folder)
        environ = ["--kubeconfig", str(folder / "hub/admin.kubeconfig")]
        joined = process("join", NAME, "--label", "env=prod", "-o", "token", *environ)
        run = [
            "argosy-agent",
            "run",
            "--memory",
            "--state",
            str(folder / "agent"),
            "--join",
            joined.out.strip(),
        ]
        agent = Program("agent", run, folder / "agent.log")
        client.apply(APPSETS.path("argocd", content.SET), content.appset(git.url("fleet")))
        waited = process("wait", f"cluster/{NAME}", f"appset/{content.SET}", "--timeout", "100", *environ)
        assert waited.code == 0, waited.err + hub.tail() + agent.tail()
        yield Fleet(folder, client, commit)
    finally:
        for program in (agent, hub):
            if program is not None:
                program.end()
        git.close()


def process(*arguments: str) -> Said:
    """The command as users run it."""
    argosy = str(Path(sys.executable).parent / "argosy")
    done = subprocess.run([argosy, *arguments], capture_output=True, text=True, timeout=150, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


Run = Callable[..., Said]


@pytest.fixture
def argosy(fleet: Fleet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process, on the fleet."""
    monkeypatch.setenv("ARGOSY_KUBECONFIG", fleet.config)

    def run(*arguments: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["argosy", *arguments])
        code: int | str | None = 0
        try:
            main.main()
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        return Said(int(code or 0), said.out, said.err)

    return run


def test_status_counts_the_fleet(argosy: Run) -> None:
    said = argosy("status")
    assert said.code == 0
    assert "1 Ready" in said.out
    assert "3 Synced" in said.out
    assert "3 Healthy" in said.out
    assert orjson.loads(argosy("status", "-o", "json").out)["health"] == {"Healthy": 3}


@pytest.mark.parametrize(
    ("noun", "one"),
    [
        ("cluster", f"cluster.argosy.dev/{NAME}"),
        ("app", f"application.argoproj.io/web-{NAME}"),
        ("appset", f"applicationset.argoproj.io/{content.SET}"),
        ("release", f"release.argosy.dev/{content.SET}-1"),
    ],
)
def test_every_list_has_every_form(argosy: Run, noun: str, one: str) -> None:
    name = one.partition("/")[2]
    assert one in argosy(noun, "list", "-o", "name").out.splitlines()
    table, wide = argosy(noun, "list").out, argosy(noun, "list", "-o", "wide").out
    assert table.startswith("NAME")
    assert name in table
    assert len(wide.splitlines()[0]) >= len(table.splitlines()[0])
    as_json = orjson.loads(argosy(noun, "list", "-o", "json").out)
    assert as_json["kind"] == "List"
    assert name in {item["metadata"]["name"] for item in as_json["items"]}
    assert yamlio.load_first(argosy(noun, "list", "-o", "yaml").out, source="out")["items"]


def test_shows(argosy: Run, fleet: Fleet) -> None:
    cluster = argosy("cluster", "show", NAME).out
    assert "Ready" in cluster
    assert "env=prod" in cluster
    app = argosy("app", "show", f"web-{NAME}").out
    assert fleet.commit in app
    assert "Deployment.apps" in app
    assert any(line.split() == ["Cluster:", NAME] for line in app.splitlines())
    appset = argosy("appset", "show", content.SET).out
    assert "3, 3 Synced and Healthy" in appset
    assert any(line.split()[:2] == [f"web-{NAME}", NAME] for line in appset.splitlines())
    assert orjson.loads(argosy("app", "show", f"web-{NAME}", "-o", "json").out)["kind"] == "Application"


def test_where_knows_the_commit_and_refuses_another(argosy: Run, fleet: Fleet) -> None:
    said = argosy("where", fleet.commit[:8])
    assert said.code == 0, said.err
    row = next(line for line in said.out.splitlines() if line.startswith(NAME))
    assert "running it" in row
    assert "3/3" in row
    assert argosy("where", fleet.commit, "-o", "name").out.strip() == f"cluster/{NAME}"
    unknown = argosy("where", "0123456789")
    assert unknown.code == 1
    assert "0123456789" in unknown.err


def test_wait_blocks_on_a_commit(argosy: Run, fleet: Fleet) -> None:
    said = argosy("wait", fleet.commit[:10], "--timeout", "100")
    assert said.code == 0, said.err
    assert "1 running it" in said.out
    late = argosy("wait", "0123456789", "--timeout", "1s")
    assert late.code == 3
    assert "no repository in use has the commit 0123456789" in late.err
    counts = orjson.loads(argosy("where", fleet.commit, "-o", "json").out)
    assert counts["clusters"] == sum(counts["counts"].values()) == 1
    assert argosy("where", fleet.commit, "--state", "waiting", "-o", "name").out == ""
    assert argosy("where", fleet.commit, "--state", "nowhere").code == 1


def test_labels_are_set_and_removed(argosy: Run, fleet: Fleet) -> None:
    assert "tier=one" in argosy("cluster", "label", NAME, "tier=one").out
    assert NAME in argosy("cluster", "list", "-l", "tier=one").out
    assert "tier" not in argosy("cluster", "label", NAME, "tier-").out
    assert NAME not in argosy("cluster", "list", "-l", "tier=one").out


def test_wait_has_four_ends(argosy: Run) -> None:
    assert argosy("wait", f"app/web-{NAME}", "--timeout", "100").code == 0
    late = argosy("wait", "cluster/nowhere", "--timeout", "1s")
    assert late.code == 3
    assert "does not exist" in late.err
    assert argosy("wait", "nonsense").code == 2
    assert argosy("wait", f"app/web-{NAME}", "--timeout", "soon").code == 2


def test_wait_fails_on_what_cannot_get_done_and_says_why(
    argosy: Run, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "STANDING_SECONDS", 1.0)
    source = fleet.client.get(APPS.path("argocd", f"web-{NAME}"))["spec"]["source"]
    broken = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "broken", "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {**source, "path": "no/such/folder"},
            "destination": {"name": NAME, "namespace": "broken"},
        },
    }
    fleet.client.create(APPS.path("argocd"), broken)
    try:
        said = argosy("wait", "app/broken", "--timeout", "100")
        assert said.code == 1
        assert "app/broken failed: ComparisonError" in said.err
        assert "no/such/folder" in said.err
        assert "app/broken" in argosy("status").out
    finally:
        fleet.client.delete(APPS.path("argocd", "broken"))


def test_a_new_token_reuses_the_cluster_and_adds_labels(argosy: Run) -> None:
    first, second = (argosy("join", "later", "-o", "token").out.strip() for _ in range(2))
    assert first != second
    assert len(first.split()) == 1
    assert argosy("join", "later", "-l", "env=none", "-o", "command").out.startswith(
        "argosy-agent run --join "
    )
    assert "env=none" in argosy("cluster", "show", "later").out
    manifest = argosy("join", "later")
    kinds = {item["kind"] for item in yamlio.load_all(manifest.out, source="out")}
    assert {"Namespace", "Secret", "Deployment"} <= kinds


def test_a_printed_kubeconfig_works(argosy: Run, fleet: Fleet, tmp_path: Path) -> None:
    file = tmp_path / "printed"
    file.write_text(argosy("kubeconfig").out)
    assert argosy("status", "--kubeconfig", str(file)).code == 0
    from_data = argosy("kubeconfig", "--data", str(fleet.folder / "hub"))
    assert from_data.out == Path(fleet.config).read_text()


def test_errors_say_what_is_wrong_on_stderr(argosy: Run, tmp_path: Path) -> None:
    missing = argosy("app", "show", "nothing")
    assert (missing.code, missing.out) == (1, "")
    assert "nothing" in missing.err
    assert argosy("status", "--kubeconfig", str(tmp_path / "none")).code == 1
    stranger = argosy("status", "--token", "wrong", "--kubeconfig", bare(tmp_path))
    assert stranger.code == 1
    assert argosy("app", "list", "-o", "nonsense").code == 2


def bare(folder: Path) -> str:
    """The fleet's kubeconfig without its client certificate."""
    import os

    access = kubeconfig.resolve(kubeconfig.Choice(), os.environ, folder)
    file = folder / "bare"
    file.write_text(kubeconfig.render(kubeconfig.Access(access.server, ca=access.ca)))
    return str(file)


def test_a_revoked_cluster_is_told_as_such(argosy: Run) -> None:
    argosy("join", "gone", "-o", "token")
    assert argosy("cluster", "revoke", "gone").code == 0


def test_a_sync_is_asked_for_and_seen_through(fleet: Fleet, argosy: Run) -> None:
    name = fleet.client.items(APPS.path("argocd"))[0]["metadata"]["name"]
    said = argosy("app", "sync", name, "--dry-run", "--timeout", "100")
    assert (said.code, said.out) == (0, f"{name}: Succeeded: dry run: nothing was written\n")
    said = argosy("app", "sync", name, "--timeout", "100")
    assert said.code == 0, said.err
    said = argosy("app", "sync", name, "--revision", "v9.9.9", "--timeout", "100")
    assert said.code == 1
    assert "Cannot sync to v9.9.9: auto-sync currently set to main" in said.out
    said = argosy("app", "sync", name, "--resource", ":ConfigMap:typo", "--timeout", "100")
    assert (said.code, said.err.splitlines()[-1]) == (
        1,
        f"{name} has no object :ConfigMap:typo: nothing was synced for it",
    )
    said = argosy("app", "sync", name, "--resource", "nonsense")
    assert (said.code, "expected --resource" in said.err) == (2, True)
    said = argosy("app", "sync", "nosuch")
    assert said.code == 1
    said = argosy("app", "terminate-op", name)
    assert said.code == 1
    assert "No operation is in progress" in said.err
