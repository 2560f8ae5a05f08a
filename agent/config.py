"""The command line of `argosy-agent` and the environment behind it."""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from argosy import log

DEFAULT_STATE = "/var/lib/argosy-agent"


@dataclass(frozen=True, slots=True)
class Config:
    """What one agent runs with. `join` is a token's text, "" where the identity is expected in `state`."""

    state: Path
    join: str = ""
    kubeconfig: Path | None = None
    context: str = ""
    memory: bool = False
    health: str = ""
    policy: Path | None = None
    keys: Path | None = None
    state_secret: str = ""
    """`NAMESPACE/NAME` of the Secret that keeps what of `state` is small, "" for none."""
    child: bool = False
    """Whether the end of standard input ends the agent."""
    log_level: str = "info"
    log_format: str = "text"


def parse(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Config:
    """Exits with 2 and a usage message for a wrong command line."""
    parser, run = _parsers()
    found = parser.parse_args(arguments)
    if found.memory and (found.kubeconfig or found.context):
        run.error("--memory has no kubeconfig and no context")
    if found.context and not found.kubeconfig:
        run.error("--context needs --kubeconfig")
    secret = found.state_secret or environment.get("ARGOSY_STATE_SECRET", "")
    if secret and found.memory:
        run.error("--memory has no Secret to keep its state in")
    return Config(
        state=found.state or Path(environment.get("ARGOSY_STATE") or DEFAULT_STATE),
        join=found.join or environment.get("ARGOSY_JOIN", ""),
        kubeconfig=found.kubeconfig,
        context=found.context,
        memory=found.memory,
        health=found.health,
        policy=found.policy or _path(environment.get("ARGOSY_POLICY")),
        keys=found.keys or _path(environment.get("ARGOSY_KEYS")),
        state_secret=secret,
        child=found.child,
        log_level=found.log_level,
        log_format=found.log_format,
    )


def _parsers() -> tuple[argparse.ArgumentParser, argparse.ArgumentParser]:
    """(of the whole command line, of `run`)."""
    parser = argparse.ArgumentParser(
        prog="argosy-agent", description="Brings one cluster to what its hub wants."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="run the agent until it is told to end")
    run.add_argument("--join", metavar="TOKEN", help="join token, used once (or set ARGOSY_JOIN)")
    run.add_argument("--kubeconfig", metavar="FILE", type=Path, help="default: the cluster this pod runs in")
    run.add_argument("--context", default="", help="context in the kubeconfig")
    run.add_argument("--memory", action="store_true", help="an in-memory cluster instead of a real one")
    run.add_argument(
        "--state", metavar="DIR", type=Path, help=f"where key and state live (default {DEFAULT_STATE})"
    )
    run.add_argument(
        "--state-secret",
        metavar="NAMESPACE/NAME",
        help="Secret that keeps identity and small state, where the folder does not outlive its pod",
    )
    run.add_argument(
        "--health", metavar="HOST:PORT", default="", help="serve /livez, /readyz and /status there"
    )
    run.add_argument(
        "--policy",
        metavar="FILE",
        type=Path,
        help="AgentPolicy: what this cluster lets its hub do (default: all)",
    )
    run.add_argument(
        "--keys",
        metavar="DIR",
        type=Path,
        help="folder of *.agekey and *.asc that open SOPS-encrypted manifests",
    )
    run.add_argument(
        "--child", action="store_true", help="end with standard input, as a child of whoever holds it open"
    )
    run.add_argument("--log-level", choices=list(log.LEVELS), default="info")
    run.add_argument("--log-format", choices=("text", "json"), default="text")
    return parser, run


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
