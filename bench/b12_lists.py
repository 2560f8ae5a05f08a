"""B12: lists of 5,000 Applications with a filter, for 16 clients at once; then the same while statuses stream in."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlencode

from bench import product, simulated
from bench.figures import Result, Target, figure
from bench.harness import Bench, Role
from hub.cli import kubeconfig

ID, NAME = "B12", "api-list"
CLUSTERS, SETS = 250, 20
CLIENTS = 16
ROUNDS = 3
SECONDS = 4.0
RATE = 250
"""Reports a second while statuses stream in, of 20 changed applications each."""
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
QUERY = urlencode({"labelSelector": "region!=nowhere", "includeObject": "None"})
UNITS = {
    "lists": "lists/s",
    "p99": "ms",
    "lists_streaming": "lists/s",
    "p99_streaming": "ms",
    "p99_ack": "ms",
    "p99_ack_alone": "ms",
    "bytes": "KB",
}


def run(bench: Bench, agents: int | None = None, rounds: int = ROUNDS, seconds: float = SECONDS) -> Result:
    clusters = CLUSTERS if agents is None else min(agents, CLUSTERS)
    rows = clusters * SETS
    found: dict[str, list[float]] = defaultdict(list)
    peer: list[float] = []
    with contextlib.ExitStack() as stack:
        hub, fleet = _filled(bench, clusters, stack)
        listers, access = _listers(bench, hub)
        path = f"{product.APPS}?{QUERY}"
        rate = min(RATE, clusters * 5)
        size = 0
        for number in range(rounds):
            bench.say(f"{ID}: {rows} rows, {CLIENTS} clients ({number + 1} of {rounds})")
            got = _ask(listers, path, seconds)
            size = int(got["bytes"])
            found["lists"].append(got["rate"])
            found["p99"].append(got["p99"] * 1000)
            found["bytes"].append(got["bytes"] / 1024)
            fleet.ask("chatter", rate=rate)
            found["p99_ack_alone"].append(_quiet(fleet, seconds))
            fleet.ask("chatter", rate=rate)
            got = _ask(listers, path, seconds)
            found["p99_ack"].append(fleet.ask("hush")["p99"] * 1000)
            found["lists_streaming"].append(got["rate"])
            found["p99_streaming"].append(got["p99"] * 1000)
            peer.append(_bare(bench, access, rows, size, seconds))
    figures = {name: figure(found[name], unit) for name, unit in UNITS.items()}
    bare = figure(peer, "lists/s")
    return Result(
        ID,
        NAME,
        figures,
        {"lists": bare},
        {
            "lists_ratio": figures["lists"].median / bare.median,
            "ack_ratio": figures["p99_ack"].median / figures["p99_ack_alone"].median,
        },
        [
            Target("lists", 300, at_least=True),
            Target("p99", 150),
            Target("lists_streaming", 300, at_least=True),
            Target("p99_streaming", 150),
            Target("lists_ratio", 0.5, at_least=True),
            Target("ack_ratio", 2.0),
        ],
        [
            f"{rows} rows as a table without objects, by label; {CLIENTS} clients on TLS connections, in one process",
            f"_streaming: while {rate} reports a second of {SETS} changed applications each are made durable",
            "equal questions at one moment are answered together; a list has all that was written before it was asked for",
            "peer: orjson on bare Starlette, as many rows of the same size, the same TLS",
        ],
    )


def _filled(bench: Bench, clusters: int, stack: contextlib.ExitStack) -> tuple[product.Hub, Role]:
    """A hub with sets on all clusters, and agents that have applied and reported everything."""
    made = simulated.start(bench, stack, ID, clusters)
    made.deploy(SETS)
    made.fleet.ask("applied", revision=made.revision, count=clusters * SETS, patience=120, within=130)
    return made.hub, made.fleet


def _listers(bench: Bench, hub: product.Hub) -> tuple[Role, dict[str, str]]:
    choice = kubeconfig.Choice(kubeconfig=str(hub.data / "admin.kubeconfig"))
    access = kubeconfig.resolve(choice, {}, hub.data)
    folder = bench.fresh("client")
    (folder / "tls.crt").write_bytes(access.certificate)
    (folder / "tls.key").write_bytes(access.key)
    files = {"certificate": str(folder / "tls.crt"), "key": str(folder / "tls.key")}
    served = {
        name: str(Path(hub.data, "api", f"tls.{end}"))
        for name, end in (("certificate", "crt"), ("key", "key"))
    }
    return bench.role("listers", server=access.server, **files), {**served, "client": str(folder)}


def _ask(listers: Role, path: str, seconds: float) -> dict[str, float]:
    return listers.ask("ask", path=path, accept=TABLE, clients=CLIENTS, seconds=seconds, within=seconds + 60)


def _quiet(fleet: Role, seconds: float) -> float:
    """The p99 of the Acks while nobody lists, in ms."""
    fleet.ask("wait", seconds=seconds)
    return float(fleet.ask("hush")["p99"]) * 1000


def _bare(bench: Bench, access: dict[str, str], rows: int, size: int, seconds: float) -> float:
    server = bench.role(
        "barelist", certificate=access["certificate"], key=access["key"], rows=rows, row_bytes=size // rows
    )
    files = {"certificate": f"{access['client']}/tls.crt", "key": f"{access['client']}/tls.key"}
    listers = bench.role("listers", server=f"https://127.0.0.1:{server.hello['port']}", **files)
    rate = _ask(listers, "/", seconds)["rate"]
    bench.end(listers, server)
    return float(rate)
