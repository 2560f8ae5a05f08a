"""Evaluates `jqPathExpressions`: Argo CD deletes with jq, for at most a second, what an expression names.

jq runs in a process of its own, started when the first expression is met that is more than plain names: a program that
does not end is ended with it, and is never tried again. Callers wait for the answer, a second at the worst, once for
each bad expression.
"""

from __future__ import annotations

from agent.worker import Worker
from argosy.objects import Manifest

SECONDS = 1.0


class Jq:
    """`problems` says of each expression that could not be evaluated why; it has no effect then."""

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._worker = Worker("agent.jqworker", seconds)
        self.problems: dict[str, str] = {}

    def without(self, expression: str, manifest: Manifest) -> Manifest:
        """The manifest without what the expression names; the manifest itself where that cannot be told."""
        if expression in self.problems:
            return manifest
        try:
            answered = self._worker.ask({"delete": expression, "from": manifest})
        except TimeoutError:
            self.problems[expression] = f"takes longer than {self._seconds:g} s"
            return manifest
        except (OSError, ValueError):
            self.problems[expression] = "ended the process it ran in"
            return manifest
        if "error" in answered:
            self.problems[expression] = answered["error"]
            return manifest
        found: Manifest = answered["object"]
        return found

    def close(self) -> None:
        """Ends the process."""
        self._worker.close()
