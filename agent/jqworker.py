"""The process in which jq programs run: lines of JSON in, lines of JSON out, nothing else reachable.

A program may loop or eat memory without end, and the library cannot be interrupted; whoever started this process ends
it then. Reads `{"delete": path expression, "from": object}`, answers `{"object": ...}` or `{"error": text}`.
"""

from __future__ import annotations

import functools
import json
import resource
import sys
from typing import Any

import jq

MEMORY = 512 * 1024 * 1024


@functools.lru_cache(maxsize=128)
def _program(expression: str) -> Any:
    return jq.compile(f"del({expression})")


def answer(line: str) -> dict[str, Any]:
    """The answer to one line."""
    asked = json.loads(line)
    try:
        found = _program(asked["delete"]).input_value(asked["from"]).first()
    except (ValueError, StopIteration, MemoryError) as error:
        return {"error": str(error) or "gives nothing"}
    if not isinstance(found, dict):
        return {"error": "gives no object"}
    return {"object": found}


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_NOFILE, (16, 16))
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(line)), flush=True)


if __name__ == "__main__":
    main()
