"""Conditions and health of an ApplicationSet, in Argo CD's words (3.6.1)."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.types import Complete, Failed, SetProblem
from hub.core.views import conditions, views


def condition(kind: str, status: str = "True") -> dict[str, Any]:
    return {"type": kind, "status": status, "message": f"about {kind}"}


@pytest.mark.parametrize(
    ("known", "health", "message"),
    [
        ([("ErrorOccurred", "True"), ("RolloutProgressing", "True")], "Degraded", "about ErrorOccurred"),
        ([("ErrorOccurred", "False"), ("RolloutProgressing", "True"), ("ResourcesUpToDate", "True")], "Progressing",
         "about RolloutProgressing"),
        ([("ErrorOccurred", "False"), ("RolloutProgressing", "False"), ("ResourcesUpToDate", "True")], "Healthy",
         "about ResourcesUpToDate"),
        ([("ErrorOccurred", "False"), ("ParametersGenerated", "True")], "Unknown",
         "Waiting for health status to be determined"),
    ],
)  # fmt: skip
def test_health_is_the_worst_that_the_conditions_say(
    known: list[tuple[str, str]], health: str, message: str
) -> None:
    appset = {"metadata": {}, "status": {"conditions": [condition(*one) for one in known], "resources": []}}
    status = views.with_health(appset)["status"]
    assert status["health"] == {"status": health, "message": message}
    assert status["resources"] == []


def test_a_set_that_was_not_looked_at_has_no_health() -> None:
    appset = {"metadata": {"name": "s"}}
    assert views.with_health(appset) == appset


def test_conditions_of_a_good_and_of_a_failed_evaluation() -> None:
    found = conditions.of_set([], Complete(None), "", (), "now")
    assert [(one["type"], one["status"], one["reason"], one["message"]) for one in found] == [
        (
            "ErrorOccurred",
            "False",
            "ApplicationSetUpToDate",
            "All applications have been generated successfully",
        ),
        (
            "ParametersGenerated",
            "True",
            "ParametersGenerated",
            "All parameters have been generated successfully",
        ),
        (
            "ResourcesUpToDate",
            "True",
            "ApplicationSetUpToDate",
            "All applications have been generated successfully",
        ),
    ]
    problem = SetProblem("ApplicationGenerationFromParamsError", "spec.generators[0]", "no such repository")
    found = conditions.of_set([problem], Failed("no such repository"), "", found, "later")
    assert [(one["type"], one["status"], one["reason"]) for one in found if one["type"] != "Stale"] == [
        ("ErrorOccurred", "True", "ApplicationGenerationFromParamsError"),
        ("ParametersGenerated", "False", "ErrorOccurred"),
        ("ResourcesUpToDate", "False", "ErrorOccurred"),
    ]
    assert {one["lastTransitionTime"] for one in found} == {"later"}


def test_one_mistake_for_many_parameters_is_told_once() -> None:
    same = SetProblem("RenderTemplateParamsError", "spec.template", "unclosed action")
    found = conditions.of_set([same, same, same], Complete(None), "", (), "now")
    assert found[0]["message"] == "spec.template: unclosed action"
