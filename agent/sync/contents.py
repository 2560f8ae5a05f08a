"""What a Namespace or a CustomResourceDefinition would take with it. Looks; whether it may go is `core.removals`'."""

from __future__ import annotations

from collections.abc import AsyncIterator

from agent.cluster.base import ClusterApi, KindMissing
from agent.core import removals
from agent.core.marks import Seen
from agent.core.steps import Reason, Why
from argosy import stages
from argosy.errors import ArgosyError
from argosy.kinds import Gvk, by_name
from argosy.objects import Manifest, key_of


async def shield(api: ClusterApi, live: Seen, doomed: frozenset[str]) -> Reason | None:
    """Why it stays: something in it that is not among the UIDs that go. None where there is nothing.

    What cannot be looked at protects as well. Costs a list per namespaced kind, and only when a namespace goes.
    """
    try:
        async for item in _inside(api, live):
            if removals.foreign(item, doomed):
                return Reason(Why.PROTECTED, _told(live, item))
    except ArgosyError as error:
        return Reason(Why.PROTECTED, f"what is in it cannot be looked at: {error.message}")
    return None


def _told(live: Seen, item: Manifest) -> str:
    key = key_of(item)
    what = "has instances" if (live.key.group, live.key.kind) == removals.DEFINITION else "holds objects"
    return f'{what} that stay: {key}; annotation {removals.PROTECT}: "false" lets it go with all of them'


async def _inside(api: ClusterApi, live: Seen) -> AsyncIterator[Manifest]:
    if (live.key.group, live.key.kind) == removals.DEFINITION:
        group, name = stages.defined_kind(live.body)
        kind = by_name((await api.kinds()).values(), group, name)
        if kind is not None:
            async for item in _all(api, kind.gvk, ""):
                yield item
        return
    seen: set[tuple[str, str]] = set()
    for kind in (await api.kinds()).values():
        sort = kind.gvk.group, kind.gvk.kind
        if kind.namespaced and "list" in kind.verbs and removals.weighs(*sort) and sort not in seen:
            seen.add(sort)
            async for item in _all(api, kind.gvk, live.key.name):
                yield item


async def _all(api: ClusterApi, gvk: Gvk, namespace: str) -> AsyncIterator[Manifest]:
    more = ""
    while True:
        try:
            page = await api.list(gvk, namespace=namespace, more=more)
        except KindMissing:
            return
        for item in page.items:
            yield item
        more = page.more
        if not more:
            return
