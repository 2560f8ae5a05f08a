"""`argosy where COMMIT`: every cluster accounted for."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from typing import Annotated, Any
from urllib.parse import urlencode

import typer

from argosy.objects import Manifest
from hub.cli import output, session
from hub.cli.client import Client
from hub.cli.errors import Usage
from hub.cli.output import Output
from hub.core.served.cells import duration
from hub.core.views.where import SHORTEST, Place, is_commit, is_version

SHOWN = 50
"""Clusters of one state in a table; `-o wide` has all."""
WORDS = {Place.RUNNING: "running it"}


def where_is(
    ctx: typer.Context,
    commit: Annotated[
        str, typer.Argument(metavar="COMMIT", help="A commit, may be shortened; or the version of a chart.")
    ],
    repo: Annotated[str, typer.Option(metavar="URL", help="Its repository, where several have it.")] = "",
    state: Annotated[
        list[str] | None,
        typer.Option(metavar="STATE", help="Only clusters in this state, for example waiting."),
    ] = None,
    form: session.OutputOption = Output.TABLE,
) -> None:
    """Where a commit, or a chart's version, is: every cluster accounted for, in exactly one state.

    Running it, newer, older, in progress, waiting (for what, since when), failed (why), offline (since when), or not
    targeted. `-o name` prints the clusters that have it.
    """
    if not is_commit(commit) and not is_version(commit):
        raise Usage(
            f'expected at least {SHORTEST} hexadecimal digits of a commit, or the version of a chart, found "{commit}"'
        )
    found = ask(session.connect(ctx), commit, repo, list(state or ()))
    if form in (Output.JSON, Output.YAML):
        output.document(found, form)
    elif form is Output.NAME:
        for row in found["items"]:
            if row["state"] in (Place.RUNNING, Place.NEWER):
                print(f"cluster/{row['cluster']}")
    else:
        _table(found, everything=form is Output.WIDE)


def ask(hub: Client, commit: str, repo: str = "", states: Sequence[str] = (), limit: int = 0) -> Manifest:
    """What `/where` answers. Raises our errors."""
    query: list[tuple[str, str]] = [
        ("commit", commit),
        ("limit", str(limit)),
        *(("state", one) for one in states),
    ]
    if repo:
        query.append(("repo", repo))
    return hub.get(f"/where?{urlencode(query)}")


def _table(found: Manifest, *, everything: bool) -> None:
    output.facts([("Commit", found["commit"]), ("Repository", found["repo"]), ("Clusters", summary(found))])
    order = {place.value: at for at, place in enumerate(Place)}
    items = sorted(found["items"], key=lambda row: (order[row["state"]], row["cluster"]))
    shown = [row for at, row in enumerate(items) if everything or at < SHOWN]
    if shown:
        print()
        output.table(["CLUSTER", "STATE", "APPS", "AT", "WHY"], [_cells(row, time.time()) for row in shown])
    if len(shown) < len(items):
        print(f"… and {len(items) - len(shown)} more: argosy where {found['commit'][:12]} -o wide")


def summary(found: Manifest) -> str:
    """`12: 10 running it, 2 offline`."""
    parts = [f"{number} {_word(state)}" for state, number in found["counts"].items() if number]
    return f"{found['clusters']}: {', '.join(parts)}" if parts else "0"


def _word(state: str) -> str:
    return WORDS.get(Place(state), state)


def _cells(row: dict[str, Any], now: float) -> list[str]:
    apps = row["applications"]
    return [
        row["cluster"],
        _word(row["state"]),
        f"{apps['there']}/{apps['total']}",
        ",".join(row.get("commits") or ()) or "-",
        reason(row, now),
    ]


def reason(row: dict[str, Any], now: float) -> str:
    """`waiting for step 2 since 2026-11-28T12:00:00Z (5m)`."""
    why, since = row.get("why") or "", row.get("since")
    lead = {Place.WAITING: "for ", Place.FAILED: "because "}.get(Place(row["state"]), "") if why else ""
    if not since:
        return f"{lead}{why}"
    moment = datetime.datetime.fromtimestamp(since, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"{lead}{why} since {moment} ({duration(max(0.0, now - since))})".strip()
