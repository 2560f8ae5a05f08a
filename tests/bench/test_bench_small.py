"""Benchmarks at a tiny size: they run, answer what they promise, and leave no process behind."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from bench import (
    b1_connect,
    b2_fanout,
    b3_restart,
    b4_ingest,
    b10_delivery,
    b12_lists,
    b14_where,
    b15_hundred,
    b16_idle,
    harness,
)
from bench.figures import Result
from bench.harness import Bench, Broken


@pytest.fixture
def bench() -> object:
    with harness.bench(lambda line: None) as opened:
        yield opened


def test_connect_measures_hub_and_bare_server(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(b1_connect, "IDLE_SECONDS", 0.2)
    _check(b1_connect.run(bench, 5, 1), {"rss_per_agent", "idle_cpu", "connects"}, {"rss_ratio"})


def test_a_notice_reaches_every_stream(bench: Bench) -> None:
    found = b2_fanout.run(bench, 5, 1)
    _check(found, {"p50", "p99", "last"}, {"p99_ratio", "cpu_ratio"})
    assert found.figures["last"].median >= found.figures["p50"].median > 0


def test_reports_are_counted_when_they_are_durable(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(b4_ingest, "WARM", 0.1)
    found = b4_ingest.run(bench, 3, 1, 0.5)
    _check(found, {"rows_all", "reports_tenth", "p99_ack_all"}, {"executemany_ratio"})
    assert found.figures["rows_all"].median == pytest.approx(
        20 * found.figures["reports_all"].median, rel=0.01
    )


def test_a_bundle_is_delivered_whole_and_as_a_difference(bench: Bench) -> None:
    found = b10_delivery.run(bench, 3, 1)
    _check(found, {"delivered", "wire_share", "difference"}, {"delivered_ratio"})
    assert 0 < found.figures["difference"].median < 10_000


def test_a_restarted_hub_knows_its_fleet(bench: Bench) -> None:
    found = b3_restart.run(bench, 4, 1)
    _check(found, {"first_answer", "in_sync", "asked_for_all"}, {"in_sync_ratio"})
    assert found.figures["asked_for_all"].median == 0


def test_lists_are_counted_alone_and_under_reports(bench: Bench) -> None:
    found = b12_lists.run(bench, 3, 1, 0.5)
    _check(found, {"lists", "p99", "lists_streaming", "p99_ack"}, {"lists_ratio", "ack_ratio"})


def test_where_is_asked_over_http(bench: Bench) -> None:
    found = b14_where.run(bench, 4, 2)
    _check(found, {"first", "p50", "last", "cpu"}, set())
    assert found.figures["bytes"].median > 0


def test_one_object_of_each_application_is_changed_on_real_clusters(
    bench: Bench, control_planes: Sequence[Any]
) -> None:
    found = b15_hundred.measured(bench, control_planes, rounds=1, sizes=(1, 2), apps=2)
    names = {"live_p90", "reported_p90", "own_cpu", "members_cpu", "noop_refresh", "own_cpu_20"}
    _check(found, names, {"growth"})
    assert found.figures["reported_p90"].median > 0


def test_what_an_idle_agent_sends_is_counted(bench: Bench) -> None:
    found = b16_idle.run(bench, 1, seconds=1.0)
    _check(found, {"day", "day_up", "day_down", "day_with_headers", "segments"}, set())
    assert found.figures["day_with_headers"].median >= found.figures["day"].median


def test_a_part_that_fails_says_why(bench: Bench) -> None:
    role = bench.role("stubapi")
    with pytest.raises(Broken, match="KeyError: 'juggle'"):
        role.ask("juggle")


def test_parts_end_with_the_run() -> None:
    with harness.bench(lambda line: None) as opened:
        pid = opened.role("stubapi").pid
        assert Path(f"/proc/{pid}").exists()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_an_unknown_number_is_a_usage_error() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "bench", "B99", "--json"], cwd=harness.ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "B99" in done.stderr


def _check(found: Result, names: set[str], ratios: set[str]) -> None:
    document = orjson.loads(orjson.dumps(found.document(harness.machine())))
    assert names <= document["figures"].keys()
    assert ratios <= document["ratios"].keys()
    assert all(value > 0 for value in document["ratios"].values())
    assert {"id", "name", "machine", "figures", "peer", "ratios", "targets", "meets"} <= document.keys()
