"""What Argo CD checks of generated Applications before it writes them (`validateGeneratedApplications`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from argosy.objects import Manifest
from hub.core.types import VALIDATION_FAILED, SetProblem


def generated(appset: str, apps: Sequence[Manifest]) -> tuple[list[Manifest], list[SetProblem]]:
    """Splits apps into those to write and problems. Of equal names none is written: neither may win by
    chance.
    """
    names = Counter(app["metadata"].get("name", "") for app in apps)
    good: list[Manifest] = []
    problems: list[SetProblem] = []
    for app in apps:
        name = app["metadata"].get("name", "")
        message = _wrong(appset, app, names[name])
        if message:
            problems.append(SetProblem(VALIDATION_FAILED, "spec.template", message, name))
        else:
            good.append(app)
    return good, list(dict.fromkeys(problems))


def _wrong(appset: str, app: Manifest, same_name: int) -> str:
    name = app["metadata"].get("name", "")
    if not name:
        return "metadata.name is empty; generateName is not supported"
    if same_name > 1:
        return f"ApplicationSet {appset} contains applications with duplicate name: {name}"
    return destination(app["spec"].get("destination") or {})


def destination(spec: Manifest) -> str:
    """What is wrong with a destination; "" when nothing is. Whether the cluster exists is not looked up."""
    name, server = spec.get("name", ""), spec.get("server", "")
    prefix = "application destination spec is invalid: application destination"
    if name and server:
        return f"{prefix} can't have both name and server defined: {name} {server}"
    if not name and not server:
        return f"{prefix} server missing: name or server must be set"
    return ""
