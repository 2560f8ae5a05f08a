"""`argosy app tree`, `diff` and `events`: what the cluster says now, through its agent."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import typer

from argosy.objects import Manifest
from hub.cli import output, session
from hub.cli.client import Client
from hub.cli.output import Output
from hub.cli.resources import APPS
from hub.core.plans import text

SECONDS = 60.0
CHANGES = 4
"""The exit code of a diff that is not empty, as of `argosy plan`."""

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The application's name.")]


def tree(
    ctx: typer.Context,
    name: NameArgument,
    namespace: session.NamespaceOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """An application's objects on its cluster now, and what controllers made of them."""
    found = _ask(ctx, namespace, name, "tree")
    if _printed(found, form):
        return
    if form is Output.NAME:
        for node in found["nodes"]:
            print(f"{node['kind'].lower()}/{node['name']}")
        return
    rows = [
        [
            f"{'  ' * depth}{_kind(node)}",
            node["namespace"],
            node["name"],
            node.get("health") or "",
            node.get("message") or "",
        ]
        for depth, node in branches(found["nodes"])
    ]
    rows += [
        [_kind(node), node["namespace"], node["name"], "", "orphaned: no application brought it"]
        for node in found.get("orphanedNodes") or ()
    ]
    output.table(["KIND", "NAMESPACE", "NAME", "HEALTH", "MESSAGE"], rows)


def diff(
    ctx: typer.Context,
    name: NameArgument,
    namespace: session.NamespaceOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """What a sync would change on the cluster now, by its API server's own dry run.

    Exit 0: nothing; 4: something; 1: failed.
    """
    found = _ask(ctx, namespace, name, "diff")
    if form is Output.NAME:
        for each in found["objects"]:
            print(f"{each['kind'].lower()}/{each['name']}")
    elif not _printed(found, form):
        for line in text.objects(found["objects"], everything=form is Output.WIDE):
            print(output.signed(line))
    if any(each.get("error") for each in found["objects"]):
        raise typer.Exit(1)
    raise typer.Exit(CHANGES if found["objects"] else 0)


def events(
    ctx: typer.Context,
    name: NameArgument,
    namespace: session.NamespaceOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """What the cluster says about an application's objects, newest first."""
    found = _ask(ctx, namespace, name, "events")
    if _printed(found, form):
        return
    if not found["events"]:
        print("no events", file=sys.stderr)
        return
    rows = [
        [item["time"], item["type"], item["reason"], f"{item['kind']}/{item['name']}", item["message"]]
        for item in found["events"]
    ]
    output.table(["TIME", "TYPE", "REASON", "OBJECT", "MESSAGE"], rows)


def _ask(ctx: typer.Context, namespace: str, name: str, question: str) -> Manifest:
    access = session.access(ctx)
    return Client(access, timeout=SECONDS).get(APPS.path(namespace or access.namespace, name, question))


def _printed(found: Manifest, form: Output) -> bool:
    if form not in (Output.JSON, Output.YAML):
        return False
    output.document(found, form)
    return True


def branches(nodes: Iterable[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(depth, node), children right below their parents."""
    below: dict[str, list[dict[str, Any]]] = {}
    for node in nodes:
        below.setdefault(node.get("parent") or "", []).append(node)

    def walk(parent: str, depth: int) -> Iterator[tuple[int, dict[str, Any]]]:
        for node in below.get(parent, ()):
            yield depth, node
            if node.get("uid") and depth < 10:
                yield from walk(node["uid"], depth + 1)

    return walk("", 0)


def _kind(node: dict[str, Any]) -> str:
    return f"{node['kind']}.{node['group']}" if node["group"] else str(node["kind"])
