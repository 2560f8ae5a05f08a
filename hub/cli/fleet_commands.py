"""`argosy status` and `kubeconfig`: the fleet as one thing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from argosy.errors import NotFound
from hub.cli import fleet, kubeconfig, output, session
from hub.cli.output import Output
from hub.cli.resources import APPS, APPSETS, CLUSTERS


def status(
    ctx: typer.Context, namespace: session.NamespaceOption = "", form: session.OutputOption = Output.TABLE
) -> None:
    """The fleet at a glance: clusters, applications, problems, stale sets."""
    hub = session.connect(ctx)
    inside = namespace or hub.access.namespace
    found = fleet.summarise(
        hub.items(CLUSTERS.path()), hub.items(APPSETS.path(inside)), hub.items(APPS.path(inside))
    )
    if form in (Output.JSON, Output.YAML):
        output.document(found.document(), form)
        return
    if form is Output.NAME:
        for name, _ in (*found.problems, *found.stale):
            print(name)
        return
    output.facts(
        [
            ("Hub", hub.access.server),
            ("Clusters", fleet.counts(found.clusters)),
            ("Sets", f"{found.appsets}" + (f", {len(found.stale)} stale" if found.stale else "")),
            (
                "Applications",
                f"{sum(found.sync.values())}: {fleet.counts(found.sync)}; {fleet.counts(found.health)}",
            ),
        ]
    )
    troubles = [*found.stale, *found.problems]
    if troubles:
        shown = troubles if form is Output.WIDE else troubles[: fleet.SHOWN]
        print()
        output.table(["PROBLEM", "WHY"], shown)
        if len(shown) < len(troubles):
            print(f"… and {len(troubles) - len(shown)} more: argosy status -o wide")


def show_kubeconfig(
    ctx: typer.Context,
    data: Annotated[str, typer.Option(metavar="DIR", help="The hub's data folder on this machine.")] = "",
) -> None:
    """Print a self-contained kubeconfig for the hub's API."""
    if data:
        file = Path(data) / "admin.kubeconfig"
        try:
            sys.stdout.write(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise NotFound(f"{file}: {error.strerror}; `argosy-hub serve --data {data}` writes it") from None
    else:
        sys.stdout.write(kubeconfig.render(session.access(ctx)))
