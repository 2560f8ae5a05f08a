"""How long to wait before trying again. Pure: the random number comes in as an argument."""

from __future__ import annotations


def full_jitter(attempt: int, roll: float, *, base: float = 0.5, cap: float = 30.0) -> float:
    """Seconds before try number `attempt` (0 = the first retry), `roll` evenly random in [0, 1).

    Full jitter spreads a fleet that lost its hub at one moment over the whole interval, so that the hub's return is
    not met by all of it at once.
    """
    ceiling = min(cap, base * 2.0 ** min(attempt, 30))
    return ceiling * roll
