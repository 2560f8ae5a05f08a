"""Bundles by digest, in pieces, from any offset: only those that are assigned to the cluster that asks."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Iterator

from google.protobuf.message import DecodeError

from argosy import convert
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


class Warehouse:
    """Answers `Fetch`."""

    def __init__(self, store: Store, trust_domain: str) -> None:
        self._store = store
        self._trust_domain = trust_domain
        self._shelf = Shelf()
        self._running: Counter[str] = Counter()

    async def fetch(self, raw: bytes, context: Context) -> AsyncIterator[bytes]:
        try:
            request = pb.FetchRequest.FromString(raw)
            peer = peers.peer_of(context, self._trust_domain)
            if self._running[peer.cluster] >= limits.MAX_FETCHES:
                raise Conflict(f"{limits.MAX_FETCHES} transfers run already for this cluster")
            blob = await self._blob(peer, request)
        except DecodeError:
            await calls.refuse(context, Invalid("malformed message"))
        except ArgosyError as error:
            await calls.refuse(context, error)
        self._running[peer.cluster] += 1
        try:
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

        def look(tx: Tx) -> bytes | None:
            peers.admit(tx, peer)
            if not bundles.assigned(tx, peer.cluster, digest):
                raise NotFound(f"bundle {digest} is not assigned to this cluster")
            return None if known else bundles.get(tx, digest)

        blob = await self._store.read(look) or blob
        if blob is None:
            raise NotFound(f"bundle {digest} is not in the store")
        if not 0 <= request.offset <= len(blob):
            raise Invalid(f"offset {request.offset} lies outside of the bundle's {len(blob)} bytes")
        self._shelf.put(digest, blob)
        return blob


def pieces(blob: bytes, offset: int) -> Iterator[bytes]:
    """`FetchResponse` messages from an offset on, each made when its turn comes; at least one."""
    for start in range(offset, max(len(blob), offset + 1), convert.PART):
        data = blob[start : start + convert.PART]
        yield pb.FetchResponse(size=len(blob), offset=start, data=data).SerializeToString()
