"""Every command of docs/quickstart.md, run in order in one shell, against a real hub and agents."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/quickstart.md"
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECONDS = 120


def free_ports() -> dict[str, str]:
    """The page's ports -> free ones. The link's door for joining is the port after the link's."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    api, git = (str(one.getsockname()[1]) for one in held)
    for link in range(20000, 30000, 2):
        try:
            pair = [socket.create_server(("127.0.0.1", port)) for port in (link, link + 1)]
        except OSError:
            continue
        for one in [*held, *pair]:
            one.close()
        return {"8443": api, "8418": git, "8444": str(link)}
    raise AssertionError("no two free ports in a row")


def script(folder: Path) -> str:
    text = "\n".join(BLOCK.findall(PAGE.read_text()))
    for shown, free in free_ports().items():
        text = text.replace(f":{shown}", f":{free}").replace(f"--port {shown}", f"--port {free}")
        for file in (folder / "examples").rglob("*.yaml"):
            file.write_text(file.read_text().replace(f":{shown}", f":{free}"))
    return f"set -eu\n{text}"


def test_the_quickstart_runs_as_it_is_written(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    environ = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        **{
            f"GIT_{who}_{what}": "tester@example.com"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    environ.pop("ARGOSY_KUBECONFIG", None)
    shell = subprocess.Popen(
        ["bash", "-c", script(tmp_path)],
        cwd=tmp_path,
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = shell.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(shell.pid, signal.SIGKILL)
        said = shell.communicate()[0] + f"\nnot done within {SECONDS} s"
    finally:
        if shell.poll() != 0:
            # The page's own processes are in the shell's session: none may outlive a failed run.
            with_group(shell.pid)
    logs = "".join(f"--- {log.name}\n{log.read_text()[-2000:]}" for log in tmp_path.rglob("*.log"))
    assert shell.returncode == 0, f"{said}\n{logs}"
    assert "running it" in said
    assert "appset/guestbook done" in said
    shown = said[said.index("Name:") :]
    assert "guestbook-settings" in shown
    assert "Service" not in shown


def with_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
