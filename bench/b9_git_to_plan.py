"""B9: from a commit in a repository of 5,000 files to what it means: which sets, which bundle; and a look in vain."""

from __future__ import annotations

import functools
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from bench import product
from bench.figures import Result, Target, figure
from bench.harness import Bench

ID, NAME = "B9", "git-to-plan"
FOLDERS, FILES = 25, 200
CHANGED = 50
INSTANCES, ROUNDS = 3, 3
UNITS = {
    "cold": "ms",
    "cold_with_fetch": "ms",
    "warm": "ms",
    "warm_with_fetch": "ms",
    "noop": "ms",
    "noop_cpu": "ms",
}
PEER = {"fetch_and_diff_tree": "ms", "noop_fetch_and_diff_tree": "ms", "pyyaml_load": "ms"}


def run(bench: Bench, agents: int | None = None, instances: int = INSTANCES) -> Result:
    files = FILES if agents is None else min(agents, FILES)
    found: dict[str, list[float]] = defaultdict(list)
    for number in range(instances):
        bench.say(
            f"{ID}: {FOLDERS * files} files, {ROUNDS} commits of {CHANGED} ({number + 1} of {instances})"
        )
        _instance(bench, files, found)
    figures = {name: figure(found[name], unit) for name, unit in UNITS.items()}
    peer = {name: figure(found[name], unit) for name, unit in PEER.items()}
    return Result(
        ID,
        NAME,
        figures,
        peer,
        {
            "noop_over_git": figures["noop"].median / peer["noop_fetch_and_diff_tree"].median,
            "cold_over_pyyaml": figures["cold"].median / peer["pyyaml_load"].median,
            "warm_over_pyyaml": figures["warm"].median / peer["pyyaml_load"].median,
        },
        [
            Target("cold_with_fetch", 200),
            Target("warm", 25),
            Target("noop", 5),
            Target("noop_over_git", 1.0),
            Target("cold_over_pyyaml", 1.5),
            Target("warm_over_pyyaml", 0.1),
        ],
        [
            f"{FOLDERS} folders of {files} files with two ConfigMaps each; a set for each folder and one for all folders",
            "cold: the commit changes 50 files of a folder: which sets it concerns, the folder's files read, parsed, checked, "
            "hashed as a bundle; every file is parsed anew where its content is new",
            "warm: the commit changes 50 files of another folder, and the plan for the first one is asked for again",
            "noop: one listing of the remote over HTTP, a process of Git's; the peer is `git fetch` and `git diff-tree`",
        ],
    )


def _instance(bench: Bench, files: int, found: dict[str, list[float]]) -> None:
    repo = product.Repo(bench.fresh("git"))
    try:
        before = repo.commit({_path(f, n): _text(f, n, "0") for f in range(FOLDERS) for n in range(files)})
        mirror = bench.fresh("mirror")
        _git("clone", "--quiet", "--mirror", repo.url, str(mirror))
        role = bench.role("planner", folder=str(bench.fresh("mirrors")), folders=FOLDERS)
        role.ask("first", url=repo.url)
        for turn in range(1, ROUNDS + 1):
            after = repo.commit(_change(0, files, str(turn)))
            _timed(found, "fetch_and_diff_tree", functools.partial(_fetch, mirror, before, after))
            _add(found, "cold", role.ask("plan", url=repo.url, path="apps/0"))
            before = after
            after = repo.commit(_change(1, files, str(turn)))
            _fetch(mirror, before, after)
            _add(found, "warm", role.ask("plan", url=repo.url, path="apps/0"))
            before = after
            _timed(found, "noop_fetch_and_diff_tree", functools.partial(_fetch, mirror, before, after))
            got = role.ask("noop", url=repo.url)
            found["noop"].append(got["seconds"] * 1000)
            found["noop_cpu"].append(got["cpu"] * 1000)
            found["pyyaml_load"].append(role.ask("pyyaml", url=repo.url, path="apps/0")["seconds"] * 1000)
        bench.end(role)
    finally:
        repo.close()


def _add(found: dict[str, list[float]], name: str, got: dict[str, float]) -> None:
    found[name].append(got["seconds"] * 1000)
    found[f"{name}_with_fetch"].append((got["seconds"] + got["fetch"]) * 1000)


def _timed(found: dict[str, list[float]], name: str, act: Callable[[], None]) -> None:
    began = time.monotonic()
    act()
    found[name].append((time.monotonic() - began) * 1000)


def _fetch(mirror: Path, before: str, after: str) -> None:
    _git("--git-dir", str(mirror), "fetch", "--quiet", "origin")
    _git("--git-dir", str(mirror), "diff-tree", "-r", "--name-only", before, after)


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], check=True, stdout=subprocess.DEVNULL)


def _path(folder: int, number: int) -> str:
    return f"apps/{folder}/file-{number:03d}.yaml"


def _text(folder: int, number: int, value: str) -> str:
    maps = [product.config_map(f"settings-{folder}-{number}-{part}", value) for part in range(2)]
    return "---\n".join(maps)


def _change(folder: int, files: int, value: str) -> dict[str, str]:
    return {_path(folder, n): _text(folder, n, value) for n in range(min(CHANGED, files))}
