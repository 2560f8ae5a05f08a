"""What a RolloutPolicy may say, and what is said of its mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from argosy.errors import Invalid
from hub.core.rollout.model import Limit, OnFailure, Order
from hub.core.rollout.placing import place, rank, totals
from hub.core.rollout.policy import parse

STAGE: dict[str, Any] = {"name": "all"}


def test_every_field_is_read() -> None:
    strategy = parse(
        {
            "stages": [
                {
                    "name": "canary",
                    "selector": {
                        "matchExpressions": [{"key": "ring", "operator": "In", "values": ["canary"]}]
                    },
                    "maxConcurrent": "10%",
                    "startsPerMinute": 2.5,
                    "order": {"by": "label", "label": "region"},
                    "soak": "10m",
                    "deadline": "1h30m",
                    "failureBudget": "5%",
                },
                {"name": "rest"},
            ],
            "onFailure": "rollback",
            "windows": [
                {"kind": "allow", "schedule": "0 9 * * 1-5", "duration": "8h", "timeZone": "cluster"}
            ],
        }
    )
    canary, rest = strategy.stages
    assert (canary.max_concurrent, canary.rate, canary.soak, canary.deadline) == (
        Limit(10, True),
        2.5,
        600,
        5400,
    )
    assert (canary.order, canary.order_label, canary.budget) == (Order.LABEL, "region", Limit(5, True))
    assert (rest.selector, rest.max_concurrent, rest.budget) == (None, None, Limit(0))
    assert strategy.on_failure is OnFailure.ROLLBACK


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({}, "spec.stages: required field is missing"),
        ({"stages": []}, "spec.stages: expected 1 to 100 stages, found 0"),
        ({"stages": [{**STAGE, "soaks": "1m"}]}, "spec.stages[0].soaks: unknown field, did you mean soak?"),
        ({"stages": [{**STAGE, "soak": "10"}]}, "spec.stages[0].soak: duration '10': a number with a unit"),
        (
            {"stages": [{**STAGE, "soak": "-1m"}]},
            "spec.stages[0].soak: expected a span of zero or more, found '-1m'",
        ),
        ({"stages": [{**STAGE, "maxConcurrent": "110%"}]}, "spec.stages[0].maxConcurrent: expected a number"),
        (
            {"stages": [{**STAGE, "maxConcurrent": 0}]},
            "spec.stages[0].maxConcurrent: expected a number of at least 1",
        ),
        ({"stages": [STAGE, {"name": "b"}]}, "spec.stages: only one stage may be without a selector"),
        ({"stages": [STAGE, STAGE]}, "spec.stages: the name 'all' is there twice"),
        ({"stages": [{**STAGE, "order": {"by": "label"}}]}, "spec.stages[0].order.label: expected together"),
        ({"stages": [{"name": "A b"}]}, "spec.stages[0].name: expected lower case letters"),
        (
            {"stages": [{**STAGE, "selector": {"matchLabels": {"a b": "c"}}}]},
            "spec.stages[0].selector: label key 'a b'",
        ),
        (
            {"stages": [{**STAGE, "gates": {"before": [{"name": "x"}]}}]},
            "spec.stages[0].gates.before[0]: expected exactly one of approval, http, prometheus, object, webhook, found none",
        ),
        (
            {
                "stages": [
                    {**STAGE, "gates": {"after": [{"name": "x", "prometheus": {"url": "u", "query": "q"}}]}}
                ]
            },
            "spec.stages[0].gates.after[0].prometheus: expected exactly one of above and below",
        ),
        (
            {"stages": [STAGE], "windows": [{"kind": "allow", "schedule": "x", "duration": "1h"}]},
            "spec.windows[0]: ",
        ),
        (
            {"stages": [STAGE], "onFailure": "panic"},
            "spec.onFailure: expected one of halt, rollback-stage, rollback",
        ),
    ],
)
def test_mistakes_name_the_field(spec: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(spec)
    assert caught.value.message.startswith(said)


def test_a_member_belongs_to_the_first_stage_that_selects_it_else_to_the_rest() -> None:
    strategy = parse(
        {
            "stages": [
                {"name": "rest"},
                {"name": "a", "selector": {"matchLabels": {"x": "1"}}},
                {"name": "b", "selector": {"matchLabels": {"y": "1"}}},
            ]
        }
    )
    fleet = [{"x": "1", "y": "1"}, {"y": "1"}, {}]
    assert [place(strategy, labels) for labels in fleet] == [1, 2, 0]
    assert totals(strategy, fleet) == (1, 1, 1)


def test_a_random_order_is_the_same_for_the_same_seed() -> None:
    stage = parse({"stages": [{**STAGE, "order": {"by": "random"}}]}).stages[0]
    names = [f"app-{number}" for number in range(20)]

    def order(seed: str) -> list[str]:
        return sorted(names, key=lambda name: rank(stage, seed, name, {}, 0.0))

    assert order("s") == order("s")
    assert order("s") != order("t")
    assert order("s") != names


def test_who_changed_longest_ago_goes_first() -> None:
    stage = parse({"stages": [{**STAGE, "order": {"by": "lastChange"}}]}).stages[0]
    changed = {"a": 500.0, "b": 90.0, "c": 1_700_000_000.0}
    assert sorted(changed, key=lambda name: rank(stage, "", name, {}, changed[name])) == ["b", "a", "c"]
