"""`argosy removal …`: what would go, with numbers, and the decision about it."""

from __future__ import annotations

from typing import Annotated

import typer

from argosy.objects import Manifest
from hub.cli import output, session
from hub.cli.errors import Usage
from hub.cli.output import Output
from hub.cli.resources import REMOVALS

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="What goes, or would go, and why.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The removal's name.")]
Names = Annotated[
    list[str], typer.Argument(metavar="NAME...", help="The removals' names, as `-o name` prints them, too.")
]
Digest = Annotated[
    str,
    typer.Option(metavar="DIGEST", help="Decide only if the plan is still this one; else, the one there is."),
]


@commands.callback()
def removals() -> None:
    """What goes, or would go, and why. Above the cap nothing goes before somebody approves."""


@commands.command("list")
def list_removals(ctx: typer.Context, form: session.OutputOption = Output.TABLE) -> None:
    """List the removals: those that wait, and those of late."""
    session.show_list(ctx, REMOVALS, form)


@commands.command("show")
def show(ctx: typer.Context, name: Name, form: session.OutputOption = Output.TABLE) -> None:
    """Show one removal: which applications, on which clusters, with how many objects of which kinds."""
    found = session.connect(ctx).get(REMOVALS.path(name=name))
    if session.printed(REMOVALS, found, form):
        return
    spec, status = found.get("spec") or {}, found.get("status") or {}
    counts = spec.get("counts") or {}
    output.facts(
        [
            ("Name", name),
            ("Of", f"{(spec.get('owner') or {}).get('kind')}/{(spec.get('owner') or {}).get('name')}"),
            ("Phase", str(status.get("phase") or "")),
            ("Why", str(status.get("message") or "")),
            ("Cause", str(spec.get("cause") or "")),
            ("By", str(spec.get("by") or "")),
            ("Decided", _decision(status)),
            (
                "Takes",
                f"{counts.get('applications')} applications from {counts.get('clusters')} clusters, "
                f"{counts.get('objects')} objects, of which {counts.get('deleted')} are deleted",
            ),
            ("Kinds", ", ".join(f"{count} {kind}" for kind, count in (spec.get("kinds") or {}).items())),
            ("Counts until", str(spec.get("expiresAt") or "")),
            ("Digest", str(spec.get("digest") or "")),
        ]
    )
    print()
    rows = [
        [app["name"], app.get("cluster") or "", str(app.get("objects") or 0), _fate(app)]
        for app in spec.get("applications") or ()
    ]
    output.table(["APPLICATION", "CLUSTER", "OBJECTS", "WHAT BECOMES OF THEM"], rows)
    if spec.get("truncated"):
        print(f"… of {counts.get('applications')}")


@commands.command("approve")
def approve(ctx: typer.Context, names: Names, digest: Digest = "") -> None:
    """Let exactly what the removals list go."""
    _decide(ctx, names, digest, "approve")


@commands.command("reject")
def reject(ctx: typer.Context, names: Names, digest: Digest = "") -> None:
    """Keep what the removals list: the applications stay, as nobody's."""
    _decide(ctx, names, digest, "reject")


def _decide(ctx: typer.Context, names: list[str], digest: str, verb: str) -> None:
    if digest and len(names) > 1:
        raise Usage("--digest is that of one removal: found several names")
    hub = session.connect(ctx)
    for name in (each.rpartition("/")[2] for each in names):
        found = hub.get(REMOVALS.path(name=name))
        seen = digest or found["spec"]["digest"]
        answer = hub.create(REMOVALS.path(name=name, subresource=verb), {"digest": seen})
        print(answer.get("message") or f"removal {name}: {verb} done", flush=True)


def _decision(status: Manifest) -> str:
    who = status.get("decidedBy")
    return f"{who}, {status.get('decidedAt')}" if who else ""


def _fate(app: Manifest) -> str:
    return "deleted" if app.get("cascade") else "stay in the cluster"
