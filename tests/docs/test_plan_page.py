"""Every command of docs/plan.md, run in order in one shell, against a real hub and a real agent."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from argosy.errors import ArgosyError
from hub.cli import kubeconfig
from hub.cli.client import Client
from hub.cli.resources import APPSETS
from hub.demo import content, gitserver
from hub.demo.programs import Program

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/plan.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ANYWHERE = "127.0.0.1:0"


@dataclass(frozen=True)
class Fleet:
    config: Path
    clone: Path
    url: str
    logs: tuple[Path, ...]


def ready(hub: Program, config: Path) -> Client:
    deadline = time.monotonic() + 60
    while True:
        hub.check()
        try:
            client = Client(
                kubeconfig.resolve(kubeconfig.Choice(kubeconfig=str(config)), {}, config), timeout=5
            )
            client.text("/readyz")
            return client
        except ArgosyError:
            assert time.monotonic() < deadline, hub.tail()
            time.sleep(0.1)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    git = gitserver.GitServer(tmp_path, writable=True)
    repo = gitserver.create(tmp_path, "fleet")
    gitserver.commit(repo, content.first_commit(), "Start")
    config = tmp_path / "hub/admin.kubeconfig"
    serve = ["argosy-hub", "serve", "--data", str(tmp_path / "hub"), "--grace", "1", "--poll", "2"]
    hub = Program("hub", [*serve, "--api", ANYWHERE, "--link", ANYWHERE], tmp_path / "hub.log")
    agent: Program | None = None
    try:
        client = ready(hub, config)
        argosy = [str(Path(sys.executable).parent / "argosy"), "--kubeconfig", str(config)]
        join = [*argosy, "join", "alpha", "--label", "env=prod", "-o", "token"]
        token = subprocess.run(join, capture_output=True, text=True, check=True).stdout.strip()
        run = ["argosy-agent", "run", "--memory", "--state", str(tmp_path / "agent"), "--join", token]
        agent = Program("agent", run, tmp_path / "agent.log")
        client.apply(APPSETS.path("argocd", content.SET), content.appset(git.url("fleet")))
        wait = [*argosy, "wait", "cluster/alpha", f"appset/{content.SET}", "--timeout", "100"]
        subprocess.run(wait, check=True, capture_output=True)
        clone = tmp_path / "clone"
        subprocess.run(["git", "clone", "--quiet", git.url("fleet"), str(clone)], check=True)
        yield Fleet(config, clone, git.url("fleet"), (tmp_path / "hub.log", tmp_path / "agent.log"))
    finally:
        for program in (agent, hub):
            if program is not None:
                program.end()
        git.close()


def test_the_page_runs_as_it_is_written(fleet: Fleet) -> None:
    blocks = BLOCK.findall(PAGE.read_text())
    assert len(blocks) > 8
    if shutil.which("kubectl", path=str(Path(sys.executable).parent)) is None and not shutil.which("kubectl"):
        blocks = [block for block in blocks if "kubectl" not in block]
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "ARGOSY_KUBECONFIG": str(fleet.config),
        "URL": fleet.url,
        "HOME": str(fleet.clone.parent),
        **{
            f"GIT_{who}_{what}": "tester@example.com"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    script = "set -euo pipefail\nset -x\n" + "\n".join(blocks)
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=fleet.clone,
        env=environ,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    logs = "".join(f"--- {log.name}\n{log.read_text()[-1500:]}" for log in fleet.logs)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}\n{logs}"
    assert "Secret" not in done.stdout
    assert "running it" in done.stdout
    assert "the world moved: it is done already" in done.stdout
