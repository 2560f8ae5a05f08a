"""`argosy appset …`: sets of applications."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli import manifests, output, plan, session, states
from hub.cli.client import Client
from hub.cli.errors import Usage
from hub.cli.output import Output
from hub.cli.resources import APPS, APPSETS, CLUSTERS
from hub.core.plans.limits import DEFAULT_RENDERS

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


@commands.command("preview")
def preview(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="The set's name.")] = "",
    filename: plan.FilesOption = None,
    namespace: session.NamespaceOption = "",
    renders: plan.RendersOption = DEFAULT_RENDERS,
    form: plan.FormOption = plan.Form.TABLE,
) -> None:
    """What a set would change on each cluster: as it is, or as it is in the file. Exit codes as of `argosy plan`."""
    hub = Client(session.access(ctx), timeout=plan.SECONDS)
    found = [item for file in filename or () for item in manifests.read(file)]
    if len(found) > 1 or (not found and not name):
        raise Usage(f"expected the name of a set or a file with one ApplicationSet, found {len(found)}")
    own = str(found[0]["metadata"].get("namespace") or "") if found else ""
    inside = namespace or own or hub.access.namespace
    called = name or str(found[0]["metadata"].get("name") or "")
    spec = {"objects": found, "renders": renders}
    path = APPSETS.path(inside, called, "plan")
    raise typer.Exit(plan.shown(hub.create(path, {"spec": spec}), form))


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
    names = states.names_by_server(hub.items(CLUSTERS.path()))
    members = [
        states.app_state(app, names) for app in hub.items(APPS.path(inside)) if states.set_of(app) == name
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
