"""Which loop looks again after what: the wake-ups that connect the loops, and who hears of what the store committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from argosy.loop import Wake
from hub.core.served import table
from hub.loops.appsets.world import World
from hub.loops.expander import Expander
from hub.loops.holder import Holder
from hub.loops.mover import Mover
from hub.loops.recorder import Recorder
from hub.loops.remover import Remover
from hub.loops.renderer import Renderer
from hub.loops.roller import Roller
from hub.store.base import Change

_QUIET = {
    table.APPLICATION.resource,
    table.EVENT.resource,
    table.FREEZE.resource,
    table.JOIN_TOKEN.resource,
    table.OVERRIDE.resource,
    table.RELEASE.resource,
    table.REMOVAL.resource,
    table.ROLLOUT.resource,
    table.ROLLOUT_POLICY.resource,
}
"""Resources whose writes change no set's evaluation by themselves."""


@dataclass(frozen=True, slots=True)
class Wakes:
    """One for each loop that others wake; there before the loops are."""

    configurer: Wake = field(default_factory=Wake)
    poller: Wake = field(default_factory=Wake)
    expander: Wake = field(default_factory=Wake)
    renderer: Wake = field(default_factory=Wake)
    roller: Wake = field(default_factory=Wake)
    mover: Wake = field(default_factory=Wake)
    remover: Wake = field(default_factory=Wake)
    holder: Wake = field(default_factory=Wake)
    recorder: Wake = field(default_factory=Wake)

    def moved(self) -> None:
        """Repositories answer otherwise."""
        self.expander.set()
        self.renderer.set()

    def heard(self) -> None:
        """A repository for which nobody waited any more has answered."""
        self.poller.set()
        self.moved()

    def rendered(self) -> None:
        """What clusters should have may differ."""
        self.roller.set()
        self.remover.set()


@dataclass(frozen=True, slots=True)
class Hearers:
    """The loops, as they hear of what was committed."""

    wakes: Wakes
    world: World
    expander: Expander
    renderer: Renderer
    roller: Roller
    mover: Mover
    remover: Remover
    holder: Holder
    recorder: Recorder

    def changed(self, changes: Sequence[Change]) -> None:
        """Objects were written."""
        wakes = self.wakes
        self.mover.note(changes)
        # Of thousands that a commit or a report concerns, mostly only what is shown of them is another.
        changes = [change for change in changes if not change.composed]
        changed = self.world.note(changes)
        if changed & {table.SECRET.resource, table.CONFIG_MAP.resource, table.APP_PROJECT.resource}:
            wakes.configurer.set()
        if self.expander.note(changes) or changed - _QUIET:
            wakes.expander.set()
        if self.renderer.note(changes) or table.CLUSTER.resource in changed:
            wakes.renderer.set()
        if self.holder.note(changes):
            wakes.holder.set()
        if table.ROLLOUT_POLICY.resource in changed:
            self.roller.again()
            wakes.roller.set()
        elif self.roller.note(changes):
            wakes.roller.set()
        gone = any(one.verb == "DELETED" and one.resource == table.CLUSTER.resource for one in changes)
        if gone:
            # Nobody is left to be waited for there.
            self.remover.again()
        if gone or table.REMOVAL.resource in changed:
            # Or something was decided.
            wakes.remover.set()
        if changed & {table.REMOVAL.resource, table.CONFIG_MAP.resource}:
            # Perhaps about a release that prunes much.
            self.held_otherwise()

    def topics(self) -> Iterable[tuple[str, Callable[[str], None]]]:
        """(how a topic of the store begins, who hears of it)."""
        return (
            ("rollout:", self.mover.written),
            ("left:", self.mover.left),
            ("report:", self.mover.reported),
            ("desired:", self.holder.assigned),
            ("report:", self.recorder.reported),
            ("facts:", self._facts_told),
            ("waiting", lambda topic: self.wakes.roller.set()),
            ("desired:", self._assigned),
            ("removed:", self._removed),
            ("lost:", lambda topic: self.wakes.remover.set()),
        )

    def held_otherwise(self) -> None:
        """What holds applications changed: whoever waits for that looks again."""
        self.mover.again()
        self.roller.again()
        self.wakes.roller.set()
        self.remover.again()
        self.wakes.remover.set()

    def _facts_told(self, topic: str) -> None:
        self.renderer.told(topic)
        self.wakes.renderer.set()

    def _assigned(self, topic: str) -> None:
        if self.remover.waiting:
            self.wakes.remover.set()

    def _removed(self, topic: str) -> None:
        self.remover.heard(topic)
        self.wakes.remover.set()
