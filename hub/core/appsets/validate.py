"""What Argo CD checks of generated Applications before it writes them (`validateGeneratedApplications`)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from argosy.objects import Manifest
from hub.core.types import VALIDATION_FAILED, SetProblem


@dataclass(frozen=True, slots=True)
class Made:
    """A generated Application; `wrong` is what is wrong with it by itself, "" when nothing is."""

    app: Manifest
    name: str
    wrong: str


def made(app: Manifest) -> Made:
    name = app["metadata"].get("name", "")
    if not name:
        return Made(app, name, "metadata.name is empty; generateName is not supported")
    return Made(app, name, destination(app["spec"].get("destination") or {}))


def generated(appset: str, apps: Sequence[Made]) -> tuple[list[Manifest], list[SetProblem]]:
    """Splits apps into those to write and problems. Of equal names none is written: neither may win by
    chance.
    """
    if len({one.name for one in apps}) == len(apps) and not any(one.wrong for one in apps):
        return [one.app for one in apps], []
    names = Counter(one.name for one in apps)
    good: list[Manifest] = []
    problems: list[SetProblem] = []
    for one in apps:
        message = one.wrong
        if one.name and names[one.name] > 1:
            message = f"ApplicationSet {appset} contains applications with duplicate name: {one.name}"
        if message:
            problems.append(SetProblem(VALIDATION_FAILED, "spec.template", message, one.name))
        else:
            good.append(one.app)
    return good, list(dict.fromkeys(problems))


def destination(spec: Manifest) -> str:
    """What is wrong with a destination; "" when nothing is. Whether the cluster exists is not looked up."""
    name, server = spec.get("name", ""), spec.get("server", "")
    prefix = "application destination spec is invalid: application destination"
    if name and server:
        return f"{prefix} can't have both name and server defined: {name} {server}"
    if not name and not server:
        return f"{prefix} server missing: name or server must be set"
    return ""
