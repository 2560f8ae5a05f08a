"""The inside of a process that answers for `agent.sandbox.worker`: lines of JSON in, lines of JSON out, within bounds."""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable
from typing import Any


def serve(answer: Callable[[str], dict[str, Any]], *, memory: int, files: int) -> None:
    """Answers each line of standard input until it ends. `memory` is bytes of address space, `files` open files."""
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(answer(line)), flush=True)
