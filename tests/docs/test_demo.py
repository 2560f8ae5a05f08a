"""`make demo ARGS=--once` does what it says, within its minute, and leaves nothing behind."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_the_demo_comes_out_right_and_cleans_up(tmp_path: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("no git")
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "hub.demo", "--once"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 60
    assert "caught up" in done.stdout
    assert "\x1b" not in done.stdout
    assert list((tmp_path / ".demo").iterdir()) == []
