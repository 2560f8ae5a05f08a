"""`argosy token …`: bearer tokens of the API, for pipelines and other programs."""

from __future__ import annotations

from typing import Annotated

import typer

from argosy.errors import Internal
from argosy.objects import Manifest
from hub.cli import session, wait
from hub.cli.output import Output
from hub.cli.resources import API_TOKENS

commands = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="Tokens of accounts and of projects' roles."
)


@commands.command("create")
def create(
    ctx: typer.Context,
    account: Annotated[
        str, typer.Argument(metavar="ACCOUNT", help="An account of argocd-cm, or proj:PROJECT:ROLE.")
    ],
    life: Annotated[
        str,
        typer.Option("--ttl", metavar="DURATION", help="Life of the token: seconds, or 12h; a year at most."),
    ] = "720h",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="What it is for.")] = "",
    name: Annotated[
        str, typer.Option(metavar="NAME", help="What it is called; made up where not given.")
    ] = "",
) -> None:
    """Make a token and print it. It is shown this once; the hub keeps a hash."""
    seconds = wait.lifetime(life, 365 * 86400)
    start = account.lower().replace(":", "-").replace("_", "-").replace(".", "-")
    body: Manifest = {
        "apiVersion": f"{API_TOKENS.group}/v1alpha1",
        "kind": API_TOKENS.kind,
        "metadata": {"name": name} if name else {"generateName": f"{start}-"},
        "spec": {"account": account, "ttlSeconds": seconds, **({"reason": reason} if reason else {})},
    }
    token = (session.connect(ctx).create(API_TOKENS.path(), body).get("status") or {}).get("token")
    if not token:
        raise Internal("the hub made an ApiToken but did not answer its status.token")
    print(token)


@commands.command("list")
def list_tokens(ctx: typer.Context, form: session.OutputOption = Output.TABLE) -> None:
    """List the tokens: whose they are and until when they count."""
    session.show_list(ctx, API_TOKENS, form)


@commands.command("revoke")
def revoke(
    ctx: typer.Context,
    names: Annotated[list[str], typer.Argument(metavar="NAME", help="Tokens to end.")],
) -> None:
    """End tokens. Nobody gets in with them any more, 5 seconds later at the latest."""
    hub = session.connect(ctx)
    for name in names:
        hub.delete(API_TOKENS.path(name=name))
        print(f"{API_TOKENS.kind.lower()}.{API_TOKENS.group}/{name} revoked")
