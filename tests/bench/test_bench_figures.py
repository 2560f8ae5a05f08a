"""What benchmarks answer: the shape of their JSON, the mathematics of medians, ratios and targets."""

from __future__ import annotations

import orjson
import pytest

from bench import figures
from bench.figures import Result, Target, figure


def result(rate: float = 900.0) -> Result:
    ours, peer = {"rate": figure([rate, 800, 1000], "rows/s")}, {"rate": figure([1800], "rows/s")}
    ratios = {"rate_ratio": figures.ratio(ours, peer, "rate")}
    targets = [Target("rate", 850, at_least=True), Target("rate_ratio", 0.6)]
    return Result("B0", "example", ours, peer, ratios, targets, ["of two rounds"])


def test_a_figure_is_median_least_and_greatest() -> None:
    found = figure([3.0, 1.0, 2.0, 10.0], "ms")
    assert (found.median, found.min, found.max, found.unit) == (2.5, 1.0, 10.0, "ms")


def test_a_document_has_the_agreed_shape() -> None:
    document = orjson.loads(orjson.dumps(result().document({"cores": 2})))
    assert document == {
        "id": "B0",
        "name": "example",
        "machine": {"cores": 2},
        "figures": {"rate": {"median": 900.0, "min": 800.0, "max": 1000.0, "unit": "rows/s"}},
        "peer": {"rate": {"median": 1800.0, "min": 1800.0, "max": 1800.0, "unit": "rows/s"}},
        "ratios": {"rate_ratio": 0.5},
        "targets": {
            "rate": {"at_least": 850, "met": True},
            "rate_ratio": {"at_most": 0.6, "met": True},
        },
        "meets": True,
        "notes": ["of two rounds"],
    }


def test_one_missed_target_misses_the_benchmark() -> None:
    missed = result(rate=820.0)
    assert not missed.meets
    assert missed.document({})["targets"]["rate"] == {"at_least": 850, "met": False}
    assert "MISSES" in figures.table([missed])


def test_a_target_for_a_figure_that_is_not_measured_is_an_error() -> None:
    with pytest.raises(KeyError):
        _ = Result("B0", "example", {}, targets=[Target("absent", 1)]).meets


@pytest.mark.parametrize(("share", "value"), [(0.0, 1), (0.5, 50), (0.9, 90), (0.99, 99), (1.0, 100)])
def test_percentiles_are_nearest_ranks(share: float, value: int) -> None:
    assert figures.percentile(list(range(1, 101)), share) == value


def test_no_variant_always_goes_first() -> None:
    found = figures.orders(["hub", "bare", "floor"], 3)
    assert {order[0] for order in found} == {order[-1] for order in found} == {"hub", "bare", "floor"}
    assert all(sorted(order) == ["bare", "floor", "hub"] for order in found)
