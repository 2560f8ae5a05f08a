"""`argosy release …`: what was rolled out, from which commits."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from argosy.objects import Manifest
from hub.cli import output, session
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


@commands.command("diff")
def diff(
    ctx: typer.Context,
    first: Annotated[str, typer.Argument(metavar="A", help="A release; alone, against the one before it.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Another one of the same set.")] = "",
    namespace: session.NamespaceOption = "",
    form: session.OutputOption = Output.TABLE,
) -> None:
    """Say what changes from release A to release B: applications, their objects, the fields of these."""
    hub = session.connect(ctx)
    path = RELEASES.path(namespace or hub.access.namespace, second or first, "diff")
    found = hub.get(path, {"from": first} if second else None)
    if form is Output.NAME:
        for app in found["applications"]:
            print(app["name"])
    elif form in (Output.JSON, Output.YAML):
        output.document(found, form)
    else:
        _print(found, wide=form is Output.WIDE)


def _print(found: Manifest, *, wide: bool) -> None:
    counts = found["counts"]
    words = ", ".join(
        f"{counts[word]} {word}" for word in ("added", "changed", "removed") if counts.get(word)
    )
    print(f"{counts.get('applications', 0)} applications; objects: {words or 'none'}")
    for app in found["applications"]:
        moved = f"{app['previousRevision'][:12] or 'nothing'} -> {app['revision'][:12] or 'nothing'}"
        print(f"\n{app['name']} on {app['cluster']}  {moved}")
        for each in app["objects"]:
            print(f"  {_SIGNS[each['change']]} {_key(each)}")
            for field in each.get("fields", ()) if wide or len(found["applications"]) == 1 else ():
                print(
                    f"      {field['path']}: {field.get('before', '(none)')} -> {field.get('after', '(none)')}"
                )
    if found.get("truncated"):
        print("\nand more applications: -o json has their number")


_SIGNS = {"added": "+", "changed": "~", "removed": "-"}


def _key(each: dict[str, Any]) -> str:
    kind = f"{each['kind']}.{each['group']}" if each.get("group") else each["kind"]
    return f"{kind} {each['namespace']}/{each['name']}" if each.get("namespace") else f"{kind} {each['name']}"
