"""Brings the bundles that are missing, whole and checked, however often the line breaks meanwhile."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import grpc
import structlog

from agent.link import channels
from agent.link.link import Link
from argosy import backoff, bundle
from argosy.errors import ArgosyError, Invalid, NotFound, Unavailable
from argosy.v1 import link_pb2 as pb
from argosy.v1 import link_pb2_grpc as rpc

log = structlog.get_logger("link")

PIECE_SECONDS = 30.0
"""The longest wait for the next piece before the transfer counts as broken."""
ATTEMPTS = 8
"""Breaks without a single new byte after which a transfer is given up for now."""


@dataclass(frozen=True, slots=True)
class Base:
    """A bundle that is here: the new one may come as the difference to it. `raw` is its canonical JSON."""

    digest: str
    raw: bytes


@dataclass
class _Received:
    """What has come so far; `base` is what it is a difference to, "" for the whole blob."""

    blob: bytearray = field(default_factory=bytearray)
    base: str = ""


async def fetch(link: Link, digest: str, base: Base | None = None) -> bytes:
    """The zstd blob of a bundle. Goes on where it broke off, on whichever stream is open then.

    Raises `NotFound` where it is not assigned to this cluster (any more), `Invalid` where the hub's blob is
    not what its digest says, `Unavailable` where it cannot be had for now.
    """
    got, stuck = _Received(), 0
    while True:
        if got.base:
            # A difference is small: what broke off begins anew.
            got = _Received()
        had = len(got.blob)
        try:
            channel = await link.channel()
            with channels.translated():
                await _transfer(channel, digest, got, base)
            if got.base:
                return await _made_of(base, digest, got)
            break
        except (NotFound, Invalid):
            if not got.base:
                raise
            # What does not fit on what is here is fetched whole.
            base, failure = None, "the difference does not fit"
        except ArgosyError as error:
            failure = error.message
        except TimeoutError:
            failure = f"nothing came for {PIECE_SECONDS:g} s"
        stuck = 0 if len(got.blob) > had else stuck + 1
        if stuck >= ATTEMPTS:
            raise Unavailable(f"bundle {digest}: {failure}")
        log.info("transfer broke off", digest=digest, at=len(got.blob), reason=failure)
        await asyncio.sleep(backoff.full_jitter(stuck, random.random(), cap=10.0))
    whole = bytes(got.blob)
    await asyncio.to_thread(bundle.unpack, whole, digest)
    return whole


async def _made_of(base: Base | None, digest: str, got: _Received) -> bytes:
    if base is None or got.base != base.digest:
        raise Invalid(f"bundle {digest}: the hub sent a difference to {got.base}, which was not asked for")
    return await asyncio.to_thread(bundle.patched, base.raw, bytes(got.blob), digest)


async def _transfer(channel: grpc.aio.Channel, digest: str, got: _Received, base: Base | None) -> None:
    """Appends to what was received what lacks. Raises `AioRpcError`, `TimeoutError`, `Invalid`."""
    blob = got.blob
    request = pb.FetchRequest(digest=digest, offset=len(blob), base=base.digest if base and not blob else "")
    call = rpc.LinkServiceStub(channel).Fetch(request)
    try:
        while True:
            async with asyncio.timeout(PIECE_SECONDS):
                piece = await call.read()
            if not isinstance(piece, pb.FetchResponse):
                raise Invalid(f"bundle {digest}: the hub ended it early, at {len(blob)} bytes")
            if not blob:
                got.base = piece.base
            if piece.offset != len(blob) or piece.size > bundle.MAX_BUNDLE_BYTES or piece.base != got.base:
                raise Invalid(f"bundle {digest}: the hub sent a piece that does not fit")
            blob += piece.data
            if len(blob) >= piece.size:
                return
    finally:
        call.cancel()
