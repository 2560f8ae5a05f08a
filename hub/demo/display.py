"""What people see of the demo: a live table on a terminal, plain lines in a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from argosy.objects import Manifest
from hub.cli import rollout_view
from hub.cli.states import AppState

Fleet = Mapping[str, tuple[str, Sequence[AppState]]]
"""Cluster -> (its state, its applications)."""


class Display(Protocol):
    """Told what happens. `say` is a sentence of the story, `show` the fleet's present state."""

    def say(self, text: str) -> None: ...

    def show(self, fleet: Fleet, rollout: Manifest | None = None) -> None: ...

    def close(self) -> None: ...


def choose() -> Display:
    """The live table where standard output is a terminal."""
    return Live() if sys.stdout.isatty() else Lines()


class Lines:
    """One line for each sentence and for each change of an application's state."""

    def __init__(self) -> None:
        self._start = time.monotonic()
        self._shown: dict[str, str] = {}

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self._start:5.1f} s  {text}", flush=True)

    def show(self, fleet: Fleet, rollout: Manifest | None = None) -> None:
        now = {app.name: _words(app) for _, apps in fleet.values() for app in apps}
        now |= {f"cluster {name}": state for name, (state, _) in fleet.items()}
        if rollout is not None:
            now |= {f"rollout {rollout['metadata']['name']}": _stages(rollout)}
        for name in sorted(now):
            if self._shown.get(name) != now[name]:
                self.say(f"  {name}: {now[name]}")
        for name in sorted(set(self._shown) - set(now)):
            self.say(f"  {name}: gone")
        self._shown = now

    def close(self) -> None:
        """Nothing to put back."""


class Live:
    """A table of clusters and applications that changes in place, the story below it."""

    KEPT = 12

    def __init__(self) -> None:
        from rich.console import Console
        from rich.live import Live as RichLive

        self._start = time.monotonic()
        self._story: list[str] = []
        self._fleet: Fleet = {}
        self._rollout: Manifest | None = None
        self._live = RichLive(console=Console(highlight=False), refresh_per_second=8)
        self._live.start()

    def say(self, text: str) -> None:
        self._story.append(f"{time.monotonic() - self._start:5.1f} s  {text}")
        self._draw()

    def show(self, fleet: Fleet, rollout: Manifest | None = None) -> None:
        self._fleet, self._rollout = fleet, rollout
        self._draw()

    def close(self) -> None:
        self._live.stop()

    def _draw(self) -> None:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        from hub.cli import output

        kinds = sorted({_kind(app, name) for name, (_, apps) in self._fleet.items() for app in apps})
        table = Table(header_style="bold")
        for column in ("cluster", "agent", *kinds):
            table.add_column(column)
        for name, (state, apps) in self._fleet.items():
            cells = {_kind(app, name): app for app in apps}
            shown = [
                Text(_words(cells[kind]), output.colour(cells[kind].health))
                if kind in cells
                else Text("-", "dim")
                for kind in kinds
            ]
            table.add_row(name, Text(state, output.colour(state)), *shown)
        parts: list[Any] = [table]
        if self._rollout is not None:
            stages = Table(header_style="bold", title=_stages(self._rollout), title_justify="left")
            for column in rollout_view.STAGE_COLUMNS[:4]:
                stages.add_column(column.lower())
            for cells_of in rollout_view.stages(self._rollout):
                stages.add_row(*(Text(cell, output.colour(cell)) for cell in cells_of[:4]))
            parts.append(stages)
        story = [Text(line) for line in self._story[-self.KEPT :]]
        self._live.update(Group(*parts, *story) if self._fleet else Group(*story))


def _kind(app: AppState, cluster: str) -> str:
    return app.name.removesuffix(f"-{cluster}")


def _stages(rollout: Manifest) -> str:
    status = rollout.get("status") or {}
    stages = (f"{one['name']} {one['state'].lower()} ({_counted(one)})" for one in status.get("stages") or ())
    return f"{status.get('phase', '')}: {', '.join(stages)}"


def _counted(stage: Mapping[str, Any]) -> str:
    return ", ".join(f"{number} {state}" for state, number in (stage.get("counts") or {}).items()) or "nobody"


def _words(app: AppState) -> str:
    return f"{app.sync}, {app.health}" + (f" at {app.revision[:7]}" if app.revision else "")
