"""When a failed object or operation is tried again. Argo CD's defaults: 5 s, doubling, at most 3 minutes."""

from __future__ import annotations

from dataclasses import dataclass

from argosy.status import Difference

FIRST = 5.0
FACTOR = 2.0
LONGEST = 180.0
HOOK_ATTEMPTS = 5
"""How often an operation whose hooks fail is tried in all."""


def delay(attempt: int) -> float:
    """Seconds after the failure number `attempt` (1 = the first)."""
    return float(min(LONGEST, FIRST * FACTOR ** min(attempt - 1, 16)))


@dataclass(frozen=True, slots=True)
class Failure:
    """The last failure of one object: for which content, how often in a row, what was said, when to try
    again.

    `permanent` failures wait for other content or another live state; they too are tried again at the longest
    delay, since the reason may lie outside the object (a quota, a webhook).
    """

    digest: str
    attempts: int
    message: str
    not_before: float
    differences: tuple[Difference, ...] = ()
    """What others own of the object, where that is why it failed."""


def failed(
    last: Failure | None, digest: str, message: str, now: float, *, permanent: bool, retry_after: float = 0.0
) -> Failure:
    """The failure to remember. A server's own `retry_after` counts where it gave one."""
    attempts = last.attempts + 1 if last is not None and last.digest == digest else 1
    wait = LONGEST if permanent else max(retry_after, delay(attempts) if not retry_after else 0.0)
    return Failure(digest, attempts, message, now + wait)


def waits(failure: Failure | None, digest: str, now: float) -> bool:
    """Whether the object shall be left alone for now."""
    return failure is not None and failure.digest == digest and now < failure.not_before
