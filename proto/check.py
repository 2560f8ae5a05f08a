"""Keeps the wire format honest: buf's lint, no breaking change against the last commit, committed stubs fresh.

`--write` regenerates the stubs instead of comparing them.
"""

from __future__ import annotations

import argparse
import filecmp
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = "argosy/v1/link.proto"
STUBS = ("link_pb2.py", "link_pb2.pyi", "link_pb2_grpc.py", "link_pb2_grpc.pyi")


def run(*command: str) -> int:
    """Runs a tool of this environment from the repository's root; its exit code."""
    bin_folder = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": bin_folder + os.pathsep + os.environ.get("PATH", "")}
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode


def generate(target: Path) -> int:
    plugins = [
        f"--{name}={target}" for name in ("python_out", "grpc_python_out", "mypy_out", "mypy_grpc_out")
    ]
    return run(sys.executable, "-m", "grpc_tools.protoc", "-Iproto", *plugins, SOURCE)


def stale() -> list[str]:
    """The stubs that differ from what the sources give now."""
    with tempfile.TemporaryDirectory() as folder:
        if generate(Path(folder)):
            return list(STUBS)
        made = Path(folder) / "argosy" / "v1"
        kept = ROOT / "argosy" / "v1"
        return [name for name in STUBS if not filecmp.cmp(made / name, kept / name, shallow=False)]


def breaking() -> int:
    """Compares with the parent commit's wire format where there is one to compare with."""
    known = subprocess.run(
        ["git", "cat-file", "-e", "HEAD~1:proto/buf.yaml"], cwd=ROOT, capture_output=True, check=False
    )
    if known.returncode:
        return 0
    return run("buf", "breaking", "proto", "--against", ".git#ref=HEAD~1,subdir=proto")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help="regenerate the stubs")
    if parser.parse_args().write:
        return generate(ROOT)
    if run("buf", "lint", "proto") or breaking():
        return 1
    if names := stale():
        print(f"stale stubs in argosy/v1: {', '.join(names)}; run `make proto`", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
