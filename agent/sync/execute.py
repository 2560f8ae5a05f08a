"""The agent's hands: carries one step out on a cluster and says what came of it. Decides nothing.

Errors of the contract become outcomes; everything else (a bug, a cancellation) passes through.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

from agent.cluster import base
from agent.cluster.base import ClusterApi
from agent.core import handing, keeping, marks, merging
from agent.core.contested import Claim
from agent.core.marks import Seen
from agent.core.options import How, Mode
from agent.core.steps import Applied, Apply, Check, Checked, Conflicted, Failed, Outcome, Recreate, Step
from argosy.errors import ArgosyError, Unavailable
from argosy.kinds import Gvk
from argosy.objects import Manifest, ObjectKey

_TRIES = 3
"""How often an object is read again that changes while it is written."""
RECREATE_SECONDS = 5.0
"""How long one pass waits for the end of an object that is made anew; the next one goes on."""


async def step(api: ClusterApi, todo: Step) -> Outcome:
    """One step of a plan."""
    try:
        if isinstance(todo, Recreate):
            return await _recreate(api, todo)
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
    if isinstance(error, base.Refused):
        return Failed(error.message, permanent=True, invalid=error.reason == "Invalid")
    return Failed(error.message)


async def observe(api: ClusterApi, gvk: Gvk, key: ObjectKey) -> Seen | None:
    """The live object, asked of the server; None where there is none."""
    live = await api.get(gvk, key.namespace, key.name)
    return None if live is None else marks.seen(live)


async def _apply(api: ClusterApi, todo: Apply) -> Outcome:
    how = todo.wanted.how
    if how.mode is Mode.APPLY:
        force, manifest = bool(todo.taken), await _kept(api, todo)
        applied = await api.apply(manifest, force=force, validate=how.validate)
        migrated = handing.migrated(applied, how.migrate)
        if migrated is not None:
            await api.update(migrated, validate=False)
            applied = await api.apply(manifest, force=force, validate=how.validate)
        return Applied(marks.seen(applied))
    for _ in range(_TRIES):
        live = await api.get(todo.wanted.gvk, todo.wanted.key.namespace, todo.wanted.key.name)
        try:
            return Applied(marks.seen(await _put(api, todo, live)))
        except base.Changed as error:
            changed = error
    raise changed


async def _kept(api: ClusterApi, todo: Apply) -> Manifest:
    if not todo.keeping.fields:
        return todo.manifest
    live = await api.get(todo.wanted.gvk, todo.wanted.key.namespace, todo.wanted.key.name)
    return todo.manifest if live is None else keeping.kept(todo.manifest, live, todo.keeping, owned=True)


async def _put(api: ClusterApi, todo: Apply | Check, live: Manifest | None) -> Manifest:
    """Creates the object, or puts its merged or whole new form in the place of the live one.

    A dry run always merges: what others added to an object is no difference, though a replacement takes it away.
    """
    how, dry_run = todo.wanted.how, isinstance(todo, Check)
    remember = how.mode is Mode.MERGE
    if live is None:
        return await _create(api, how, todo.manifest, dry_run=dry_run)
    manifest = keeping.kept(todo.manifest, live, todo.keeping)
    try:
        if remember or dry_run:
            new = merging.merged(live, manifest, remember=remember, record=not dry_run)
        else:
            new = merging.replaced(live, manifest)
        new = merging.yielded(live, new, todo.yielding)
        new = merging.left(live, new, [claim.field for claim in todo.left])
    except ValueError as error:
        raise base.Refused(f"cannot be merged with the live object: {error}", "Invalid") from None
    return await api.update(new, dry_run=dry_run, validate=how.validate)


async def _create(api: ClusterApi, how: How, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
    made = merging.remembered(manifest) if how.mode is Mode.MERGE else manifest
    return await api.create(made, dry_run=dry_run, validate=how.validate)


async def _recreate(api: ClusterApi, todo: Recreate) -> Outcome:
    """Deletes the object that cannot be changed, waits for its end and makes it anew."""

    async def gone() -> bool:
        ended, problem = await delete(api, todo.live)
        if problem:
            raise Unavailable(problem)
        return ended

    if not await patiently(gone, asyncio.sleep, seconds=RECREATE_SECONDS):
        return Failed("is deleted to be made anew, and waits for its end", retry_after=1.0)
    return Applied(marks.seen(await _fresh(api, todo)))


async def _fresh(api: ClusterApi, todo: Recreate) -> Manifest:
    how = todo.wanted.how
    if how.mode is Mode.APPLY:
        return await api.apply(todo.manifest, validate=how.validate)
    return await _create(api, how, todo.manifest)


async def _check(api: ClusterApi, todo: Check) -> Outcome:
    live = todo.live
    if todo.wanted.how.mode is not Mode.APPLY:
        return await _check_put(api, todo)
    if live is None or live.slim:
        live = await observe(api, todo.wanted.gvk, todo.wanted.key)
        if live is None:
            if todo.thorough:
                await _dry_run(api, todo, None)
            return Checked(None)
    merged = await _dry_run(api, todo, live)
    if live is not None and merged.resource_version not in ("", live.resource_version):
        # What we hold is older than what the server compared with.
        live = await observe(api, todo.wanted.gvk, todo.wanted.key)
        merged = await _dry_run(api, todo, live)
    return Checked(live, merged)


async def _dry_run(api: ClusterApi, todo: Check, live: Seen | None) -> Seen:
    force, validate = bool(todo.taken), todo.wanted.how.validate
    manifest = todo.manifest if live is None else keeping.kept(todo.manifest, live.body, todo.keeping)
    return marks.seen(await api.apply(manifest, dry_run=True, force=force, validate=validate))


async def _check_put(api: ClusterApi, todo: Check) -> Outcome:
    key = todo.wanted.key
    live = await api.get(todo.wanted.gvk, key.namespace, key.name)
    if live is not None:
        return Checked(marks.seen(live), marks.seen(await _put(api, todo, live)))
    if todo.thorough:
        await _put(api, todo, None)
    return Checked(None)


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
