"""B16: what an agent with nothing to do sends and receives in a day, at the default settings."""

from __future__ import annotations

import time
from collections import defaultdict

from bench import b11_weight, product, seed
from bench.figures import Result, Target, figure
from bench.harness import Bench, Broken, Process, Role, until

ID, NAME = "B16", "idle-traffic"
INSTANCES = 4
SECONDS = 120.0
OBJECTS = 10
HEADERS = 52
"""Bytes of IP and TCP headers on each segment: IPv4, with time stamps."""
DAY = 86400.0
UNITS = {
    "day": "MB",
    "day_up": "MB",
    "day_down": "MB",
    "day_with_headers": "MB",
    "segments": "segments/min",
}


def run(
    bench: Bench, agents: int | None = None, instances: int = INSTANCES, seconds: float = SECONDS
) -> Result:
    count = agents or instances
    bench.say(f"{ID}: {count} agents at rest for {seconds:g} s")
    running = [_agent(bench) for _ in range(count)]
    before, since = [relay.ask("counts") for relay, _ in running], time.monotonic()
    time.sleep(seconds)
    spent = time.monotonic() - since
    found: dict[str, list[float]] = defaultdict(list)
    for (relay, agent), start in zip(running, before, strict=True):
        end = relay.ask("counts")
        if not agent.alive or end["connections"] != start["connections"]:
            raise Broken("an agent did not stay connected")
        passed = {name: end[name] - start[name] for name in ("up", "down", "segments")}
        a_day = DAY / spent / 1e6
        found["day_up"].append(passed["up"] * a_day)
        found["day_down"].append(passed["down"] * a_day)
        found["day"].append((passed["up"] + passed["down"]) * a_day)
        found["day_with_headers"].append(found["day"][-1] + passed["segments"] * HEADERS * a_day)
        found["segments"].append(passed["segments"] / spent * 60)
    return Result(
        ID,
        NAME,
        {name: figure(found[name], unit) for name, unit in UNITS.items()},
        targets=[Target("day", 1.0)],
        notes=[
            f"{count} agents, each with one application of {OBJECTS} objects that is Synced; {seconds:g} s extrapolated",
            "bytes on the connection's socket, counted by a relay: TLS, HTTP/2 and beats; without the day's one renewal "
            "and reconnection (6 KB)",
            f"day_with_headers: and {HEADERS} bytes of IP and TCP headers for each segment, acknowledgements too",
        ],
    )


def _agent(bench: Bench) -> tuple[Role, Process]:
    """An agent that has applied and reported all there is, and the relay before its hub."""
    folder = bench.fresh("hub")
    seed.fill(folder, 1, 0)
    stub = bench.role("stubapi", uid=seed.cluster_uid(0))
    hub = bench.role("linkhub", folder=str(folder), clusters=1)
    relay = bench.role("relay", port=hub.hello["port"])
    access = folder / "kubeconfig"
    access.write_bytes(b11_weight.kubeconfig(stub.hello["port"]))
    token = hub.ask("offer", port=relay.hello["port"])["token"]
    agent = product.agent(bench, bench.fresh("state"), token, access)
    until(lambda: hub.ask("cpu")["streams"] == 1, "the agent is connected", 30)
    hub.ask("assign", objects=b11_weight.manifests(OBJECTS, "1", "shop"), release="one")
    hub.ask("reported", release="one", patience=30, within=40)
    _rests(relay)
    return relay, agent


def _rests(relay: Role) -> None:
    """Until nothing but a beat has passed for two seconds."""
    last = [relay.ask("counts")]

    def quiet() -> bool:
        now = relay.ask("counts")
        before, last[0] = last[0], now
        return now["up"] + now["down"] - before["up"] - before["down"] < 200

    until(quiet, "the link is at rest", 30, pause=2.0)
