"""`argosy audit` and `argosy stats`: who changed what, and how delivery goes."""

from __future__ import annotations

import datetime
import sys
import time
from typing import Annotated, Any
from urllib.parse import urlencode

import orjson
import typer

from hub.cli import output, session
from hub.cli.errors import Usage
from hub.cli.output import Output
from hub.cli.wait import duration
from hub.core.served import cells


def audit(
    ctx: typer.Context,
    user: Annotated[str, typer.Option(metavar="NAME", help="Only what this user did.")] = "",
    verb: Annotated[str, typer.Option(metavar="VERB", help="create, update, patch, delete, ...")] = "",
    resource: Annotated[
        str, typer.Option(metavar="PLURAL", help="Only of this kind, for example applicationsets.")
    ] = "",
    name: Annotated[str, typer.Option(metavar="NAME", help="Only what was done to this object.")] = "",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Only in this namespace.")] = "",
    since: Annotated[str, typer.Option(metavar="DURATION", help="Only of the last 90s, 5m, 24h.")] = "",
    limit: Annotated[int, typer.Option(metavar="N", help="At most so many, the newest.")] = 50,
    form: session.OutputOption = Output.TABLE,
) -> None:
    """Who changed what, when, from where: every mutation of the hub's API, newest first.

    `-o wide` shows the fields before and after; secrets are masked.
    """
    query: dict[str, str] = {
        "user": user,
        "verb": verb,
        "resource": resource,
        "name": name,
        "namespace": namespace,
    }
    if since:
        query["since"] = f"{time.time() - duration(since):.3f}"
    query["limit"] = str(limit)
    given = {key: text for key, text in query.items() if text}
    found = session.connect(ctx).get(f"/audit?{urlencode(given)}")
    if form in (Output.JSON, Output.YAML):
        output.document(found, form)
        return
    if form is Output.NAME:
        for item in found["items"]:
            print(f"{item['resource']}/{item['name']}")
        return
    if not found["items"]:
        print("nothing was changed", file=sys.stderr)
        return
    if form is Output.TABLE:
        output.table(
            ["TIME", "USER", "VERB", "WHAT", "FIELDS", "FROM"], [_row(item) for item in found["items"]]
        )
        return
    for item in found["items"]:
        print("   ".join([*_row(item)[:4], item["address"], item["agent"]]))
        for field in item["fields"]:
            print(f"    {_field(field)}")


def _row(item: dict[str, Any]) -> list[str]:
    moment = datetime.datetime.fromtimestamp(item["time"], datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    place = f"{item['namespace']}/" if item["namespace"] else ""
    paths = [field["path"] for field in item["fields"] if field["path"]]
    shown = ",".join(paths[:3]) + (f" +{len(paths) - 3}" if len(paths) > 3 else "")
    return [
        moment,
        item["user"],
        item["verb"],
        f"{item['resource']} {place}{item['name']}",
        shown or "-",
        item["address"],
    ]


def _field(field: dict[str, Any]) -> str:
    if "more" in field:
        return f"… and {field['more']} more fields"
    before, after = (
        orjson.dumps(field[key]).decode()[:160] if key in field else "nothing" for key in ("before", "after")
    )
    return f"{field['path']}: {before} -> {after}"


def stats(
    ctx: typer.Context,
    days: Annotated[float, typer.Option(metavar="N", help="Over the last N days, at most 90.")] = 30,
    by: Annotated[
        str, typer.Option(metavar="fleet|set|app|group", help="One row for each of these.")
    ] = "fleet",
    label: Annotated[
        str, typer.Option(metavar="KEY", help="With --by group: the label of clusters that makes the groups.")
    ] = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """How delivery goes: how often changes go out, how long a commit takes, how many fail, how soon that is mended."""
    if by not in ("fleet", "set", "app", "group"):
        raise Usage(f'expected --by fleet, set, app or group, found "{by}"')
    if (by == "group") != bool(label):
        raise Usage("expected --by group together with --label KEY")
    found = session.connect(ctx).get(f"/stats?{urlencode({'days': f'{days:g}', 'by': by, 'label': label})}")
    if form in (Output.JSON, Output.YAML):
        output.document(found, form)
        return
    if form is Output.NAME:
        for item in found["items"]:
            print(item["name"])
        return
    columns = [
        "NAME",
        "DEPLOYMENTS",
        "PER DAY",
        "LEAD TIME",
        "P90",
        "FAILED",
        "FAILURE RATE",
        "TIME TO RESTORE",
    ]
    output.table(columns, [_figures(item) for item in found["items"]])


def _figures(item: dict[str, Any]) -> list[str]:
    rate = item["changeFailureRate"]
    return [
        item["name"] or "fleet",
        str(item["deployments"]),
        f"{item['deploymentsPerDay']:.2f}",
        _span(item["leadTimeSeconds"]["median"]),
        _span(item["leadTimeSeconds"]["p90"]),
        str(item["failedDeployments"]),
        "-" if rate is None else f"{rate * 100:.0f}%",
        _span(item["timeToRestoreSeconds"]["median"]),
    ]


def _span(seconds: float | None) -> str:
    return "-" if seconds is None else cells.duration(seconds)
