"""What loops ask before they change anything: who may not be changed now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hub.core.holds import Holds
from hub.core.rollout.model import Rollout
from hub.store.base import Tx

HoldsOf = Callable[[Tx, Sequence[str], Rollout | None, float], Holds]
"""(tx, uids of Applications, the rollout that would move them, now) -> who among them may not change now, and why."""


def no_holds(tx: Tx, apps: Sequence[str], rollout: Rollout | None, now: float) -> Holds:
    """Where nothing holds anybody."""
    return Holds()
