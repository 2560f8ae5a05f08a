"""From what the hub wants to who acts on it: each newer set is handed to the applier, sets in between are
skipped.
"""

from __future__ import annotations

from agent.link.ledger import Ledger
from agent.loops.applier import Applier


async def watch(ledger: Ledger, applier: Applier) -> None:
    """Runs until cancelled, beginning with the set that was kept from before."""
    desired, version = ledger.desired.value, ledger.desired.version
    while True:
        if desired is not None:
            applier.adopt(desired)
        desired, version = await ledger.desired.after(version)
