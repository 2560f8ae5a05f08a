"""Faults on demand for the in-memory cluster: which call fails, how, how often; and how often it really happened.

A fault test is worth what it counts: `Faults.counts` says how many of each effect were delivered.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from agent.cluster import answers
from argosy import errors
from argosy.machinery import failure

Effect = Literal[
    "latency",
    "unavailable",
    "lost",
    "error",
    "busy",
    "throttled",
    "conflict",
    "forbidden",
    "expired",
    "refused",
]
"""`latency` waits; `unavailable` does nothing and breaks the connection; `lost` does it and breaks before the answer;
`error` is a 500, `busy` a 503, `throttled` a 429, `conflict` a 409 without causes, `forbidden` a 403, `expired` a 410,
`refused` a 422."""

Verb = Literal["identity", "kinds", "get", "list", "apply", "create", "update", "delete", "watch", "any"]


@dataclass(frozen=True, slots=True)
class Fault:
    """One effect on some calls. `after` matching calls pass first, then `times` are hit (0: all from then on).

    `kind` and `name` narrow it to objects of that kind or name; "" is any. `seconds` is the latency, or the
    Retry-After of `busy` and `throttled`.
    """

    verb: Verb
    effect: Effect
    after: int = 0
    times: int = 1
    kind: str = ""
    name: str = ""
    seconds: float = 0.0


class Faults:
    """The faults of one cluster, in the order they were injected; the first that hits a call is its fate."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        """How often each effect was delivered; also `dropped` watches and `expired` ones."""
        self._waiting: list[list[int]] = []
        self._faults: list[Fault] = []

    def inject(self, *faults: Fault) -> None:
        """Adds faults; they count calls from now on."""
        for fault in faults:
            self._faults.append(fault)
            self._waiting.append([fault.after, fault.times])

    def clear(self) -> None:
        """Forgets all faults; the counts stay."""
        self._faults.clear()
        self._waiting.clear()

    def strike(self, verb: str, kind: str, name: str) -> list[Fault]:
        """What happens to this call: latencies, and at most one other effect, last."""
        if not self._faults:
            return []
        out: list[Fault] = []
        for index, fault in enumerate(self._faults):
            if not _concerns(fault, verb, kind, name):
                continue
            left = self._waiting[index]
            if left[0] > 0:
                left[0] -= 1
                continue
            if left[1] < 0:
                continue
            left[1] = self._used(fault, left[1])
            self.counts[fault.effect] += 1
            out.append(fault)
            if fault.effect != "latency":
                break
        return out

    @staticmethod
    def _used(fault: Fault, left: int) -> int:
        if fault.times == 0:
            return 0
        return left - 1 if left > 1 else -1


def _concerns(fault: Fault, verb: str, kind: str, name: str) -> bool:
    if fault.verb not in ("any", verb):
        return False
    return (not fault.kind or fault.kind == kind) and (not fault.name or fault.name == name)


def broken(lost: Fault | None) -> None:
    """Raises what a caller sees whose answer got lost."""
    if lost is not None:
        raise errors.Unavailable("the connection broke before the answer (injected)")


def error_of(fault: Fault, kind: str, name: str) -> errors.ArgosyError:
    """What a caller sees of a fault that strikes at once."""
    if fault.effect == "unavailable":
        return errors.Unavailable("the server did not answer (injected)")
    seconds = int(fault.seconds)
    made = {
        "error": lambda: failure.internal("injected"),
        "busy": lambda: failure.ApiFailure(503, "ServiceUnavailable", "injected", retry_after=seconds),
        "throttled": lambda: failure.too_many_requests("injected", seconds or 1),
        "conflict": lambda: failure.conflict(kind.lower() + "s", "", name),
        "forbidden": lambda: failure.forbidden(kind.lower() + "s", "", name, "injected"),
        "expired": lambda: failure.expired("injected"),
        "refused": lambda: failure.invalid(
            kind, "", name, [failure.invalid_value("spec", "injected", "injected")]
        ),
    }[fault.effect]()
    return answers.from_status(made.to_status())
