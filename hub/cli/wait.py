"""`argosy wait`: blocks until clusters, applications, sets or a whole commit are done or have failed."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from argosy.objects import Manifest
from hub.cli import commit_wait, follow, resources, session, waiting
from hub.cli.errors import Usage
from hub.cli.follow import Selection
from hub.cli.kubeconfig import Access
from hub.cli.resources import APPS, APPSETS, CLUSTERS, Resource
from hub.cli.waiting import Verdict
from hub.core.views.where import is_commit, is_version

DONE, FAILED = 0, 1
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+(?:\.\d+)?)s?)?")


def duration(text: str) -> float:
    """`90`, `90s`, `5m`, `1h30m` in seconds. Raises `Usage`."""
    found = _DURATION.fullmatch(text)
    if not text or not found:
        raise Usage(f'expected a duration such as 90s or 5m, found "{text}"')
    hours, minutes, seconds = (float(part or 0) for part in found.groups())
    return hours * 3600 + minutes * 60 + seconds


def lifetime(text: str, longest: float) -> int:
    """`--ttl` in whole seconds: from a minute to `longest`. Raises `Usage`."""
    seconds = duration(text)
    if not 60 <= seconds <= longest:
        raise Usage(f"--ttl: expected from 60s to {longest / 3600:g}h, found {text}")
    return int(seconds)


def wait(
    ctx: typer.Context,
    things: Annotated[
        list[str],
        typer.Argument(metavar="KIND/NAME…|COMMIT", help="cluster/NAME, app/NAME, appset/NAME, or a commit."),
    ],
    revision: Annotated[
        str, typer.Option(metavar="COMMIT", help="Applications must run this commit; may be shortened.")
    ] = "",
    namespace: session.NamespaceOption = "",
    repo: Annotated[
        str, typer.Option(metavar="URL", help="The commit's repository, where several have it.")
    ] = "",
    ignore_offline: Annotated[
        bool, typer.Option(help="With a commit: do not wait for clusters that are offline.")
    ] = False,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="When to give up: 90s, 5m, 1h.")] = "5m",
) -> None:
    """Block until all are done. Clusters: Ready. Applications: Synced and Healthy. Sets: all their applications. A commit:
    every cluster that it is for runs it, or something newer.

    Exit 0 done, 1 failed, 2 usage, 3 timed out.
    """
    seconds = duration(timeout)
    if len(things) == 1 and (is_commit(things[0]) or is_version(things[0])):
        raise typer.Exit(
            commit_wait.until(session.connect(ctx), things[0], repo, seconds, ignore_offline=ignore_offline)
        )
    wanted = [_thing(text) for text in things]
    access = session.access(ctx)
    raise typer.Exit(_until(access, wanted, namespace or access.namespace, revision, seconds))


def _thing(text: str) -> tuple[Resource, str]:
    word, _, name = text.partition("/")
    if not name:
        raise Usage(f'expected cluster/NAME, app/NAME or appset/NAME, found "{text}"')
    return resources.by_word(word, (CLUSTERS, APPS, APPSETS)), name


def _until(
    access: Access, wanted: Sequence[tuple[Resource, str]], namespace: str, revision: str, seconds: float
) -> int:
    followed = _followed([resource for resource, _ in wanted])
    selections = [Selection(resource.path(namespace)) for resource in followed]
    failing: dict[tuple[Resource, str], float] = {}
    told = ""
    for state in follow.states(access, selections, seconds=seconds, again=1.0):
        lists = dict(zip(followed, state, strict=True))
        verdicts = {thing: _verdict(thing, lists, revision) for thing in wanted}
        if all(verdict.done for verdict in verdicts.values()):
            for resource, name in wanted:
                print(f"{resource.words[0]}/{name} done")
            return DONE
        failing = {
            thing: failing.get(thing, time.monotonic())
            for thing, verdict in verdicts.items()
            if verdict.failed
        }
        for thing, since in failing.items():
            if time.monotonic() - since >= waiting.STANDING_SECONDS:
                print(f"{thing[0].words[0]}/{thing[1]} failed: {verdicts[thing].failed}", file=sys.stderr)
                return FAILED
        told = _tell(verdicts, told)
    return FAILED


def _followed(asked: Sequence[Resource]) -> list[Resource]:
    with_members = [*asked, *([APPS] if APPSETS in asked else [])]
    return list(dict.fromkeys(with_members))


def _verdict(thing: tuple[Resource, str], lists: dict[Resource, list[Manifest]], revision: str) -> Verdict:
    resource, name = thing
    item = next((found for found in lists[resource] if found["metadata"]["name"] == name), None)
    if resource is CLUSTERS:
        return waiting.cluster(item)
    if resource is APPSETS:
        return waiting.appset(item, lists[APPS], revision)
    return waiting.app(item, revision)


def _tell(verdicts: dict[tuple[Resource, str], Verdict], told: str) -> str:
    """Says on stderr what is waited for, where that changed."""
    lines = [
        f"{resource.words[0]}/{name}: {verdict.failed or verdict.waiting}"
        for (resource, name), verdict in verdicts.items()
        if not verdict.done
    ]
    text = "\n".join(lines)
    if text != told:
        print(text, file=sys.stderr, flush=True)
    return text
