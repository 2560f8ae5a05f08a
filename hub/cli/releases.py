"""`argosy release …`: what was rolled out, from which commits."""

from __future__ import annotations

import typer

from hub.cli import session
from hub.cli.output import Output
from hub.cli.resources import RELEASES

commands = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Releases.")


@commands.callback()
def releases() -> None:
    """What was rolled out, for which set, from which commits."""


@commands.command("list")
def list_releases(
    ctx: typer.Context,
    namespace: session.NamespaceOption = "",
    selector: session.SelectorOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """List the releases that the hub keeps."""
    session.show_list(ctx, RELEASES, form, namespace=namespace, selector=selector)
