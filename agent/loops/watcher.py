"""From what the hub wants to who acts on it: each newer set is handed to the applier, sets in between are
skipped. And whether this agent is the one to act: when that changes, every app is looked at again.
"""

from __future__ import annotations

from agent.link.ledger import Ledger
from agent.loops.applier import Applier
from agent.state.standing import Standing

VERDICT_SECONDS = 5.0
"""How long a start waits for the hub's word whether this agent is the one for its cluster: what a copied state holds may be
old."""


async def attend(standing: Standing, applier: Applier) -> None:
    """Runs until cancelled."""
    version = standing.second.version
    while True:
        _, version = await standing.second.after(version)
        applier.wake_all()


async def watch(ledger: Ledger, applier: Applier, standing: Standing) -> None:
    """Runs until cancelled, beginning with the set that was kept from before."""
    await standing.verdict(VERDICT_SECONDS)
    desired, version = ledger.desired.value, ledger.desired.version
    while True:
        if desired is not None:
            applier.adopt(desired)
        desired, version = await ledger.desired.after(version)
