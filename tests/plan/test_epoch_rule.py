"""A restored, new or foreign hub deletes nothing until an operator confirms it."""

from __future__ import annotations

import pytest

from agent.core import epoch
from agent.core.epoch import OLDER, UNKNOWN, Held


@pytest.mark.parametrize(
    ("held", "met", "expected"),
    [
        (Held(), ("e1", 5), Held("e1", 5)),
        (Held("e1", 5), ("e1", 6), Held("e1", 6)),
        (Held("e1", 5), ("e1", 5), Held("e1", 5)),
        (Held("e1", 5), ("e2", 9), Held("e1", 5, reason=UNKNOWN)),
        (Held("e1", 5), ("e1", 4), Held("e1", 5, reason=OLDER)),
        (Held("e1", 5, reason=UNKNOWN), ("e1", 6), Held("e1", 6)),
        (Held("e1", 5, confirmed="e2", reason=UNKNOWN), ("e2", 1), Held("e2", 1)),
        (Held("e1", 5, confirmed="e2", reason=UNKNOWN), ("e3", 9), Held("e1", 5, "e2", UNKNOWN)),
        (Held("e1", 5, confirmed="e1", reason=OLDER), ("e1", 4), Held("e1", 4)),
    ],
)
def test_what_is_held_after_meeting_a_hub(held: Held, met: tuple[str, int], expected: Held) -> None:
    assert epoch.judge(held, *met) == expected


def test_a_confirmation_counts_once_the_hub_speaks() -> None:
    waiting = epoch.confirm(epoch.judge(Held("e1", 5), "e2", 1), "e2")
    assert waiting.holding
    assert not epoch.judge(waiting, "e2", 1).holding
