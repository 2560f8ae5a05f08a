"""`argosy join`: registers a cluster and prints how its agent joins."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer

from argosy.errors import Conflict, Internal
from argosy.objects import Manifest
from hub.cli import agent_manifest, labels, session, wait
from hub.cli.client import Client
from hub.cli.resources import CLUSTERS, JOIN_TOKENS


class Form(StrEnum):
    """What `join -o` takes."""

    TOKEN = "token"  # noqa: S105
    COMMAND = "command"
    MANIFEST = "manifest"


def join(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The cluster's name in the fleet.")],
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", metavar="K=V", help="A label; may be repeated.")
    ] = None,
    server: Annotated[
        str,
        typer.Option(
            "--cluster-server", metavar="URL", help="The `server` that destinations may name it by."
        ),
    ] = "",
    life: Annotated[
        str,
        typer.Option(
            "--ttl", metavar="DURATION", help="Life of the token: seconds, or 30m; an hour at most."
        ),
    ] = "1h",
    image: Annotated[
        str,
        typer.Option(metavar="IMAGE", help="The agent's image, for -o manifest; else that of this version."),
    ] = "",
    form: Annotated[Form, typer.Option("--output", "-o", help="What to print.")] = Form.MANIFEST,
) -> None:
    """Register a cluster and print how its agent joins.

    Apply the manifest in that cluster, or run the command.

    The token inside works once, within its life, for this cluster only. A cluster that exists gets a new
    token.
    """
    lifetime = wait.lifetime(life, 3600)
    hub = session.connect(ctx)
    register(hub, name, labels.assigned(label or []), server)
    token = mint(hub, name, lifetime)
    if form is Form.TOKEN:
        print(token)
    elif form is Form.COMMAND:
        print(f"argosy-agent run --join {token}")
    else:
        sys.stdout.write(agent_manifest.render(token, image or agent_manifest.default_image()))
        print(f"# apply it on {name}: argosy join {name} | kubectl apply -f -", file=sys.stderr)


def register(hub: Client, name: str, wanted: dict[str, str], server: str = "") -> None:
    """Makes the Cluster, or adds to the one there is what was asked for now."""
    body: Manifest = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": name, "labels": wanted},
        "spec": {"server": server} if server else {},
    }
    try:
        hub.create(CLUSTERS.path(), body)
    except Conflict:
        if wanted or server:
            hub.merge(CLUSTERS.path(name=name), {"metadata": {"labels": wanted}, "spec": body["spec"]})


def mint(hub: Client, name: str, lifetime: int) -> str:
    """A new join token; the API shows it this once."""
    body: Manifest = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "JoinToken",
        "metadata": {"generateName": f"{name}-"},
        "spec": {"cluster": name, "ttlSeconds": lifetime},
    }
    token = (hub.create(JOIN_TOKENS.path(), body).get("status") or {}).get("token")
    if not token:
        raise Internal("the hub made a JoinToken but did not answer its status.token")
    return str(token)
