"""Brings the bundles that are missing, whole and checked, however often the line breaks meanwhile."""

from __future__ import annotations

import asyncio
import random

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


async def fetch(link: Link, digest: str) -> bytes:
    """The zstd blob of a bundle. Goes on where it broke off, on whichever stream is open then.

    Raises `NotFound` where it is not assigned to this cluster (any more), `Invalid` where the hub's blob is
    not what its digest says, `Unavailable` where it cannot be had for now.
    """
    blob, stuck = bytearray(), 0
    while True:
        had = len(blob)
        try:
            channel = await link.channel()
            with channels.translated():
                await _transfer(channel, digest, blob)
            break
        except (NotFound, Invalid):
            raise
        except ArgosyError as error:
            failure = error.message
        except TimeoutError:
            failure = f"nothing came for {PIECE_SECONDS:g} s"
        stuck = 0 if len(blob) > had else stuck + 1
        if stuck >= ATTEMPTS:
            raise Unavailable(f"bundle {digest}: {failure}")
        log.info("transfer broke off", digest=digest, at=len(blob), reason=failure)
        await asyncio.sleep(backoff.full_jitter(stuck, random.random(), cap=10.0))
    whole = bytes(blob)
    await asyncio.to_thread(bundle.unpack, whole, digest)
    return whole


async def _transfer(channel: grpc.aio.Channel, digest: str, blob: bytearray) -> None:
    """Appends to `blob` what lacks. Raises `AioRpcError`, `TimeoutError`, `Invalid`."""
    call = rpc.LinkServiceStub(channel).Fetch(pb.FetchRequest(digest=digest, offset=len(blob)))
    try:
        while True:
            async with asyncio.timeout(PIECE_SECONDS):
                piece = await call.read()
            if not isinstance(piece, pb.FetchResponse):
                raise Invalid(f"bundle {digest}: the hub ended it early, at {len(blob)} bytes")
            if piece.offset != len(blob) or piece.size > bundle.MAX_BUNDLE_BYTES:
                raise Invalid(f"bundle {digest}: the hub sent a piece that does not fit")
            blob += piece.data
            if len(blob) >= piece.size:
                return
    finally:
        call.cancel()
