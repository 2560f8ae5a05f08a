"""`argosy freeze …` and `argosy unfreeze`: stop changes for a while, and let single ones through after all."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import typer

from argosy.errors import ArgosyError
from hub.cli import session
from hub.cli.client import Client
from hub.cli.errors import Usage
from hub.cli.labels import assigned
from hub.cli.output import Output
from hub.cli.resources import APPS, APPSETS, CLUSTERS, FREEZES, OVERRIDES, ROLLOUTS, Resource

commands = typer.Typer(
    rich_markup_mode=None,
    invoke_without_command=True,
    help="Stop changes for a while: nothing new is assigned, and agents change nothing.",
)

_NAMED = {"clusters": CLUSTERS, "applications": APPS, "applicationSets": APPSETS, "rollouts": ROLLOUTS}

Fleet = Annotated[bool, typer.Option("--fleet", help="Everything.")]
Clusters = Annotated[list[str], typer.Option("--cluster", metavar="NAME", help="A cluster; may be repeated.")]
Selector = Annotated[
    str, typer.Option("--selector", "-l", metavar="K=V,…", help="Clusters with these labels.")
]
Apps = Annotated[list[str], typer.Option("--app", metavar="NAME", help="An Application; may be repeated.")]
Sets = Annotated[
    list[str], typer.Option("--appset", metavar="NAME", help="An ApplicationSet; may be repeated.")
]
Rollouts = Annotated[
    list[str], typer.Option("--rollout", metavar="NAME", help="A rollout's members that have not moved yet.")
]
Reason = Annotated[str, typer.Option(help="Why, for those who meet it.")]
Span = Annotated[str, typer.Option("--for", metavar="SPAN", help="How long, as in 2h30m.")]
Name = Annotated[str, typer.Option(metavar="NAME", help="What it is called; made up where not given.")]


@commands.callback()
def freeze(
    ctx: typer.Context,
    fleet: Fleet = False,
    cluster: Clusters = [],  # noqa: B006  # read by typer, changed by nobody
    selector: Selector = "",
    app: Apps = [],  # noqa: B006
    appset: Sets = [],  # noqa: B006
    rollout: Rollouts = [],  # noqa: B006
    reason: Reason = "",
    span: Span = "",
    heal: Annotated[
        bool, typer.Option("--heal", help="Agents go on correcting drift from what runs.")
    ] = False,
    name: Name = "",
) -> None:
    """Freeze the fleet, clusters, applications, sets or rollouts, for a reason and for a while.

    Clusters and applications named together mean these applications on these clusters. It ends by itself, or with
    `argosy unfreeze`; `argosy freeze override` lets single applications through.
    """
    if ctx.invoked_subcommand is not None:
        return
    spec = _spec(fleet, cluster, selector, app, appset, rollout, reason, span)
    _make(ctx, FREEZES, {**spec, "heal": True} if heal else spec, name)


@commands.command("override")
def override(
    ctx: typer.Context,
    fleet: Fleet = False,
    cluster: Clusters = [],  # noqa: B006
    selector: Selector = "",
    app: Apps = [],  # noqa: B006
    appset: Sets = [],  # noqa: B006
    rollout: Rollouts = [],  # noqa: B006
    reason: Reason = "",
    span: Span = "1h",
    name: Name = "",
) -> None:
    """Break the glass: let something change in spite of freezes and sync windows, for at most a day. It is recorded."""
    spec = _spec(fleet, cluster, selector, app, appset, rollout, reason, span)
    _make(ctx, OVERRIDES, spec, name)


@commands.command("list")
def list_freezes(
    ctx: typer.Context,
    overrides: Annotated[
        bool, typer.Option("--overrides", help="What is let through, not what is frozen.")
    ] = False,
    form: session.OutputOption = Output.TABLE,
) -> None:
    """List the freezes, or what is let through."""
    session.show_list(ctx, OVERRIDES if overrides else FREEZES, form)


def unfreeze(
    ctx: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Freezes to end.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="End every freeze.")] = False,
) -> None:
    """End freezes now. What waited for them goes on at once."""
    hub = session.connect(ctx)
    if bool(names) == everything:
        raise Usage("expected the names of freezes (`argosy freeze list` has them) or --all")
    found = [item["metadata"]["name"] for item in hub.items(FREEZES.path())] if everything else names or []
    for name in found:
        hub.delete(FREEZES.path(name=name))
        print(f"{FREEZES.kind.lower()}.{FREEZES.group}/{name} ended")
    if not found:
        print("nothing is frozen", file=sys.stderr)


def _spec(
    fleet: bool,
    cluster: Sequence[str],
    selector: str,
    app: Sequence[str],
    appset: Sequence[str],
    rollout: Sequence[str],
    reason: str,
    span: str,
) -> dict[str, Any]:
    scope: dict[str, Any] = {
        "fleet": fleet,
        "clusters": list(cluster),
        "clusterSelector": {"matchLabels": assigned(selector.split(","))} if selector else {},
        "applications": list(app),
        "applicationSets": list(appset),
        "rollouts": list(rollout),
    }
    scope = {field: value for field, value in scope.items() if value}
    if not scope:
        raise Usage("expected one of --fleet, --cluster, --selector, --app, --appset, --rollout")
    if not reason:
        raise Usage("expected --reason: those who meet it shall know why")
    if not span:
        raise Usage("expected --for: how long, as in 2h30m; none lasts for ever")
    return {**scope, "reason": reason, "duration": span}


def _make(ctx: typer.Context, resource: Resource, spec: dict[str, Any], name: str) -> None:
    metadata = {"name": name} if name else {"generateName": f"{resource.kind.lower()}-"}
    hub = session.connect(ctx)
    made = hub.create(
        resource.path(),
        {
            "apiVersion": f"{resource.group}/v1alpha1",
            "kind": resource.kind,
            "metadata": metadata,
            "spec": spec,
        },
    )
    called, until = made["metadata"]["name"], made["spec"]["expiresAt"]
    print(f"{resource.kind.lower()}.{resource.group}/{called} until {until}")
    for what in _unmet(hub, spec):
        print(f"warning: there is no {what} now; it counts once there is one", file=sys.stderr)


def _unmet(hub: Client, spec: dict[str, Any]) -> Iterator[str]:
    """What is named and not there: mostly a slip of the pen."""
    for field, resource in _NAMED.items():
        for name in spec.get(field) or ():
            namespace, _, last = str(name).rpartition("/")
            if _none(hub, resource, namespace, {"fieldSelector": f"metadata.name={last}"}):
                yield f"{resource.words[0]} {name}"
    labels = (spec.get("clusterSelector") or {}).get("matchLabels") or {}
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    if selector and _none(hub, CLUSTERS, "", {"labelSelector": selector}):
        yield f"cluster with {selector}"


def _none(hub: Client, resource: Resource, namespace: str, query: dict[str, str]) -> bool:
    """Whether nothing is selected, as far as the user may know."""
    try:
        return not hub.get(resource.path(namespace), {**query, "limit": "1"})["items"]
    except ArgosyError:
        return False
