"""`python -m bench [B1 B2 …] [--json] [--agents N]`: runs benchmarks by number, all of them by default.

Exit code 0 when every benchmark that ran meets its targets, 1 when one misses one, 2 when one could not be run.
With --json, stdout is JSON alone; progress goes to stderr.
"""

from __future__ import annotations

import argparse
import importlib
import resource
import sys
from collections.abc import Sequence
from typing import Any

import orjson

from bench import figures, harness
from bench.figures import Result

BENCHMARKS = {
    "B1": "b1_connect",
    "B2": "b2_fanout",
    "B3": "b3_restart",
    "B4": "b4_ingest",
    "B5": "b5_applied",
    "B6": "b6_full_sync",
    "B7": "b7_generators",
    "B8": "b8_incremental",
    "B9": "b9_git_to_plan",
    "B10": "b10_delivery",
    "B11": "b11_weight",
    "B12": "b12_lists",
    "B13": "b13_live",
    "B14": "b14_where",
    "B15": "b15_hundred",
    "B16": "b16_idle",
}


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Argosy's benchmarks.")
    parser.add_argument("ids", nargs="*", metavar="ID", help=f"of {', '.join(BENCHMARKS)} (default: all)")
    parser.add_argument("--json", action="store_true", help="JSON alone on stdout")
    parser.add_argument("--agents", type=int, metavar="N", help="agents in B1, streams in B2, agents in B5")
    arguments = parser.parse_args(argv)
    wanted = [name.upper() for name in arguments.ids] or list(BENCHMARKS)
    if unknown := [name for name in wanted if name not in BENCHMARKS]:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    _raise_file_limit()
    machine = harness.machine()
    results, failed = [], False
    for name in wanted:
        try:
            results.append(_run(BENCHMARKS[name], arguments.agents))
        except (harness.Broken, OSError) as error:
            print(f"{name}: could not be run: {error}", file=sys.stderr)
            failed = True
    if arguments.json:
        documents = [result.document(machine) for result in results]
        sys.stdout.buffer.write(orjson.dumps(documents, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        print(" ".join(f"{key}={value}" for key, value in machine.items()))
        print(figures.table(results))
    return 2 if failed else int(not all(result.meets for result in results))


def _run(module: str, agents: int | None) -> Result:
    benchmark: Any = importlib.import_module(f"bench.{module}")
    with harness.bench(lambda line: print(line, file=sys.stderr, flush=True)) as bench:
        result: Result = benchmark.run(bench, agents)
        return result


def _raise_file_limit() -> None:
    """One process here holds thousands of connections; children inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


if __name__ == "__main__":
    sys.exit(main())
