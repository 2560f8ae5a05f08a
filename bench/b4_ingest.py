"""B4: how many application states the hub makes durable a second, with agents that all have news at once."""

from __future__ import annotations

import shutil
from collections import defaultdict

from bench import seed
from bench.figures import Figure, Result, Target, figure, orders
from bench.harness import Bench

ID, NAME = "B4", "status-ingest"
STREAMS = 100
APPS = 20
INSTANCES = 3
WARM, SECONDS = 1.0, 4.0
CHANGES = {"all": APPS, "tenth": APPS // 10}
UNITS = {
    "rows_all": "rows/s",
    "reports_all": "reports/s",
    "p50_ack_all": "ms",
    "p99_ack_all": "ms",
    "cpu_per_row_all": "us",
    "rows_tenth": "rows/s",
    "reports_tenth": "reports/s",
    "p50_ack_tenth": "ms",
    "p99_ack_tenth": "ms",
    "cpu_per_row_tenth": "us",
}


def run(
    bench: Bench, agents: int | None = None, instances: int = INSTANCES, seconds: float = SECONDS
) -> Result:
    streams = STREAMS if agents is None else min(agents, STREAMS)
    original = bench.fresh("seed")
    seed.fill(original, streams, APPS)
    found: dict[str, list[float]] = defaultdict(list)
    for order in orders(["hub", "rows"], instances):
        for variant in order:
            bench.say(f"{ID}: {'reports to the hub' if variant == 'hub' else 'executemany'}")
            folder = bench.fresh(variant)
            shutil.copytree(original, folder, dirs_exist_ok=True)
            round_ = _hub if variant == "hub" else _rows
            for name, value in round_(bench, str(folder), streams, seconds).items():
                found[name].append(value)
            shutil.rmtree(folder)
    figures = {name: figure(found[name], unit) for name, unit in UNITS.items()}
    peer: dict[str, Figure] = {"rows_all": figure(found["executemany"], "rows/s")}
    return Result(
        ID,
        NAME,
        figures,
        peer,
        {"executemany_ratio": figures["rows_all"].median / peer["rows_all"].median},
        [
            Target("rows_all", 30_000, at_least=True),
            Target("reports_tenth", 3_000, at_least=True),
            Target("p99_ack_all", 100),
            Target("executemany_ratio", 0.4, at_least=True),
        ],
        [
            f"{streams} streams, reports of {APPS} applications with three objects each, the next one at the Ack of the last",
            f"all: every state differs from the one before; tenth: {CHANGES['tenth']} of {APPS} do",
            "rows_tenth counts changed states; an Ack comes when the commit is on disk; the clients take the second core",
        ],
    )


def _hub(bench: Bench, folder: str, streams: int, seconds: float) -> dict[str, float]:
    server = bench.role("linkhub", folder=folder, clusters=streams)
    clients = bench.role("reporters", folder=folder, apps=APPS)
    for changed in CHANGES.values():
        clients.ask("prepare", count=streams, changed=changed)
    clients.ask("connect", port=server.hello["port"], count=streams)
    values: dict[str, float] = {}
    for name, changed in CHANGES.items():
        cpu = server.cpu
        got = clients.ask("report", changed=changed, warm=WARM, seconds=seconds)
        spent = (server.cpu - cpu) / (WARM + seconds)
        values |= {
            f"rows_{name}": got["reports"] * changed,
            f"reports_{name}": got["reports"],
            f"p50_ack_{name}": got["p50"] * 1000,
            f"p99_ack_{name}": got["p99"] * 1000,
            f"cpu_per_row_{name}": spent / (got["reports"] * changed) * 1e6,
        }
    bench.end(clients, server)
    return values


def _rows(bench: Bench, folder: str, streams: int, seconds: float) -> dict[str, float]:
    writer = bench.role("rows", folder=folder, clusters=streams, apps=APPS)
    rows = writer.ask("write", seconds=seconds)["rows"]
    bench.end(writer)
    return {"executemany": rows}
