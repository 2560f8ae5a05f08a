"""Whether a desired set may be accepted: the rule that keeps a restored or foreign hub from deleting
anything.

An agent that meets a life of the hub's database it does not know, or a generation that went backwards, keeps
all it has, goes on healing it and refuses removals, until an operator confirms that life of the hub.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

UNKNOWN = "EpochUnknown"
OLDER = "EpochOlder"


@dataclass(frozen=True, slots=True)
class Held:
    """What the agent holds. `reason` is "" or why it is holding on to it. `confirmed` is an epoch an operator
    let in.
    """

    epoch: str = ""
    generation: int = 0
    confirmed: str = ""
    reason: str = ""

    @property
    def holding(self) -> bool:
        return bool(self.reason)


def judge(held: Held, epoch: str, generation: int) -> Held:
    """What is held after meeting that life and generation of the hub: accepted where `reason` is "", else
    unchanged but for the reason."""
    if not held.epoch or epoch == held.confirmed != held.epoch:
        return Held(epoch, generation)
    if epoch != held.epoch:
        return replace(held, reason=UNKNOWN)
    if generation < held.generation:
        return replace(held, reason=OLDER) if held.confirmed != epoch else Held(epoch, generation)
    return Held(epoch, generation)


def confirm(held: Held, epoch: str) -> Held:
    """An operator confirmed that life of the hub; it is let in when it next speaks."""
    return replace(held, confirmed=epoch)
