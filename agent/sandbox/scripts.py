"""Runs the users' own health checks for the agent: in a process of their own that is ended where one does not end, once
for each version of an object, and not for a while where a check spends all that a run may cost. So it harms only its
own kind."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from agent.sandbox.worker import Worker
from argosy.health import user
from argosy.health.user import Exhausted, Failed, UserChecks
from argosy.objects import Manifest

SECONDS = 1.0
"""Argo CD's limit for one run."""
KEPT = 20_000
"""Answers that are remembered."""
STRIKES = 3
REST = 300.0
"""Seconds for which a check that exhausted itself `STRIKES` times is not run."""


class Scripts:
    """`clock` tells Unix seconds. The process is started for the first check."""

    def __init__(self, clock: Callable[[], float], seconds: float = SECONDS) -> None:
        self._clock = clock
        self._worker = Worker("agent.sandbox.checkworker", seconds)
        self._answers: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self._strikes: dict[str, tuple[int, float]] = {}

    def read(self, data: Mapping[str, str]) -> UserChecks:
        """The checks in the data of `argocd-cm`."""
        return user.read(data, self.run, self.evaluate)

    def close(self) -> None:
        """Ends the process."""
        self._worker.close()

    def run(self, script: str, open_libraries: bool, live: Manifest) -> Any:
        """What a Lua script returns. Raises `Failed`."""
        return self._asked(script, live, {"lua": script, "libraries": open_libraries, "object": live})

    def evaluate(self, expression: str, live: Manifest) -> bool:
        """Whether a CEL expression is true. Raises `Failed`."""
        return bool(self._asked(expression, live, {"cel": expression, "object": live}))

    def _asked(self, check: str, live: Manifest, question: Mapping[str, Any]) -> Any:
        metadata = live["metadata"]
        name = (check, metadata.get("uid") or "", metadata.get("resourceVersion") or "")
        if all(name) and name in self._answers:
            self._answers.move_to_end(name)
            return self._answers[name]
        self._refuse_exhausted(check)
        try:
            answer = self._answer(question)
        except Exhausted:
            strikes, _ = self._strikes.get(check, (0, 0.0))
            self._strikes[check] = (strikes + 1, self._clock() + REST)
            raise
        self._strikes.pop(check, None)
        self._answers[name] = answer
        while len(self._answers) > KEPT:
            self._answers.popitem(last=False)
        return answer

    def _answer(self, question: Mapping[str, Any]) -> Any:
        try:
            found = self._worker.ask(question)
        except TimeoutError:
            raise Exhausted("the check ran for too long") from None
        except (OSError, ValueError):
            raise Exhausted("the check ended the process it ran in") from None
        if "failed" in found:
            raise (Exhausted if found.get("exhausted") else Failed)(found["failed"])
        return found["value"]

    def _refuse_exhausted(self, check: str) -> None:
        strikes, until = self._strikes.get(check, (0, 0.0))
        if strikes < STRIKES:
            return
        if 0 < until - self._clock() <= REST:
            raise Failed("the check ran for too long on other objects and is not run for a while")
        del self._strikes[check]
