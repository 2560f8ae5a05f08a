"""`argosy app …`: applications, one per cluster and source."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from argosy.objects import Manifest
from hub.cli import output, session, states
from hub.cli.output import Output
from hub.cli.resources import APPS

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Applications.")


@commands.command("list")
def list_apps(
    ctx: typer.Context,
    namespace: session.NamespaceOption = "",
    selector: session.SelectorOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """List the applications."""
    session.show_list(ctx, APPS, form, namespace=namespace, selector=selector)


@commands.command("show")
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The application's name.")],
    namespace: session.NamespaceOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """Show one application: where it runs, in which state, and each of its objects."""
    hub = session.connect(ctx)
    app = hub.get(APPS.path(namespace or hub.access.namespace, name))
    if session.printed(APPS, app, form):
        return
    server = str((app["spec"].get("destination") or {}).get("server") or "")
    state = states.app_state(app, {server: session.name_of_server(hub, server)} if server else {})
    output.facts(
        [
            ("Name", name),
            ("Set", state.appset),
            ("Project", str(app["spec"].get("project") or "")),
            ("Cluster", state.cluster),
            ("Namespace", str((app["spec"].get("destination") or {}).get("namespace") or "")),
            ("Source", _source(app)),
            ("Sync", state.sync),
            ("Health", state.health),
            ("Revision", state.revision),
            ("Last sync", f"{state.phase} {state.message}".strip()),
            ("Waits for", "" if state.done else state.waits),
            ("Problems", "; ".join(state.problems)),
            ("Notes", "; ".join(state.notes)),
        ]
    )
    resources = (app.get("status") or {}).get("resources") or []
    if resources:
        print()
        output.table(
            ["KIND", "NAMESPACE", "NAME", "SYNC", "HEALTH", "MESSAGE"],
            [_resource(item) for item in resources],
        )


def _source(app: Manifest) -> str:
    spec = app["spec"]
    sources = spec.get("sources") or [spec.get("source") or {}]
    return ", ".join(
        f"{item.get('repoURL', '')} {item.get('path') or item.get('chart') or ''}"
        f"@{item.get('targetRevision') or 'HEAD'}"
        for item in sources
    )


def _resource(item: dict[str, Any]) -> list[str]:
    health = item.get("health") or {}
    group = f".{item['group']}" if item.get("group") else ""
    return [
        f"{item.get('kind', '')}{group}",
        str(item.get("namespace") or ""),
        str(item.get("name") or ""),
        str(item.get("status") or ""),
        str(health.get("status") or ""),
        str(item.get("message") or health.get("message") or ""),
    ]


@commands.command("history")
def history(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The application's name.")],
    namespace: session.NamespaceOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """List the kept releases that changed one application, newest first."""
    hub = session.connect(ctx)
    found = hub.get(APPS.path(namespace or hub.access.namespace, name, "history"))
    items = found["items"]
    if form is Output.NAME:
        for item in items:
            print(item["release"])
    elif form in (Output.JSON, Output.YAML):
        output.document(found, form)
    else:
        wide = form is Output.WIDE
        columns = ["RELEASE", "CREATED", "REVISION", "STATE", *(["BUNDLE"] if wide else [])]
        output.table(columns, [_past(item, wide=wide) for item in items])


def _past(item: dict[str, Any], *, wide: bool) -> list[str]:
    state = item.get("refused") or item["state"]
    revision = item["revision"] if wide else item["revision"][:12]
    return [item["release"], item["createdAt"], revision, state, *([item["bundle"]] if wide else [])]


@commands.command("rollback")
def rollback(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The application's name.")],
    release: Annotated[
        str,
        typer.Argument(metavar="RELEASE", help="Go back to what it gave; without it, to what was before."),
    ] = "",
    namespace: session.NamespaceOption = "",
) -> None:
    """Give one application what an earlier release gave it. What Git says now is not chosen before Git moves."""
    hub = session.connect(ctx)
    path = APPS.path(namespace or hub.access.namespace, name, "rollback")
    print(hub.create(path, {"release": release} if release else {})["message"])
