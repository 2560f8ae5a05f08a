"""Evaluates `jqPathExpressions`: Argo CD deletes with jq, for at most a second, what an expression names.

jq runs in a process of its own, started when the first expression is met that is more than plain names: a program that
does not end is ended with it, and is not tried again for a while. Callers wait for the answer, a second at the worst.
As with Argo CD, an expression that does not fit one object still counts for the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from agent.sandbox.worker import Worker
from argosy.objects import Manifest

SECONDS = 1.0
REST = 300.0
"""Seconds for which an expression is not evaluated that took too long or ended the process: what was slow once may have
been a busy machine."""


class Jq:
    """`problems` says of each expression why it had no effect on some object. `clock` gives seconds."""

    def __init__(self, seconds: float = SECONDS, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._worker = Worker("agent.sandbox.jqworker", seconds)
        self._rests: dict[str, float] = {}
        """Until when an expression is not evaluated."""
        self.problems: dict[str, str] = {}

    def without(self, expression: str, manifest: Manifest) -> Manifest:
        """The manifest without what the expression names; the manifest itself where that cannot be told."""
        if self._rests.get(expression, 0.0) > self._clock():
            return manifest
        try:
            answered = self._worker.ask({"delete": expression, "from": manifest})
        except TimeoutError:
            return self._rest(expression, f"takes longer than {self._seconds:g} s", manifest)
        except (OSError, ValueError):
            return self._rest(expression, "ended the process it ran in", manifest)
        if self._rests.pop(expression, None) is not None:
            del self.problems[expression]
        if "error" in answered:
            self.problems[expression] = answered["error"]
            return manifest
        found: Manifest = answered["object"]
        return found

    def close(self) -> None:
        """Ends the process."""
        self._worker.close()

    def _rest(self, expression: str, why: str, manifest: Manifest) -> Manifest:
        self.problems[expression] = why
        self._rests[expression] = self._clock() + REST
        return manifest
