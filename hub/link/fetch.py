"""Bundles by digest, in pieces, from any offset: only those that are assigned to the cluster that asks.

An agent that names a bundle it holds gets the difference to it where that is much smaller, and where the hub itself
gave that cluster the base: what a cluster never had must not show through in what it is sent.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Iterator

from google.protobuf.message import DecodeError

from argosy import bundle, convert
from argosy.errors import ArgosyError, Conflict, Invalid, NotFound
from argosy.v1 import link_pb2 as pb
from hub.link import calls, limits, peers
from hub.link.calls import Context
from hub.store import bundles
from hub.store.base import Store, Tx

CACHE_BYTES = 64 * 1024 * 1024


class Shelf:
    """The most recently served blobs. Content-addressed, so what is here is never out of date."""

    def __init__(self, room: int = CACHE_BYTES) -> None:
        self._room = room
        self._blobs: OrderedDict[str, bytes] = OrderedDict()

    def get(self, digest: str) -> bytes | None:
        blob = self._blobs.get(digest)
        if blob is not None:
            self._blobs.move_to_end(digest)
        return blob

    def put(self, digest: str, blob: bytes) -> None:
        if len(blob) > self._room // 4 or digest in self._blobs:
            return
        self._blobs[digest] = blob
        self._room -= len(blob)
        while self._room < 0:
            _, old = self._blobs.popitem(last=False)
            self._room += len(old)


LENT_SECONDS = 300.0


class Loans:
    """Bundles that a cluster is not assigned and may fetch for a while all the same, since it is asked about them."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], float] = {}

    def lend(self, cluster: str, digest: str, now: float) -> None:
        for pair in [pair for pair, until in self._until.items() if until < now]:
            del self._until[pair]
        self._until[cluster, digest] = now + LENT_SECONDS

    def lent(self, cluster: str, digest: str, now: float) -> bool:
        return self._until.get((cluster, digest), 0.0) > now


class Warehouse:
    """Answers `Fetch`."""

    def __init__(self, store: Store, trust_domain: str, loans: Loans) -> None:
        self._store = store
        self._loans = loans
        self._trust_domain = trust_domain
        self._shelf = Shelf()
        self._making: dict[str, asyncio.Task[bytes]] = {}
        self._running: Counter[str] = Counter()

    async def fetch(self, raw: bytes, context: Context) -> AsyncIterator[bytes]:
        try:
            request = pb.FetchRequest.FromString(raw)
            peer = peers.peer_of(context, self._trust_domain)
            if self._running[peer.cluster] >= limits.MAX_FETCHES:
                raise Conflict(f"{limits.MAX_FETCHES} transfers run already for this cluster")
            blob = await self._blob(peer, request)
            changes = await self._difference(peer, request, blob) if request.base else None
        except DecodeError:
            await calls.refuse(context, Invalid("malformed message"))
        except ArgosyError as error:
            await calls.refuse(context, error)
        self._running[peer.cluster] += 1
        try:
            if changes is not None:
                for piece in pieces(changes, 0, request.base):
                    yield piece
                return
            for piece in pieces(blob, request.offset):
                yield piece
        finally:
            self._running[peer.cluster] -= 1
            if not self._running[peer.cluster]:
                del self._running[peer.cluster]

    async def _blob(self, peer: peers.Peer, request: pb.FetchRequest) -> bytes:
        digest = request.digest
        blob = self._shelf.get(digest)
        known = blob is not None
        lent = self._loans.lent(peer.cluster, digest, time.monotonic())

        def look(tx: Tx) -> bytes | None:
            peers.admit(tx, peer)
            if not lent and not bundles.assigned(tx, peer.cluster, digest):
                raise NotFound(f"bundle {digest} is not assigned to this cluster")
            return None if known else bundles.get(tx, digest)

        blob = await self._store.read(look) or blob
        if blob is None:
            raise NotFound(f"bundle {digest} is not in the store")
        if not 0 <= request.offset <= len(blob):
            raise Invalid(f"offset {request.offset} lies outside of the bundle's {len(blob)} bytes")
        self._shelf.put(digest, blob)
        return blob

    async def _difference(self, peer: peers.Peer, request: pb.FetchRequest, blob: bytes) -> bytes | None:
        """The difference to the base that is asked for; None where the whole is to be sent."""
        base = request.base
        if request.offset or base == request.digest:
            return None
        known = await self._store.read(
            lambda tx: bundles.get(tx, base) if bundles.had(tx, peer.cluster, base) else None
        )
        if known is None:
            return None
        name = f"{base} {request.digest}"
        changes = self._shelf.get(name)
        if changes is None:
            # However many agents ask at once, it is made once.
            task = self._making.get(name)
            if task is None:
                work = asyncio.to_thread(_changes, base, known, request.digest, blob)
                task = self._making[name] = asyncio.create_task(work)
                task.add_done_callback(lambda _: self._making.pop(name, None))
            changes = await asyncio.shield(task)
            self._shelf.put(name, changes)
        return changes or None


def _changes(base: str, known: bytes, digest: str, blob: bytes) -> bytes:
    """The difference of two blobs; b"" where it saves too little."""
    found = bundle.difference(bundle.raw_of(known, base), bundle.raw_of(blob, digest))
    return found if found is not None and len(found) * 2 <= len(blob) else b""


def pieces(blob: bytes, offset: int, base: str = "") -> Iterator[bytes]:
    """`FetchResponse` messages from an offset on, each made when its turn comes; at least one."""
    for start in range(offset, max(len(blob), offset + 1), convert.PART):
        data = blob[start : start + convert.PART]
        yield pb.FetchResponse(size=len(blob), offset=start, data=data, base=base).SerializeToString()
