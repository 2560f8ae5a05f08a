"""Compares without writing anything, not even in a dry run: reads are all the rights it takes.

What the server would make of a manifest is worked out here, by the same rules (`argosy.machinery`): defaults and lists
with keys for built-in kinds, the schemas of CRDs for others. Numbers with units are compared by their value.
"""

from __future__ import annotations

import functools
import re
import time

from agent.cluster.base import MANAGER, ClusterApi
from agent.core import differences, drift, handing, known, marks
from agent.core.drift import Ignored
from agent.core.marks import Wanted
from agent.core.steps import Reason, Verdict, Verified, Why
from argosy.errors import ArgosyError
from argosy.kinds import CRD, Gvk, by_name
from argosy.machinery import kinds as machinery_kinds
from argosy.machinery import write
from argosy.machinery.failure import ApiFailure
from argosy.machinery.kinds import Kind, Place
from argosy.objects import Manifest
from argosy.status import Difference, Sync

_AMOUNTS = frozenset(
    {"limits", "requests", "hard", "capacity", "default", "defaultRequest", "max", "min", "sizeLimit"}
    | {"averageValue", "value", "storage", "divisor", "maxLimitRequestRatio", "podFixed"}
)
"""Names below which built-in kinds have quantities."""


class Observer:
    """One cluster. Schemas of CRDs are read once and kept."""

    def __init__(self, api: ClusterApi) -> None:
        self._api = api
        self._custom: dict[Gvk, Kind] = {}

    async def look(self, wanted: Wanted, ignore: Ignored) -> Verdict:
        """How a live object is, and what syncing it would change."""
        key = wanted.key
        try:
            live = await self._api.get(wanted.gvk, key.namespace, key.name)
            kind = await self._kind(wanted.gvk) if live is not None else None
        except ArgosyError as error:
            return Verdict(Reason(Why.FAILED, error.message), Sync.UNKNOWN)
        if live is None or kind is None:
            verified = Verified(wanted.digest, "", Sync.OUT_OF_SYNC)
            return Verdict(Reason(Why.MISSING), Sync.OUT_OF_SYNC, None, verified)
        try:
            merged = _merged(kind, live, handing.unmarked(wanted.manifest))
        except ApiFailure as error:
            message = differences.hushed(wanted, error.message)
            return Verdict(Reason(Why.FAILED, message), Sync.OUT_OF_SYNC, marks.seen(live))
        old, new = (drift.content(handing.unmarked(item), ignore) for item in (live, merged))
        found = tuple(item for item in differences.between(wanted, old, new) if not _equal(item))
        seen, state = marks.seen(live), Sync.OUT_OF_SYNC if found else Sync.SYNCED
        message = f"differs in {', '.join(item.field for item in found[:5])}" if found else ""
        verified = Verified(wanted.digest, seen.mark, state, message, found)
        return Verdict(Reason(Why.OBSERVED, message), state, seen, verified)

    async def _kind(self, gvk: Gvk) -> Kind:
        found = _builtin().get(gvk) or self._custom.get(gvk)
        if found is not None:
            return found
        api_kind = by_name((await self._api.kinds()).values(), gvk.group, gvk.kind)
        plural, namespaced = (api_kind.plural, api_kind.namespaced) if api_kind else (gvk.kind.lower(), True)
        try:
            crd = await self._api.get(CRD, "", f"{plural}.{gvk.group}")
        except ArgosyError:
            crd = None  # not ours to read, or no custom kind: then its fields have no shape here
        kinds = machinery_kinds.from_crd(crd) if crd is not None else []
        found = next((each for each in kinds if each.version == gvk.version), None)
        self._custom[gvk] = found or machinery_kinds.custom(
            gvk.group,
            gvk.version,
            gvk.kind,
            plural,
            {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            namespaced=namespaced,
        )
        return self._custom[gvk]


@functools.cache
def _builtin() -> dict[Gvk, Kind]:
    return {Gvk(each.group, each.version, each.kind): each for each in machinery_kinds.builtin()}


def _merged(kind: Kind, live: Manifest, manifest: Manifest) -> Manifest:
    metadata = live["metadata"]
    place = Place(kind, metadata.get("namespace", "") if kind.namespaced else "", metadata["name"])
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    out: Manifest = write.apply(place, live, manifest, write.Options(MANAGER, now, force=True)).object
    return out


def _equal(item: Difference) -> bool:
    """Whether two values are one amount, written differently."""
    if not _AMOUNTS & set(re.split(r"[.\[\]]", item.field)):
        return False
    left, right = (known.amount(text.strip('"')) for text in (item.desired, item.live))
    return left is not None and left == right
