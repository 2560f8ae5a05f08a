"""What all commands that speak to the hub share: access from the command line, and the list and show
verbs."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import typer

from argosy.errors import Forbidden, Invalid, NotFound
from argosy.objects import Manifest
from hub.cli import client, kubeconfig, output, states
from hub.cli.client import Client
from hub.cli.kubeconfig import Access, Choice
from hub.cli.output import Output
from hub.cli.resources import CLUSTERS, Resource

OutputOption = Annotated[Output, typer.Option("--output", "-o", help="How to print it.")]
NamespaceOption = Annotated[
    str, typer.Option("--namespace", "-n", help="Namespace; without it, the context's or argocd.")
]
SelectorOption = Annotated[
    str, typer.Option("--selector", "-l", help="Label selector, for example env=prod.")
]


def access(ctx: typer.Context) -> Access:
    """The access that the command line, the environment and the user's files give. Raises as
    `kubeconfig.resolve`."""
    choice = ctx.find_object(Choice)
    return kubeconfig.resolve(choice or Choice(), os.environ, Path.home())


def connect(ctx: typer.Context) -> Client:
    return Client(access(ctx))


def show_list(
    ctx: typer.Context, resource: Resource, form: Output, *, namespace: str = "", selector: str = ""
) -> None:
    """Prints a list; a table's columns are the API's own, as kubectl shows them."""
    hub = connect(ctx)
    path = resource.path(namespace or hub.access.namespace)
    query = {"labelSelector": selector} if selector else {}
    if form in (Output.TABLE, Output.WIDE):
        page = hub.listing(path, query, accept=client.TABLE, rows="rows")
        if not page["rows"]:
            print(f"no {resource.plural} found", file=sys.stderr)
        output.server_table(page, wide=form is Output.WIDE)
        return
    items = hub.items(path, query)
    if form is Output.NAME:
        for item in items:
            print(_typed_name(resource, item))
    else:
        output.document({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": items}, form)


def printed(resource: Resource, item: Manifest, form: Output) -> bool:
    """Prints one object in the forms that do not depend on its kind; False where the caller has to."""
    if form is Output.NAME:
        print(_typed_name(resource, item))
    elif form in (Output.JSON, Output.YAML):
        output.document(item, form)
    else:
        return False
    return True


def _typed_name(resource: Resource, item: Manifest) -> str:
    return f"{resource.kind.lower()}.{resource.group}/{item['metadata']['name']}"


def name_of_server(hub: Client, server: str) -> str:
    """The name of the cluster at this address, "" where there is none that the user may see. Most addresses begin with
    the name; a whole fleet is listed only for others."""
    guess = server.removeprefix("https://").partition(".")[0]
    try:
        with contextlib.suppress(NotFound, Invalid):
            if hub.get(CLUSTERS.path(name=quote(guess)))["spec"].get("server") == server:
                return guess
        return states.names_by_server(hub.items(CLUSTERS.path())).get(server, "")
    except Forbidden:
        return ""
