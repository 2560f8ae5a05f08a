"""`argosy`: the command for people and scripts. It speaks the hub's API as any other client does.

Here are the list of commands, the flags that are common to all, and the one place where errors become exit
codes: 0 done, 1 failed, 2 usage, 3 timed out. A command's heavy imports are inside it, since people run the
offline ones in pre-commit hooks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from argosy.errors import ArgosyError
from hub.cli import apps, appsets, clusters, fleet_commands, join, releases, wait
from hub.cli.errors import Late, Usage
from hub.cli.kubeconfig import Choice

FAILED, USAGE, TIMED_OUT = 1, 2, 3
EVERYWHERE = ("--server", "--kubeconfig", "--context", "--token", "--certificate-authority")
"""Flags that may stand anywhere on the line, as kubectl's."""

app = typer.Typer(
    name="argosy",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        print(f"argosy {version('argosy')}")
        raise typer.Exit


@app.callback()
def argosy(
    ctx: typer.Context,
    server: Annotated[str, typer.Option(metavar="URL", help="The hub's API.")] = "",
    kubeconfig: Annotated[
        str, typer.Option(metavar="FILE", help="Without it: $ARGOSY_KUBECONFIG, $KUBECONFIG, ~/.kube/config.")
    ] = "",
    context: Annotated[str, typer.Option(metavar="NAME", help="The kubeconfig's context to use.")] = "",
    token: Annotated[str, typer.Option(metavar="TOKEN", help="A bearer token; also $ARGOSY_TOKEN.")] = "",
    certificate_authority: Annotated[
        str, typer.Option(metavar="FILE", help="The CA certificate that the API's certificate is from.")
    ] = "",
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Fleets of Kubernetes clusters from Git. These first options may stand anywhere on the line."""
    ctx.obj = Choice(server, kubeconfig, context, token, certificate_authority)


app.command("status")(fleet_commands.status)
app.command("where")(fleet_commands.where_is)
app.command("wait")(wait.wait)
app.command("join")(join.join)
app.command("kubeconfig")(fleet_commands.show_kubeconfig)
app.add_typer(clusters.commands, name="cluster")
app.add_typer(apps.commands, name="app")
app.add_typer(appsets.commands, name="appset")
app.add_typer(releases.commands, name="release")


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with the flags of `EVERYWHERE` moved to the front. What follows `--` stays as it is."""
    front: list[str] = []
    rest: list[str] = []
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word == "--":
            return [*front, *rest, word, *left]
        if word in EVERYWHERE and left:
            front += [word, left.pop(0)]
        elif word.partition("=")[0] in EVERYWHERE:
            front.append(word)
        else:
            rest.append(word)
    return front + rest


def main() -> None:
    """The console script."""
    try:
        app(hoisted(sys.argv[1:]))
    except Late as error:
        _fail(error, TIMED_OUT)
    except Usage as error:
        _fail(error, USAGE)
    except ArgosyError as error:
        _fail(error, FAILED)
    except BrokenPipeError:
        # The reader (head, less) has seen enough; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: ArgosyError, code: int) -> None:
    print(f"error: {error.message}", file=sys.stderr)
    raise SystemExit(code)
