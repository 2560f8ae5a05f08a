"""`argosy plan`: what a change would do, before it is made; and doing exactly that."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any

import typer

from argosy.errors import Conflict
from argosy.objects import Manifest
from hub.cli import folders, manifests, output, session
from hub.cli.client import Client
from hub.cli.errors import Usage
from hub.cli.wait import duration
from hub.core.plans import text
from hub.core.plans.limits import DEFAULT_RENDERS

CHANGES = 4
"""The exit code of a plan that changes something and has no problem. 0: nothing changes; 1: problems."""
SECONDS = 90.0


class Form(StrEnum):
    """How a plan is printed."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"
    MARKDOWN = "markdown"


FormOption = Annotated[Form, typer.Option("--output", "-o", help="How to print it.")]
FilesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--filename", "-f", metavar="FILE", help="Edited ApplicationSets and Applications; - is stdin."
    ),
]
RendersOption = Annotated[
    int, typer.Option(metavar="N", help="Applications rendered to show their objects, at most.")
]


def plan(
    ctx: typer.Context,
    filename: FilesOption = None,
    revision: Annotated[
        list[str] | None,
        typer.Option(
            metavar="[URL=]REV", help="As if a repository's branches were at this commit, branch or tag."
        ),
    ] = None,
    pr: Annotated[
        list[str] | None,
        typer.Option(metavar="[URL=]N", help="As if this pull or merge request were merged."),
    ] = None,
    onto: Annotated[
        str,
        typer.Option(metavar="BRANCH", help="With --revision, --pr, --repo: only sources that follow it."),
    ] = "",
    repo: Annotated[
        list[str] | None,
        typer.Option(metavar="URL=DIR", help="As if a repository held what is in a local folder (uploaded)."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CLUSTER=K:V", help="As if a cluster had this label; CLUSTER=K- takes one away."
        ),
    ] = None,
    join: Annotated[
        list[str] | None, typer.Option(metavar="NAME[=K:V,…]", help="As if a cluster had joined.")
    ] = None,
    leave: Annotated[list[str] | None, typer.Option(metavar="NAME", help="As if a cluster had left.")] = None,
    delete: Annotated[
        list[str] | None,
        typer.Option(metavar="KIND/NAME", help="As if appset/NAME, app/NAME or appproj/NAME were deleted."),
    ] = None,
    apply: Annotated[
        str, typer.Option(metavar="DIGEST", help="Do exactly what the plan of this digest showed, or refuse.")
    ] = "",
    dry_run_on: Annotated[
        str, typer.Option(metavar="clusters", help="Ask the clusters' own API servers for dry runs.")
    ] = "",
    dry_run_timeout: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to wait for them, at most 40s.")
    ] = "15s",
    renders: RendersOption = DEFAULT_RENDERS,
    form: FormOption = Form.TABLE,
) -> None:
    """What a change would do: which applications on which clusters, which objects, which fields, and what holds it up.

    Exit 0: nothing changes (or applied); 4: something changes; 1: failed, or the change has problems; 2: usage.
    """
    spec: dict[str, Any] = {
        "objects": [item for file in filename or () for item in manifests.read(file)],
        "revisions": [
            *(_revision(one, onto) for one in revision or ()),
            *(_pull(one, onto) for one in pr or ()),
        ],
        "folders": [_folder(one, onto) for one in repo or ()],
        "labels": [_label(one) for one in label or ()],
        "joins": [_join(one) for one in join or ()],
        "leaves": list(leave or ()),
        "deletions": [_deletion(one) for one in delete or ()],
    }
    spec = {key: value for key, value in spec.items() if value}
    if not spec and not apply:
        raise Usage(
            "expected a change: one of -f, --revision, --pr, --repo, --label, --join, --leave, --delete, or --apply DIGEST"
        )
    if renders != DEFAULT_RENDERS and spec:
        spec["renders"] = renders
    if dry_run_on:
        if dry_run_on != "clusters":
            raise Usage(f'--dry-run-on: expected clusters, found "{dry_run_on}"')
        spec["dryRun"] = {"on": dry_run_on, "seconds": duration(dry_run_timeout)}
    hub = Client(session.access(ctx), timeout=SECONDS)
    if apply:
        _apply(hub, apply, spec, form)
        return
    raise typer.Exit(shown(hub.create("/plan", {"spec": spec}), form))


