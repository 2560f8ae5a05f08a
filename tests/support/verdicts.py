"""What an agent made of single objects, for a test that gives up on them: its reasons, beside what is in the cluster.

Reads what agents keep to themselves: nothing but the text of a failed test may rest on it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable

from agent.core import marks
from agent.core.marks import Seen
from agent.loops.applier import Applier
from agent.program import Program
from agent.sync.memory import Memory
from argosy.objects import Manifest, ObjectKey
from argosy.status import Sync

_SHOWN = 5


def of_objects(program: Program | None, live: Iterable[Manifest]) -> str:
    """Some lines for each of the first objects, and for the agent's first apps."""
    if program is None or program.applier is None or program.ledger is None:
        return "  the agent does not run"
    applier = program.applier
    lines = [f"agent: {applier.count}, {program.ledger.held}"]
    for item in [marks.seen(item) for item in live][:_SHOWN]:
        lines += _object(applier, item)
    for memory in [*applier._syncer._memories.values()][:_SHOWN]:
        lines += _app(applier, memory)
    return "\n".join(f"  {line}" for line in lines)


def _object(applier: Applier, live: Seen) -> list[str]:
    key, watcher = live.key, applier._syncer.watcher
    lines = [f"{key}: version {live.resource_version}, mark {live.mark}, last applied: {live.applied}"]
    watched = watcher.get(key)
    if watched is None:
        lines.append(f"its watch knows none; its kind was listed: {watcher.listed(key.group, key.kind)}")
    else:
        behind = ", BEHIND" if watched.resource_version != live.resource_version else ""
        lines.append(f"its watch: version {watched.resource_version}, mark {watched.mark}{behind}")
    memory = applier._syncer._memories.get(live.owner)
    return lines if memory is None else [*lines, *_remembered(memory, key)]


def _remembered(memory: Memory, key: ObjectKey) -> list[str]:
    now = time.time()
    wanted = memory.prepared.wanted.get(key) if memory.prepared is not None else None
    lines = [
        f"wanted: {wanted.digest if wanted is not None else 'no more'}, known: {memory.verified.get(key)}"
    ]
    if (failure := memory.failures.get(key)) is not None:
        lines.append(f"left alone for {failure.not_before - now:.1f} s: {failure}")
    for claim, times in memory.corrections.get(key, {}).items():
        ago = ", ".join(f"{now - at:.1f}" for at in times)
        lines.append(f"{claim.field} was taken back from {claim.manager} {ago} s ago")
    return lines


def _app(applier: Applier, memory: Memory) -> list[str]:
    turn, told = applier._apps.get(memory.assignment), memory.status
    lines = [f"app {memory.assignment}: {memory.inventory.operation if memory.inventory else 'no inventory'}"]
    if turn is not None:
        due = turn.timer.when() - asyncio.get_running_loop().time() if turn.timer is not None else 0.0
        bundle = turn.given.bundle if turn.given is not None else ""
        lines.append(
            f"turn: running {turn.running}, again {turn.again}, next in {due:.1f} s, bundle {bundle}"
        )
    if told is not None:
        lines.append(f"told: {told.sync}, {told.health}, waiting for {told.waiting!r}: {told.message}")
        wrong = [item for item in told.resources if item.sync is not Sync.SYNCED]
        lines += [f"told of {item.kind} {item.name}: {item.sync}: {item.message}" for item in wrong[:_SHOWN]]
    return lines
