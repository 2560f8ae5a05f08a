"""What only some agents need is loaded by those agents alone: a start is short, and memory small."""

from __future__ import annotations

import subprocess
import sys

LATE = ("argosy.machinery.write", "pyrage", "cryptography.hazmat.primitives.ciphers.aead", "agent.sops.tree")


def test_an_agent_that_manages_loads_neither_the_comparison_nor_the_decryption() -> None:
    program = "import sys, agent.program; print(*(name for name in sys.argv[1:] if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", program, *LATE], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []
