"""`argosy rollout …`: releases on their way over the fleet, and what operators do to them."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Annotated, Any

import typer

from argosy.errors import ArgosyError, NotFound
from argosy.objects import Manifest
from hub.cli import follow, output, rollout_view, session
from hub.cli.client import Client
from hub.cli.follow import Selection
from hub.cli.output import Output
from hub.cli.resources import ROLLOUTS
from hub.cli.wait import FAILED, duration

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="How changes go over the fleet.")

Name = Annotated[
    str, typer.Argument(metavar="NAME", help="The rollout's name, or its set's: then the newest one.")
]
Member = Annotated[
    str, typer.Option("--app", metavar="APP", help="Only this application; without it, all that failed.")
]
_DONE = "Completed"
NOTHING = "nothing had to be done"
"""What the hub says where a verb changes nothing: the rollout is so already, is over, or waits for somebody else."""

NOT_COUNTED = "not counted:"
"""With what the hub begins to say why an approval does not count: too early, or not this person's."""


@commands.command("list")
def list_rollouts(
    ctx: typer.Context,
    namespace: session.NamespaceOption = "",
    selector: session.SelectorOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """List the rollouts that the hub keeps, those under way and those that are over."""
    session.show_list(ctx, ROLLOUTS, form, namespace=namespace, selector=selector)


@commands.command("show")
def show(
    ctx: typer.Context,
    name: Name,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Follow it until it is over.")] = False,
    timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to follow it: 90s, 5m, 1h.")
    ] = "24h",
    namespace: session.NamespaceOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """Show one rollout: its stages, what it waits for, who is in trouble, when it may be over.

    With --watch it ends with 0 when the rollout is completed, 1 when it ended otherwise, 3 when the time is up.
    """
    seconds = duration(timeout)
    hub = session.connect(ctx)
    rollout = _find(hub, name, namespace)
    if not watch:
        if not session.printed(ROLLOUTS, rollout, form):
            _draw(rollout)
        return
    phase = _follow(hub, rollout, seconds)
    if phase != _DONE:
        raise ArgosyError(f"rollout {rollout['metadata']['name']}: {phase}")


@commands.command("promote")
def promote(ctx: typer.Context, name: Name, namespace: session.NamespaceOption = "") -> None:
    """Go on now: past a pause, past the gates that are waited for, past the rest of the soak time."""
    _act(ctx, name, namespace, "promote")


@commands.command("pause")
def pause(ctx: typer.Context, name: Name, namespace: session.NamespaceOption = "") -> None:
    """Start nobody else until it is resumed. Who is on the way goes on."""
    _act(ctx, name, namespace, "pause")


@commands.command("resume")
def resume(ctx: typer.Context, name: Name, namespace: session.NamespaceOption = "") -> None:
    """Go on after a pause or a halt; failures that led to a halt are put up with."""
    _act(ctx, name, namespace, "resume")


@commands.command("abort")
def abort(ctx: typer.Context, name: Name, namespace: session.NamespaceOption = "") -> None:
    """Stop where it is: who has the release keeps it, nobody else gets it before the next one."""
    _act(ctx, name, namespace, "abort")


@commands.command("rollback")
def rollback(ctx: typer.Context, name: Name, namespace: session.NamespaceOption = "") -> None:
    """Send everybody back to what they had before. The release is not chosen again until Git moves past it."""
    _act(ctx, name, namespace, "rollback")


@commands.command("retry")
def retry(ctx: typer.Context, name: Name, app: Member = "", namespace: session.NamespaceOption = "") -> None:
    """Let those that failed try again. A rollout that was rolled back or aborted begins again."""
    _act(ctx, name, namespace, "retry", member=app)


@commands.command("skip")
def skip(ctx: typer.Context, name: Name, app: Member = "", namespace: session.NamespaceOption = "") -> None:
    """Go on without those that failed, or without one application whatever its state."""
    _act(ctx, name, namespace, "skip", member=app)


@commands.command("approve")
def approve(
    ctx: typer.Context,
    name: Name,
    gate: Annotated[str, typer.Option(metavar="GATE", help="Only this gate; else all that wait now.")] = "",
    namespace: session.NamespaceOption = "",
) -> None:
    """Approve the gate that is waited for now: of one after a stage, once its members have soaked. One person counts once.

    Exit 1 where the approval does not count: nobody waits for it yet, or it takes another role.
    """
    _act(ctx, name, namespace, "approve", gate=gate)


def _act(ctx: typer.Context, name: str, namespace: str, verb: str, **body: str) -> None:
    hub = session.connect(ctx)
    rollout = _find(hub, name, namespace)
    found = rollout["metadata"]
    path = ROLLOUTS.path(found["namespace"], found["name"], verb)
    said = hub.create(path, {key: value for key, value in body.items() if value}).get("message") or verb
    if said.startswith(NOT_COUNTED):
        print(f"rollout/{found['name']} {said}", file=sys.stderr)
        raise typer.Exit(FAILED)
    print(f"rollout/{found['name']} {said}")
    if said == NOTHING:
        status = rollout.get("status") or {}
        why = f": {status['message']}" if status.get("message") else ""
        print(f"it is {status.get('phase') or 'new'}{why}", file=sys.stderr)


def _find(hub: Client, name: str, namespace: str) -> Manifest:
    """The rollout of that name, else the newest of the set of that name. Raises `NotFound`."""
    where = namespace or hub.access.namespace
    try:
        return hub.get(ROLLOUTS.path(where, name))
    except NotFound as error:
        of_set = [one for one in hub.items(ROLLOUTS.path(where)) if one["spec"]["owner"]["name"] == name]
        if not of_set:
            raise error from None
        return max(of_set, key=_number)


def _number(rollout: Manifest) -> int:
    tail = str(rollout["metadata"]["name"]).rpartition("-")[2]
    return int(tail) if tail.isdecimal() else 0


# --- showing ----------------------------------------------------------------------------------------------------------


def _draw(rollout: Manifest) -> None:
    now = time.time()
    output.facts(rollout_view.facts(rollout, now))
    for columns, rows in _tables(rollout, now):
        print()
        output.table(columns, rows)


def _tables(rollout: Manifest, now: float) -> list[tuple[tuple[str, ...], list[list[str]]]]:
    found = (
        (rollout_view.STAGE_COLUMNS, rollout_view.stages(rollout)),
        (rollout_view.BLOCKER_COLUMNS, rollout_view.blockers(rollout, now)),
        (rollout_view.MEMBER_COLUMNS, rollout_view.members(rollout, now)),
    )
    return [(columns, rows) for columns, rows in found if rows]


def _follow(hub: Client, rollout: Manifest, timeout: float) -> str:
    """Shows the rollout until it is over; returns its phase. Raises `Late`."""
    metadata = rollout["metadata"]
    selection = Selection(
        ROLLOUTS.path(metadata["namespace"]), {"fieldSelector": f"metadata.name={metadata['name']}"}
    )
    draw, close = _live() if sys.stdout.isatty() else (_line(), lambda: None)
    try:
        for (found,) in follow.states(hub.access, [selection], seconds=timeout, again=1.0):
            if not found:
                raise NotFound(f"rollout {metadata['name']} is not there any more")
            draw(found[0])
            phase = str((found[0].get("status") or {}).get("phase") or "")
            if phase in rollout_view.OVER:
                return phase
    finally:
        close()
    raise ArgosyError("the watch ended")


def _line() -> Callable[[Manifest], None]:
    """One line for each change, for logs."""
    last = ""

    def draw(rollout: Manifest) -> None:
        nonlocal last
        status: dict[str, Any] = rollout.get("status") or {}
        waits = next((str(one["reason"]) for one in status.get("blockers") or ()), "")
        counts = ", ".join(f"{number} {state}" for state, number in (status.get("counts") or {}).items())
        line = f"{status.get('phase', '')}  stage {status.get('stage', '')}  {counts}"
        line += f"  waits for: {waits}" if waits else ""
        if line != last:
            last = line
            print(f"{time.strftime('%H:%M:%S')}  {line}", flush=True)

    return draw


def _live() -> tuple[Callable[[Manifest], None], Callable[[], None]]:
    """Changes in place, on a terminal."""
    from rich.console import Console, Group
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    live = Live(console=Console(highlight=False), refresh_per_second=8)
    live.start()

    def draw(rollout: Manifest) -> None:
        now = time.time()
        parts: list[Any] = [
            Text.assemble((f"{label + ':':<13}", "bold"), (value, output.colour(value)))
            for label, value in rollout_view.facts(rollout, now)
            if value
        ]
        for columns, rows in _tables(rollout, now):
            shown = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
            for column in columns:
                shown.add_column(column, overflow="fold")
            for row in rows:
                shown.add_row(*(Text(cell, style=output.colour(cell)) for cell in row))
            parts += [Text(""), shown]
        live.update(Group(*parts))

    return draw, live.stop
