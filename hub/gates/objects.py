"""`object`: an object has a condition on every cluster of the stage, by the word of the clusters' agents."""

from __future__ import annotations

from hub.gates.base import Answer, Question


async def ask(question: Question) -> Answer:
    condition, wanted = str(question.config["condition"]), str(question.config.get("status") or "True")
    silent, lacking, differing = [], [], []
    for cluster, sight in question.sights.items():
        if sight.error:
            silent.append(f"{cluster} ({sight.error})")
        elif not sight.found:
            lacking.append(cluster)
        elif sight.conditions.get(condition, "Unknown") != wanted:
            differing.append(cluster)
    if not question.sights:
        return Answer(False, "no cluster to look at")
    if silent:
        return Answer(False, f"no answer from {_named(silent)}")
    if lacking:
        return Answer(False, f"not found on {_named(lacking)}")
    if differing:
        return Answer(False, f"{condition} is not {wanted} on {_named(differing)}")
    return Answer(True, f"{condition} is {wanted} on {len(question.sights)} clusters")


def _named(clusters: list[str]) -> str:
    more = f" and {len(clusters) - 3} more" if len(clusters) > 3 else ""
    return f"{', '.join(sorted(clusters)[:3])}{more}"
