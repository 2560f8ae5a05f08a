"""What only some agents need is loaded by those agents alone: a start is short, and memory small."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata

from agent.main import version

LATE = (
    "argosy.machinery.write",
    "pyrage",
    "cryptography.hazmat.primitives.ciphers.aead",
    "agent.sops.tree",
    "argosy.cron",
    "zoneinfo",
    "importlib.metadata",
    "email",
)


def test_an_agent_that_only_manages_loads_none_of_what_others_need() -> None:
    program = (
        "import sys, agent.main, agent.program; agent.main.version(); "
        "print(*(name for name in sys.argv[1:] if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program, *LATE], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


def test_the_version_is_that_of_the_installed_package() -> None:
    assert version() == metadata.version("argosy")
