"""The agent's hands: carries one step out on a cluster and says what came of it. Decides nothing.

Errors of the contract become outcomes; everything else (a bug, a cancellation) passes through.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable

from agent.cluster import base
from agent.cluster.base import ClusterApi
from agent.core import marks
from agent.core.contested import Claim
from agent.core.marks import Seen
from agent.core.plan import Applied, Apply, Check, Checked, Conflicted, Failed, Outcome, Step
from argosy.errors import ArgosyError, Unavailable
from argosy.kinds import Gvk
from argosy.objects import Manifest, ObjectKey


async def step(api: ClusterApi, todo: Step) -> Outcome:
    """One step of a plan."""
    try:
        return await (_apply(api, todo) if isinstance(todo, Apply) else _check(api, todo))
    except base.ApplyConflict as conflict:
        claims = tuple(Claim(cause.manager, cause.field) for cause in conflict.causes)
        try:
            return Conflicted(claims, conflict.message, await observe(api, todo.wanted.gvk, todo.wanted.key))
        except ArgosyError as error:
            return failure(error)
    except ArgosyError as error:
        return failure(error)


def failure(error: ArgosyError) -> Failed:
    """How an error of the contract is remembered."""
    if isinstance(error, base.TryLater):
        return Failed(error.message, retry_after=error.retry_after or 1.0)
    if isinstance(error, Unavailable | base.Changed):
        return Failed(error.message, retry_after=1.0)
    if isinstance(error, base.KindMissing):
        return Failed(error.message, missing="kind")
    if isinstance(error, base.NamespaceMissing):
        return Failed(error.message, missing="namespace")
    return Failed(error.message, permanent=isinstance(error, base.Refused))


async def observe(api: ClusterApi, gvk: Gvk, key: ObjectKey) -> Seen | None:
    """The live object, asked of the server; None where there is none."""
    live = await api.get(gvk, key.namespace, key.name)
    return None if live is None else marks.seen(live)


async def _apply(api: ClusterApi, todo: Apply) -> Outcome:
    return Applied(marks.seen(await api.apply(todo.manifest, force=bool(todo.taken))))


async def _check(api: ClusterApi, todo: Check) -> Outcome:
    live = todo.live
    if live is None or live.slim:
        live = await observe(api, todo.wanted.gvk, todo.wanted.key)
        if live is None:
            return Checked(None)
    merged = await _dry_run(api, todo)
    if live is not None and merged.resource_version not in ("", live.resource_version):
        # What we hold is older than what the server compared with.
        live = await observe(api, todo.wanted.gvk, todo.wanted.key)
        merged = await _dry_run(api, todo)
    return Checked(live, merged)


async def _dry_run(api: ClusterApi, todo: Check) -> Seen:
    return marks.seen(await api.apply(todo.manifest, dry_run=True, force=bool(todo.taken)))


async def delete(
    api: ClusterApi, live: Seen, *, propagation: base.Propagation = "Background"
) -> tuple[bool, str]:
    """Asks to delete exactly this object. (True once it is gone, what went wrong)."""
    key = live.key
    try:
        if not await api.delete(live.gvk, key.namespace, key.name, uid=live.uid, propagation=propagation):
            return True, ""
        left = await observe(api, live.gvk, key)
        return left is None or left.uid != live.uid, ""
    except base.KindMissing:
        return True, ""
    except ArgosyError as error:
        return False, error.message


async def patiently(
    call: Callable[[], Awaitable[bool]], sleep: Callable[[float], Awaitable[None]], *, seconds: float
) -> bool:
    """Repeats `call` with growing pauses until it says True; False when the time is up."""
    pause, spent = 0.01, 0.0
    while not await call():
        if spent >= seconds:
            return False
        await sleep(pause)
        spent, pause = spent + pause, min(pause * 1.5, 0.25)
    return True


async def namespace(api: ClusterApi, name: str, metadata: str = "") -> str:
    """Creates a namespace where there is none, and gives it the labels and annotations of `metadata` (JSON, "" for
    none); what went wrong, "" when nothing did. It belongs to no app.
    """
    try:
        if metadata or await api.get(Gvk("", "v1", "Namespace"), "", name) is None:
            more = json.loads(metadata or "{}")
            manifest: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {**more, "name": name}}
            await api.apply(manifest, force=bool(metadata))
    except ArgosyError as error:
        return error.message
    return ""
