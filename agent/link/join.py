"""How an agent gets its first certificate, and every later one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import structlog

from agent.link import channels
from agent.state import identity
from agent.state.identity import Identity
from argosy import convert, tls, token
from argosy.errors import Unavailable
from argosy.token import JoinToken
from argosy.v1 import link_pb2 as pb
from argosy.v1 import link_pb2_grpc as rpc

log = structlog.get_logger("link")

CALL_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Self:
    """What the agent says of itself: the uid of its cluster's kube-system namespace, and its version."""

    cluster_uid: str
    version: str


async def join(folder: Path, text: str, who: Self, *, clock: Callable[[], float]) -> Identity:
    """Uses a join token and keeps the identity in `folder`.

    The same folder may try again with the same token.

    Raises `Invalid` for a damaged token or a hub that is not the token's, `Forbidden` where the hub refuses
    it, `Unavailable` where the hub cannot be reached.
    """
    parsed = token.decode(text)
    key = identity.key_in(folder)
    ca = await tls.pinned(parsed.enroll, parsed.ca)
    answer = await _enroll(parsed.enroll, ca, key, parsed.secret, who)
    joined = _identity(parsed, answer, who, clock())
    identity.save(folder, joined)
    log.info("joined", cluster=joined.name, id=joined.cluster)
    return joined


def is_news(offered: JoinToken, own: Identity) -> bool:
    """Whether a join token is another one than the identity came by."""
    return token.secret_hash(offered.secret) != own.joined


def of_another_hub(offered: JoinToken, own: Identity) -> bool:
    """Whether a join token is for a hub with a CA that this identity knows nothing of."""
    return all(tls.read(pem).fingerprint != offered.ca for pem in tls.split(own.ca.encode()))


async def rejoin(folder: Path, old: Identity, who: Self, *, clock: Callable[[], float]) -> Identity:
    """A new certificate for the key that holds the identity already, after the old certificate ended."""
    key = identity.key_in(folder)
    answer = await _enroll(old.enroll, old.ca.encode(), key, "", who)
    fresh = _replaced(folder, old, answer, clock())
    log.info("certificate replaced", cluster=fresh.name)
    return fresh


async def renew(
    folder: Path, old: Identity, channel: grpc.aio.Channel, *, clock: Callable[[], float]
) -> Identity:
    """A new certificate while the old one is good. Raises what `channels.translated` says."""
    request = tls.new_request(identity.key_in(folder), old.name)
    with channels.translated():
        answer = await rpc.LinkServiceStub(channel).Renew(pb.RenewRequest(csr=request), timeout=CALL_SECONDS)
    return _replaced(folder, old, answer, clock())


def _replaced(
    folder: Path, old: Identity, answer: pb.EnrollResponse | pb.RenewResponse, now: float
) -> Identity:
    """The identity with another certificate, and the CAs that came with it; written down."""
    fresh = replace(
        old,
        certificate=answer.certificate,
        ca=answer.ca_bundle,
        received=now,
        lifetime=float(answer.lifetime_seconds),
    )
    identity.save(folder, fresh)
    return fresh


async def _enroll(address: str, ca: bytes, key: bytes, secret: str, who: Self) -> pb.EnrollResponse:
    request = pb.EnrollRequest(
        secret=secret,
        csr=tls.new_request(key, who.cluster_uid),
        cluster_uid=who.cluster_uid,
        version=who.version,
        protocol_min=convert.OLDEST_PROTOCOL,
        protocol_max=convert.PROTOCOL,
    )
    async with channels.server_only(address, ca) as channel:
        with channels.translated():
            answer = await rpc.EnrollServiceStub(channel).Enroll(request, timeout=CALL_SECONDS)
    if not answer.certificate or not answer.cluster_id:
        raise Unavailable(f"{address}: the answer has no certificate")
    return answer


def _identity(parsed: JoinToken, answer: pb.EnrollResponse, who: Self, now: float) -> Identity:
    return Identity(
        cluster=answer.cluster_id,
        name=answer.cluster_name,
        enroll=parsed.enroll,
        link=answer.link or parsed.link,
        certificate=answer.certificate,
        ca=answer.ca_bundle,
        received=now,
        lifetime=float(answer.lifetime_seconds),
        joined=token.secret_hash(parsed.secret),
        cluster_uid=who.cluster_uid,
    )
