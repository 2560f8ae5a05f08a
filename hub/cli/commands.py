"""The tree of commands that speak to the hub, and the flags that are common to all."""

from __future__ import annotations

from typing import Annotated

import typer

from hub.cli import (
    app_sync,
    apps,
    appsets,
    clusters,
    fleet_commands,
    freezes,
    insight,
    join,
    live,
    offline,
    plan,
    releases,
    removals,
    rollouts,
    tokens,
    wait,
    where,
)
from hub.cli.kubeconfig import Choice

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


app.command("plan")(plan.plan)
app.command("status")(fleet_commands.status)
app.command("where")(where.where_is)
app.command("wait")(wait.wait)
app.command("stats")(insight.stats)
app.command("audit")(insight.audit)
app.command("join")(join.join)
app.command("kubeconfig")(fleet_commands.show_kubeconfig)
app.add_typer(clusters.commands, name="cluster")
app.add_typer(apps.commands, name="app")
apps.commands.command("sync")(app_sync.sync)
apps.commands.command("tree")(live.tree)
apps.commands.command("diff")(live.diff)
apps.commands.command("events")(live.events)
apps.commands.command("terminate-op")(app_sync.terminate)
app.add_typer(appsets.commands, name="appset")
app.add_typer(releases.commands, name="release")
app.add_typer(rollouts.commands, name="rollout")
app.add_typer(removals.commands, name="removal")
app.add_typer(freezes.commands, name="freeze")
app.command("unfreeze")(freezes.unfreeze)
app.add_typer(tokens.commands, name="token")


def _show(command: offline.Command, beside: typer.Typer) -> None:
    """Puts an offline command among the others; it reads its arguments itself."""
    everything = {"allow_extra_args": True, "ignore_unknown_options": True}

    @beside.command(command.verb, help=command.help, context_settings=everything, add_help_option=False)
    def run(ctx: typer.Context) -> None:
        raise typer.Exit(offline.run(command, ctx.args))


_nouns = {
    "app": apps.commands,
    "appset": appsets.commands,
    "rollout": rollouts.commands,
    "project": typer.Typer(help="What AppProjects permit.", no_args_is_help=True),
}
app.add_typer(_nouns["project"], name="project")
for _command in offline.COMMANDS:
    _show(_command, _nouns[_command.noun])
