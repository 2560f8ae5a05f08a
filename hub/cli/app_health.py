"""`argosy app health`: how objects are, as Argosy and Argo CD see them, without a cluster."""

from __future__ import annotations

import json
import sys
from typing import Any

from argosy.errors import Invalid
from argosy.health import table, user
from argosy.health.user import UserChecks
from argosy.objects import Manifest
from hub.cli import manifests

CONFIG_MAP = "argocd-cm"
DONE = 0


def health(file: str, *, config: str = "") -> int:
    """Prints the health of every object of `file`, with the users' checks of the ConfigMap in `config`.

    Raises `Invalid` for files that cannot be read.
    """
    checks = _checks(config) if config else table.NO_USER_CHECKS
    print(json.dumps([_shown(live, checks) for live in manifests.read(file)], indent=2, ensure_ascii=False))
    return DONE


def _shown(live: Manifest, checks: UserChecks) -> dict[str, Any]:
    found = table.assess(live, checks, unverified=True)
    return {
        "apiVersion": live["apiVersion"],
        "kind": live["kind"],
        "name": live["metadata"].get("name") or "",
        "status": found.status,
        "message": found.message,
    }


def _checks(file: str) -> UserChecks:
    """An interpreter is loaded only where there is a script to run."""
    held = [each for each in manifests.read(file) if each["kind"] == "ConfigMap"]
    named = [each for each in held if each["metadata"].get("name") == CONFIG_MAP] or held
    if len(named) != 1:
        raise Invalid(f"{file}: one ConfigMap {CONFIG_MAP} is expected, found {len(named)}")
    data = named[0].get("data") or {}
    if not isinstance(data, dict) or not all(isinstance(value, str) for value in data.values()):
        raise Invalid(f"{file}: data: an object of texts is expected")
    found = user.read(data, _run, _evaluate)
    for problem in found.problems:
        print(f"argosy: {problem}", file=sys.stderr)
    return found


def _evaluate(expression: str, live: Manifest) -> bool:
    from argosy import cel

    return cel.evaluate(expression, live)


def _run(script: str, open_libraries: bool, live: Manifest) -> Any:
    from argosy import lua

    return lua.run(script, open_libraries, live)
