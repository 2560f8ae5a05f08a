"""The process in which users' own health checks run. Whoever started it ends it where one does not end.

Reads `{"lua": script, "libraries": bool, "object": object}` or `{"cel": expression, "object": object}`, answers
`{"value": ...}`, or `{"failed": text}` with `"exhausted"` where the check spent what a run may cost.
"""

from __future__ import annotations

import json
from typing import Any

from agent.sandbox import answerer
from argosy import cel, lua
from argosy.health.user import Exhausted, Failed

MEMORY = 1024 * 1024 * 1024


def answer(line: str) -> dict[str, Any]:
    """The answer to one line."""
    asked = json.loads(line)
    live = asked["object"]
    try:
        if "lua" in asked:
            return {"value": lua.run(asked["lua"], asked["libraries"], live)}
        return {"value": cel.evaluate(asked["cel"], live)}
    except Exhausted as error:
        return {"failed": str(error), "exhausted": True}
    except Failed as error:
        return {"failed": str(error)}
    except MemoryError:
        return {"failed": "the check needs too much memory", "exhausted": True}


if __name__ == "__main__":
    answerer.serve(answer, memory=MEMORY, files=64)
