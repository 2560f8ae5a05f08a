"""`argosy status` and `kubeconfig`: the fleet as one thing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from argosy.errors import NotFound
from hub.cli import kubeconfig, output, session
from hub.cli.output import Output

SHOWN = 10
"""Problems printed in a table; JSON has more of them."""


def status(
    ctx: typer.Context, namespace: session.NamespaceOption = "", form: session.OutputOption = Output.TABLE
) -> None:
    """The fleet at a glance: clusters, applications, problems, stale sets."""
    hub = session.connect(ctx)
    found = hub.get(f"/status?{urlencode({'namespace': namespace or hub.access.namespace})}")
    problems = [(item["name"], item["message"]) for item in (*found["stale"], *found["problems"])]
    if form in (Output.JSON, Output.YAML):
        output.document(found, form)
        return
    if form is Output.NAME:
        for name, _ in problems:
            print(name)
        return
    stale = f", {len(found['stale'])} stale" if found["stale"] else ""
    applications = f"{sum(found['sync'].values())}: {counts(found['sync'])}; {counts(found['health'])}"
    output.facts(
        [
            ("Hub", hub.access.server),
            ("Clusters", counts(found["clusters"])),
            ("Sets", f"{found['appsets']}{stale}"),
            ("Applications", applications),
            ("Freezes", str(found["freezes"] or "")),
        ]
    )
    if found["rollouts"]:
        print()
        output.table(
            ["ROLLOUT", "PHASE", "WHY"],
            [[one["name"], one["phase"], one["reason"]] for one in found["rollouts"]],
        )
    if problems:
        shown = problems if form is Output.WIDE else problems[:SHOWN]
        print()
        output.table(["PROBLEM", "WHY"], shown)
        left = len(problems) - len(shown) + found["problemsNotNamed"]
        if left:
            print(f"… and {left} more" + ("" if form is Output.WIDE else ": argosy status -o wide"))


def counts(words: dict[str, int]) -> str:
    """`{"Synced": 3, "OutOfSync": 1}` -> `3 Synced, 1 OutOfSync`."""
    ranked = sorted(words.items(), key=lambda item: -item[1])
    return ", ".join(f"{number} {word}" for word, number in ranked) or "none"


def show_kubeconfig(
    ctx: typer.Context,
    data: Annotated[str, typer.Option(metavar="DIR", help="The hub's data folder on this machine.")] = "",
) -> None:
    """Print a self-contained kubeconfig for the hub's API."""
    if data:
        file = Path(data) / "admin.kubeconfig"
        try:
            sys.stdout.write(file.read_text(encoding="utf-8"))
        except OSError as error:
            raise NotFound(f"{file}: {error.strerror}; `argosy-hub serve --data {data}` writes it") from None
    else:
        sys.stdout.write(kubeconfig.render(session.access(ctx)))
