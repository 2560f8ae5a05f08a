"""`argosy appset …`: sets of applications."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli import output, session, states
from hub.cli.output import Output
from hub.cli.resources import APPS, APPSETS

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="ApplicationSets.")


@commands.command("list")
def list_appsets(
    ctx: typer.Context,
    namespace: session.NamespaceOption = "",
    selector: session.SelectorOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """List the sets."""
    session.show_list(ctx, APPSETS, form, namespace=namespace, selector=selector)


@commands.command("show")
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The set's name.")],
    namespace: session.NamespaceOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """Show one set: its conditions and its applications."""
    hub = session.connect(ctx)
    inside = namespace or hub.access.namespace
    appset = hub.get(APPSETS.path(inside, name))
    if session.printed(APPSETS, appset, form):
        return
    members = [
        states.app_state(app, {}) for app in hub.items(APPS.path(inside)) if states.set_of(app) == name
    ]
    done = sum(member.done for member in members)
    output.facts(
        [
            ("Name", name),
            ("Generators", ", ".join(key for item in appset["spec"].get("generators") or [] for key in item)),
            ("Applications", f"{len(members)}, {done} Synced and Healthy"),
        ]
    )
    conditions = (appset.get("status") or {}).get("conditions") or []
    if conditions:
        print()
        output.table(
            ["CONDITION", "STATUS", "MESSAGE"],
            [[str(c.get("type")), str(c.get("status")), str(c.get("message") or "")] for c in conditions],
        )
    if members:
        print()
        output.table(
            ["NAME", "CLUSTER", "SYNC", "HEALTH", "REVISION"],
            [[app.name, app.cluster, app.sync, app.health, app.revision[:12]] for app in members],
        )


@commands.command("generate")
def generate(
    file: Annotated[str, typer.Option("--file", "-f", help="The set's file; - reads standard input.")],
    clusters: Annotated[str, typer.Option(help="Cluster objects or Argo CD cluster Secrets.")] = "",
    objects: Annotated[
        str, typer.Option(help="Objects that generators refer to: ConfigMaps, Secrets, …")
    ] = "",
    repo: Annotated[
        list[str] | None,
        typer.Option("--repo", metavar="URL=DIR", help="Where a repository (or a plain folder) lies here."),
    ] = None,
    form: Annotated[
        str, typer.Option("--output", "-o", metavar="json|yaml|name", help="How to print them.")
    ] = "json",
) -> None:
    """Print the Applications of a set, offline. Exit 0 complete, 1 unusable input, 2 evaluated with
    problems."""
    from hub.cli import appset_generate

    if form not in ("json", "yaml", "name"):
        raise typer.BadParameter(f"expected json, yaml or name, found {form}")
    raise typer.Exit(
        appset_generate.generate(file, clusters=clusters, objects=objects, repos=repo or [], output=form)
    )
