"""B14: where a commit is in a fleet of 50,000 assignments, asked through the hub's API over TLS."""

from __future__ import annotations

import contextlib
import functools
import time
from urllib.parse import urlencode

from argosy.errors import ArgosyError
from bench import largefleet, product, seed
from bench.figures import Result, Target, figure
from bench.harness import Bench, Broken, until

ID, NAME = "B14", "where"
ASKED = 20


def run(bench: Bench, agents: int | None = None, asked: int = ASKED) -> Result:
    clusters = largefleet.CLUSTERS if agents is None else min(agents, largefleet.CLUSTERS)
    rows = clusters * largefleet.APPS
    with contextlib.ExitStack() as stack:
        repo = product.Repo(bench.fresh("git"))
        stack.callback(repo.close)
        bench.say(f"{ID}: a hub with {rows} assignments")
        hub, commit = _filled(bench, repo, clusters)
        stack.callback(hub.end)
        path = _path(repo, commit)
        took, cpu, size = [], [], 0
        for _ in range(asked + 1):
            before, began = hub.process.cpu, time.monotonic()
            text = hub.client.text(path)
            took.append(time.monotonic() - began)
            cpu.append((hub.process.cpu - before) * 1000)
            size = len(text)
        found = hub.client.get(path)
        behind = found["counts"]["waiting"] + found["counts"]["offline"]
        if sum(found["counts"].values()) != found["clusters"] or not behind:
            raise Broken(f"wrong answer: {found['counts']}")
    figures = {
        "first": figure(took[:1], "s"),
        "p50": figure(took[1:], "s"),
        "last": figure([max(took)], "s"),
        "cpu": figure(cpu[1:], "ms"),
        "bytes": figure([size / 1024], "KB"),
    }
    return Result(
        ID,
        NAME,
        figures,
        targets=[Target("last", 1.0)],
        notes=[
            f"{rows} assignments on {clusters} clusters, each cluster's row in the answer; {asked} questions in turn"
        ],
    )


def _path(repo: product.Repo, commit: str) -> str:
    return f"/where?{urlencode({'commit': commit, 'repo': repo.url})}"


def _filled(bench: Bench, repo: product.Repo, clusters: int) -> tuple[product.Hub, str]:
    """A hub that has read the repository, started again with a large fleet in its store; the commit that the fleet wants,
    of which the hub's only real Application reads nothing.
    """
    data = bench.fresh("hub")
    hub = product.Hub(bench, data)
    hub.join("live")
    first = repo.commit({"shop/settings.yaml": product.config_map("settings", "1")})
    hub.client.create(product.APPS, product.application("shop", repo.url, "shop", "live", "default"))
    _known(hub, repo, first)
    second = repo.commit({"README.md": "words\n"})
    hub.notify(repo, second)
    _known(hub, repo, second)
    hub.end()
    fill = functools.partial(largefleet.fill, clusters=clusters, repo=repo.url, commits=(first, second))
    seed.write(data / "hub.db", fill)
    return product.Hub(bench, data), second


def _known(hub: product.Hub, repo: product.Repo, commit: str) -> None:
    def known() -> bool:
        try:
            return bool(hub.client.get(_path(repo, commit)))
        except ArgosyError:
            return False

    until(known, "the commit was fetched", 60, pause=0.1)
