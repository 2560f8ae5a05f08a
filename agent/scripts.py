"""Runs the users' own health checks for the agent: an object that did not change is not asked about twice, and a check
that spends all that a run may cost is left alone for a while, so that it harms only its own kind."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from argosy.health import user
from argosy.health.user import Exhausted, Failed, UserChecks
from argosy.objects import Manifest

KEPT = 20_000
"""Answers that are remembered."""
STRIKES = 3
REST = 300.0
"""Seconds for which a check that exhausted itself `STRIKES` times is not run."""


class Scripts:
    """`lua` and `cel` are loaded only where there is something to run. `clock` tells Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._answers: OrderedDict[tuple[str, ...], Any] = OrderedDict()
        self._strikes: dict[str, tuple[int, float]] = {}

    def read(self, data: Mapping[str, str]) -> UserChecks:
        """The checks in the data of `argocd-cm`."""
        return user.read(data, self.run, self.evaluate)

    def run(self, script: str, open_libraries: bool, live: Manifest) -> Any:
        from argosy import lua

        return self._asked(script, live, lambda: lua.run(script, open_libraries, live))

    def evaluate(self, expression: str, live: Manifest) -> bool:
        from argosy import cel

        return bool(self._asked(expression, live, lambda: cel.evaluate(expression, live)))

    def _asked(self, check: str, live: Manifest, ask: Callable[[], Any]) -> Any:
        metadata = live["metadata"]
        name = (check, metadata.get("uid") or "", metadata.get("resourceVersion") or "")
        if all(name) and name in self._answers:
            self._answers.move_to_end(name)
            return self._answers[name]
        self._refuse_exhausted(check)
        try:
            answer = ask()
        except Exhausted:
            strikes, _ = self._strikes.get(check, (0, 0.0))
            self._strikes[check] = (strikes + 1, self._clock() + REST)
            raise
        self._strikes.pop(check, None)
        self._answers[name] = answer
        while len(self._answers) > KEPT:
            self._answers.popitem(last=False)
        return answer

    def _refuse_exhausted(self, check: str) -> None:
        strikes, until = self._strikes.get(check, (0, 0.0))
        if strikes < STRIKES:
            return
        if 0 < until - self._clock() <= REST:
            raise Failed("the check ran for too long on other objects and is not run for a while")
        del self._strikes[check]
