"""`argosy` as people type it, against a hub in the test's own process."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from hub.assembly import Hub

BIN = Path(sys.executable).parent


async def argosy(hub: Hub, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "ARGOSY_KUBECONFIG": str(hub.settings.kubeconfig)}

    def run() -> subprocess.CompletedProcess[str]:
        command = [str(BIN / "argosy"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, env=environ)

    return await asyncio.to_thread(run)


async def said(hub: Hub, *arguments: str) -> str:
    """What a command prints that has to succeed."""
    done = await argosy(hub, *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout
