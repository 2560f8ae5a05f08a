"""The process in which jq programs run: lines of JSON in, lines of JSON out, nothing else reachable.

A program may loop or eat memory without end, and the library cannot be interrupted; whoever started this process ends
it then. Reads `{"delete": path expression, "from": object}`, answers `{"object": ...}` or `{"error": text}`.
"""

from __future__ import annotations

import functools
import json
from typing import Any

import jq

from agent.sandbox import answerer

MEMORY = 512 * 1024 * 1024


@functools.lru_cache(maxsize=128)
def _program(expression: str) -> Any:
    return jq.compile(f"del({expression})")


def answer(line: str) -> dict[str, Any]:
    """The answer to one line."""
    asked = json.loads(line)
    try:
        # Argo CD's gojq visits the keys of a map in their order.
        text = json.dumps(asked["from"], sort_keys=True)
        found = _program(asked["delete"]).input_text(text).first()
    except (ValueError, StopIteration, MemoryError) as error:
        return {"error": str(error) or "gives nothing"}
    if not isinstance(found, dict):
        return {"error": "gives no object"}
    return {"object": found}


if __name__ == "__main__":
    answerer.serve(answer, memory=MEMORY, files=16)