def _apply(hub: Client, digest: str, spec: dict[str, Any], form: Form) -> None:
    body: dict[str, Any] = {"digest": digest}
    if spec:
        body["spec"] = spec
    try:
        answer = hub.create("/plan/apply", body)
    except Conflict as error:
        raise Conflict(f"nothing was changed: {error.message}") from None
    if form is Form.TABLE:
        print(f"applied: {text.summary(answer['status'])}")
    else:
        shown(answer, form)


def shown(answer: Manifest, form: Form) -> int:
    """Prints a plan; returns the exit code."""
    status = answer["status"]
    if form in (Form.JSON, Form.YAML):
        output.document(answer, output.Output(form.value))
    elif form is Form.MARKDOWN:
        sys.stdout.write(text.markdown(status))
    elif form is Form.NAME:
        for app in status["applications"]:
            print(f"application.argoproj.io/{app['name']}")
    else:
        for line in text.lines(status, everything=form is Form.WIDE):
            print(output.signed(line))
    if status["failed"]:
        return 1
    return CHANGES if status["changes"] else 0


def _pair(option: str, given: str, example: str) -> tuple[str, str]:
    name, equals, rest = given.partition("=")
    if not name or not equals or not rest:
        raise Usage(f'{option}: expected {example}, found "{given}"')
    return name, rest


def _placed(option: str, given: str) -> tuple[str, str]:
    """(repository or "", the rest) of `[URL=]REST`."""
    url, equals, rest = given.rpartition("=")
    if not rest:
        raise Usage(f'{option}: expected [URL=]REV, found "{given}"')
    return (url, rest) if equals else ("", given)


def _revision(given: str, onto: str) -> dict[str, Any]:
    url, revision = _placed("--revision", given)
    return {"repo": url, "revision": revision, "onto": onto}


def _pull(given: str, onto: str) -> dict[str, Any]:
    url, number = _placed("--pr", given)
    if not number.isdecimal():
        raise Usage(f'--pr: expected a number, found "{number}"')
    return {"repo": url, "revision": f"pull/{number}", "onto": onto, "merged": True}


def _folder(given: str, onto: str) -> dict[str, Any]:
    url, equals, folder = given.rpartition("=")
    if not equals or not url or not folder:
        raise Usage(f'--repo: expected URL=DIR, found "{given}"')
    return folders.read(folder, url, onto)


def _label(given: str) -> dict[str, Any]:
    cluster, change = _pair("--label", given, "CLUSTER=KEY:VALUE or CLUSTER=KEY-")
    key, colon, value = change.partition(":")
    if colon:
        return {"cluster": cluster, "set": {key: value}}
    if not change.endswith("-") or len(change) == 1:
        raise Usage(f'--label: expected CLUSTER=KEY:VALUE or CLUSTER=KEY-, found "{given}"')
    return {"cluster": cluster, "remove": [change[:-1]]}


def _join(given: str) -> dict[str, Any]:
    name, _, rest = given.partition("=")
    found: dict[str, str] = {}
    for pair in rest.split(",") if rest else ():
        key, colon, value = pair.partition(":")
        if not key or not colon:
            raise Usage(f'--join: expected NAME=KEY:VALUE,…, found "{given}"')
        found[key] = value
    return {"name": name, "labels": found}


def _deletion(given: str) -> dict[str, Any]:
    word, _, name = given.partition("/")
    kind = {"appset": "ApplicationSet", "app": "Application", "appproj": "AppProject"}.get(word)
    if kind is None or not name:
        raise Usage(f'--delete: expected appset/NAME, app/NAME or appproj/NAME, found "{given}"')
    return {"kind": kind, "name": name}
