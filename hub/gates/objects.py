"""`object`: an object of the stage's applications has a condition on every cluster of the stage.

Answered from what agents report of their applications' objects: `Healthy` and `Synced`, as for the application itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.errors import Invalid
from hub.gates.base import Answer, Question

_HEALTHY, _SYNCED = "Healthy", "Synced"


async def ask(question: Question) -> Answer:
    config = question.config
    condition, wanted = str(config["condition"]), str(config.get("status") or "True")
    if condition not in (_HEALTHY, _SYNCED):
        raise Invalid(
            f"condition: expected {_HEALTHY} or {_SYNCED}, which agents report of every object, found {condition!r}"
        )
    lacking, differing = [], []
    for cluster, objects in question.objects.items():
        found = [each for each in objects if _is(config, each)]
        if not found:
            lacking.append(cluster)
        elif any(_status(each, condition) != wanted for each in found):
            differing.append(cluster)
    if not question.objects or lacking:
        return Answer(False, f"not found on {_named(lacking)}" if lacking else "no cluster to look at")
    if differing:
        return Answer(False, f"{condition} is not {wanted} on {_named(differing)}")
    return Answer(True, f"{condition} is {wanted} on {len(question.objects)} clusters")


def _is(config: Mapping[str, Any], found: Mapping[str, Any]) -> bool:
    group, slash, version = str(config["apiVersion"]).rpartition("/")
    return (
        found.get("kind") == config["kind"]
        and found.get("name") == config["name"]
        and (found.get("group") or "") == (group if slash else "")
        and (found.get("version") or version) == version
        and config.get("namespace", found.get("namespace")) == found.get("namespace")
    )


def _status(found: Mapping[str, Any], condition: str) -> str:
    word = found.get("health") if condition == _HEALTHY else found.get("sync")
    if not word or word == "Unknown":
        return "Unknown"
    return "True" if word == condition else "False"


def _named(clusters: list[str]) -> str:
    more = f" and {len(clusters) - 3} more" if len(clusters) > 3 else ""
    return f"{', '.join(sorted(clusters)[:3])}{more}"
