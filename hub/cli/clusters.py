"""`argosy cluster …`: the fleet's members."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from argosy.errors import ArgosyError
from argosy.objects import Manifest
from hub.cli import confirming, labels, output, session, states
from hub.cli.errors import Usage
from hub.cli.output import Output
from hub.cli.resources import CLUSTERS, REMOVALS

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The fleet's members.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The cluster's name.")]


@commands.command("list")
def list_clusters(
    ctx: typer.Context, selector: session.SelectorOption = "", form: session.OutputOption = Output.TABLE
) -> None:
    """List the clusters."""
    session.show_list(ctx, CLUSTERS, form, selector=selector)


@commands.command("show")
def show(ctx: typer.Context, name: Name, form: session.OutputOption = Output.TABLE) -> None:
    """Show one cluster: its state, its agent, its labels."""
    cluster = session.connect(ctx).get(CLUSTERS.path(name=name))
    if session.printed(CLUSTERS, cluster, form):
        return
    status = cluster.get("status") or {}
    state, why = states.cluster_state(cluster)
    output.facts(
        [
            ("Name", name),
            ("Id", str(cluster["metadata"].get("uid") or "")),
            ("State", state),
            ("Why", why),
            ("Held", _said(cluster, "Held")),
            ("Quarantined", _said(cluster, "Quarantined")),
            ("Labels", labels.text(cluster["metadata"].get("labels"))),
            ("Server", str((cluster.get("spec") or {}).get("server") or status.get("server") or "")),
            ("Agent", str(status.get("agentVersion") or "")),
            ("Kubernetes", str(status.get("kubernetesVersion") or "")),
            ("Connected" if state == "Ready" else "Last seen", _since(cluster, state, status)),
        ]
    )


def _since(cluster: Manifest, state: str, status: Manifest) -> str:
    if state != "Ready":
        return str(status.get("lastSeen") or "")
    return f"since {states.condition(cluster, 'Ready').get('lastTransitionTime') or ''}"


def _said(cluster: Manifest, condition: str) -> str:
    """What a condition that holds says, "" where it does not."""
    found = states.condition(cluster, condition)
    return str(found.get("message") or found.get("reason") or "") if found.get("status") == "True" else ""


@commands.command("label")
def label(
    ctx: typer.Context,
    name: Name,
    changes: Annotated[
        list[str], typer.Argument(metavar="K=V|K-…", help="Labels to set, or to remove with K-.")
    ],
) -> None:
    """Set or remove labels. Sets that select by them are evaluated again; nothing is reinstalled."""
    patch = {"metadata": {"labels": labels.changes(changes)}}
    cluster = session.connect(ctx).merge(CLUSTERS.path(name=name), patch)
    print(f"cluster/{name} {labels.text(cluster['metadata'].get('labels')) or 'has no labels'}")


@commands.command("rename")
def rename(
    ctx: typer.Context,
    name: Name,
    new: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")],
) -> None:
    """Give a cluster another name. Its agent, what it runs and its server stay; nothing is reinstalled."""
    session.connect(ctx).create(CLUSTERS.path(name=name, subresource="rename"), {"name": new})
    print(f"cluster/{name} is cluster/{new} now")


@commands.command("revoke")
def revoke(ctx: typer.Context, name: Name) -> None:
    """Cut a cluster's agent off: its certificates are refused, its open stream ends. Its objects stay."""
    session.connect(ctx).create(CLUSTERS.path(name=name, subresource="revoke"), {})
    print(f"cluster/{name} revoked")


@commands.command("confirm")
def confirm(
    ctx: typer.Context,
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME…", help="The clusters' names.", show_default=False)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="All clusters that hold.")] = False,
    selector: session.SelectorOption = "",
    yes: Annotated[
        bool, typer.Option("--yes", help="With --all or --selector: confirm those that are counted.")
    ] = False,
) -> None:
    """Confirm this hub's present state to clusters that hold since a restore, or since they joined a new hub.

    From then on their agents follow this hub again and carry out what it lists as removals. With --all or --selector it
    counts first whom that concerns, and confirms with --yes alone.
    """
    if bool(names) == (every or bool(selector)):
        raise Usage("expected names of clusters, or one of --all and --selector")
    hub = session.connect(ctx)
    if not names:
        found = hub.items(CLUSTERS.path(), {"labelSelector": selector} if selector else {})
        names = confirming.counted(found, hub.items(REMOVALS.path()))
        if not names or not yes:
            raise typer.Exit(confirming.left(names))
    wrong = 0
    for name in names:
        try:
            hub.create(CLUSTERS.path(name=name, subresource="confirm"), {})
            print(f"cluster/{name} confirmed")
        except ArgosyError as error:
            # One cluster's trouble is not the others'.
            wrong += 1
            print(f"cluster/{name}: {error.message}", file=sys.stderr)
    if wrong:
        raise typer.Exit(1)
