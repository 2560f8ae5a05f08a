"""`argosy app sync` and `terminate-op`: ask for a sync and see it through, or end one."""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer

from argosy.errors import NotFound
from argosy.objects import Manifest
from hub.cli import follow, session
from hub.cli.errors import Usage
from hub.cli.follow import Selection
from hub.cli.kubeconfig import Access
from hub.cli.resources import APPS
from hub.cli.wait import DONE, FAILED, duration

_GOING_ON = ("", "Running", "Terminating")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The application's name.")]
Timeout = Annotated[str, typer.Option(metavar="DURATION", help="When to give up waiting: 90s, 5m, 1h.")]


def sync(
    ctx: typer.Context,
    name: Name,
    resource: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GROUP:KIND:[NAMESPACE/]NAME",
            help="Only this object, without hooks; may be repeated. The core group is empty.",
        ),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Delete objects that left the source.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing, say what would fail.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Delete and make anew objects that cannot be changed.")
    ] = False,
    revision: Annotated[
        str,
        typer.Option(metavar="REVISION", help="A commit, tag or branch to sync instead of what is followed."),
    ] = "",
    sync_option: Annotated[
        list[str] | None, typer.Option(metavar="OPTION=VALUE", help="For this sync; may be repeated.")
    ] = None,
    retry_limit: Annotated[int, typer.Option(metavar="N", help="How often to try again.")] = 0,
    detached: Annotated[bool, typer.Option("--async", help="Do not wait for its end.")] = False,
    namespace: session.NamespaceOption = "",
    timeout: Timeout = "10m",
) -> None:
    """Sync an application now, automated or not, and wait for the end.

    Exit 0 done, 1 failed or a chosen object is none of the application's, 2 usage, 3 timed out.
    """
    seconds = duration(timeout)
    wanted: dict[str, Any] = {
        "revision": revision,
        "prune": prune,
        "dryRun": dry_run,
        "syncOptions": sync_option or [],
        "resources": [chosen(text) for text in resource or ()],
        "syncStrategy": {"hook": {"force": True}} if force else {},
    }
    operation: dict[str, Any] = {"sync": {key: value for key, value in wanted.items() if value}}
    if retry_limit:
        operation["retry"] = {"limit": retry_limit}
    hub = session.connect(ctx)
    place = APPS.path(namespace or hub.access.namespace, name)
    # What is pruned is not there any more once the sync is over.
    before = _objects(hub.get(place).get("status") or {}) if resource else []
    hub.create(APPS.path(namespace or hub.access.namespace, name, "sync"), operation)
    if detached:
        print(f"application.argoproj.io/{name} is asked to sync")
        return
    app = _see_through(hub.access, namespace or hub.access.namespace, name, seconds)
    state = app["status"]["operationState"]
    _print(app, state)
    known = [*before, *_objects(state.get("syncResult") or {})]
    missed = [text for text in resource or () if not any(_fits(chosen(text), each) for each in known)]
    for text in missed:
        print(f"{name} has no object {text}: nothing was synced for it", file=sys.stderr)
    raise typer.Exit(DONE if state["phase"] == "Succeeded" and not missed else FAILED)


def terminate(ctx: typer.Context, name: Name, namespace: session.NamespaceOption = "") -> None:
    """End the running sync of an application: its hooks are deleted, what it applied stays."""
    hub = session.connect(ctx)
    hub.create(APPS.path(namespace or hub.access.namespace, name, "terminate"), {})
    print(f"application.argoproj.io/{name}: its sync is being ended")


def chosen(text: str) -> dict[str, str]:
    """`apps:Deployment:shop/web` as an entry of `operation.sync.resources`. Raises `Usage`."""
    group, colon, rest = text.partition(":")
    kind, second, name = rest.partition(":")
    namespace, slash, inner = name.partition("/")
    if not (colon and second and kind and (inner if slash else name)):
        raise Usage(f'expected --resource GROUP:KIND:[NAMESPACE/]NAME, found "{text}"')
    found = {"group": group, "kind": kind, "name": inner if slash else name}
    return {**found, "namespace": namespace} if slash else found


def _objects(status: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects that a status, or the result of a sync, names, without hooks."""
    found = status.get("resources") or ()
    return [each for each in found if not (each.get("hook") or each.get("hookPhase"))]


def _fits(wanted: dict[str, str], each: dict[str, Any]) -> bool:
    """Whether an object is the chosen one. Without a namespace it may be in any."""
    return all((each.get(field) or "") == value for field, value in wanted.items())


def _see_through(access: Access, namespace: str, name: str, seconds: float) -> Manifest:
    """The application once its sync is over. Raises `Late`."""
    selection = Selection(APPS.path(namespace), {"fieldSelector": f"metadata.name={name}"})
    told = ""
    for (found,) in follow.states(access, [selection], seconds=seconds, again=1.0):
        if not found:
            raise NotFound(f"application {name} was deleted")
        state = (found[0].get("status") or {}).get("operationState") or {}
        phase = str(state.get("phase") or "")
        if phase not in _GOING_ON:
            return found[0]
        line = f"{phase or 'Pending'}: {state.get('message') or ''}"
        if line != told:
            print(line, file=sys.stderr, flush=True)
        told = line
    raise AssertionError("follow.states never ends by itself")


def _print(app: Manifest, state: dict[str, Any]) -> None:
    """How it ended, and each object that is not as it should be."""
    print(f"{app['metadata']['name']}: {state['phase']}: {state.get('message') or ''}")
    for each in (state.get("syncResult") or {}).get("resources") or ():
        bad = each.get("status") not in (None, "Synced", "Pruned") or each.get("hookPhase") in (
            "Failed",
            "Error",
        )
        if bad or each.get("message"):
            kind = f"{each['kind']}.{each['group']}" if each["group"] else each["kind"]
            word = each.get("hookPhase") or each.get("status") or "OutOfSync"
            where = f"{each['namespace']}/{each['name']}".lstrip("/")
            print(f"  {kind} {where}: {word} {each.get('message') or ''}".rstrip())
