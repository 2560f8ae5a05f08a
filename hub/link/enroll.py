"""How an agent gets its identity, and how it keeps it: `Enroll` and `Renew`.

An identity is a key and the uid of the kube-system namespace. The first enrolment binds a cluster's record
to both; a second holder is refused and the refusal is written down, so that both sides say it.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog
from google.protobuf.message import DecodeError

from argosy import convert, tls
from argosy.errors import ArgosyError, Forbidden, Invalid
from argosy.tls import Certificate
from argosy.v1 import link_pb2 as pb
from hub.ca.authority import Authority
from hub.core.clusters import clusters
from hub.link import calls, peers
from hub.link.calls import Context
from hub.store import agents, audit, grants
from hub.store.base import Store, Tx

log = structlog.get_logger("link")


class Registrar:
    """Answers `Enroll` and `Renew`. `lifetime` is seconds, `clock` gives Unix seconds."""

    def __init__(
        self, store: Store, authority: Authority, *, lifetime: float, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._authority = authority
        self._lifetime = lifetime
        self._clock = clock

    async def enroll(self, raw: bytes, context: Context) -> bytes:
        try:
            request = pb.EnrollRequest.FromString(raw)
            return await self._enroll(request)
        except DecodeError:
            await calls.refuse(context, Invalid("malformed message"))
        except ArgosyError as error:
            log.warning("enrolment refused", peer=context.peer(), reason=error.message)
            await calls.refuse(context, error)

    async def renew(self, raw: bytes, context: Context) -> bytes:
        try:
            request = pb.RenewRequest.FromString(raw)
            peer = peers.peer_of(context, self._authority.trust_domain)
            certificate = self._authority.cluster(
                request.csr, peer.cluster, self._clock(), lifetime=self._lifetime
            )
            if certificate.key != peer.key:
                raise Invalid("a renewal keeps the key: for a new key, join again")
            await self._store.write(lambda tx: _renew(tx, peer, certificate, self._clock()))
        except DecodeError:
            await calls.refuse(context, Invalid("malformed message"))
        except ArgosyError as error:
            await calls.refuse(context, error)
        log.info("certificate renewed", cluster=peer.cluster, expires=certificate.not_after)
        return pb.RenewResponse(
            certificate=certificate.pem.decode(),
            ca_bundle=self._authority.bundle.decode(),
            lifetime_seconds=round(certificate.not_after - self._clock()),
        ).SerializeToString()

    async def _enroll(self, request: pb.EnrollRequest) -> bytes:
        convert.protocol_for(request.protocol_min, request.protocol_max)
        if not 0 < len(request.cluster_uid) <= 128:
            raise Invalid("cluster_uid: expected the uid of the kube-system namespace")
        key = tls.key_fingerprint(tls.load_request(request.csr))
        now = self._clock()
        # Before anything is signed or written: whoever reaches the port may ask.
        cluster = await self._store.read(lambda tx: _whose(tx, request.secret, key, now))
        certificate = self._authority.cluster(request.csr, cluster, now, lifetime=self._lifetime)
        name, refusal = await self._store.write(lambda tx: _bind(tx, request, cluster, certificate, now))
        if refusal:
            raise Forbidden(refusal)
        log.info("cluster enrolled", cluster=cluster, name=name, cluster_uid=request.cluster_uid)
        return pb.EnrollResponse(
            certificate=certificate.pem.decode(),
            ca_bundle=self._authority.bundle.decode(),
            cluster_id=cluster,
            cluster_name=name,
            epoch=self._store.epoch,
            lifetime_seconds=round(certificate.not_after - now),
        ).SerializeToString()


def _whose(tx: Tx, secret: str, key: str, now: float) -> str:
    """The cluster that a secret is for. Raises `Forbidden` where it is for none.

    Without a secret, the one whose identity the proven key holds already.

    The latter is how an agent comes back that was away for longer than its certificate lived.
    """
    if secret:
        return grants.whose(tx, secret, key, now)
    agent = agents.by_key(tx, key)
    if agent is None:
        raise Forbidden("this key holds no cluster's identity here, and there is no join token with it")
    return agent.cluster


def _bind(
    tx: Tx, request: pb.EnrollRequest, cluster: str, certificate: Certificate, now: float
) -> tuple[str, str]:
    """Uses the token and binds the record.

    Returns (cluster's name, why not). Raises `Forbidden` for a bad token.
    """
    if request.secret:
        cluster = grants.redeem(tx, request.secret, certificate.key, now)
    name = agents.name_of(tx, cluster)
    if not name:
        raise Forbidden("the cluster's record was deleted: `argosy join` makes a new one")
    refusal = _second_holder(tx, request, cluster, name)
    if refusal:
        agents.quarantine(tx, cluster, refusal)
        return name, refusal
    agents.bind(tx, cluster, request.cluster_uid, certificate.key, request.version, certificate.not_after)
    grants.record(tx, cluster, certificate, now)
    agent = f"argosy-agent {request.version[:64]}"
    audit.put(tx, audit.Record(now, "agent", "enroll", clusters.RESOURCE, "", name, 200, agent))
    return name, ""


def _second_holder(tx: Tx, request: pb.EnrollRequest, cluster: str, name: str) -> str:
    bound = agents.get(tx, cluster)
    if bound and bound.key and not bound.revoked and bound.cluster_uid != request.cluster_uid:
        return (
            f"cluster {name} is bound to the Kubernetes cluster with kube-system uid {bound.cluster_uid}, another one "
            f"with {request.cluster_uid} asked to be it: revoke {name} first if it was rebuilt, or join under another name"
        )
    for other in agents.by_cluster_uid(tx, request.cluster_uid):
        if other.cluster != cluster and not other.revoked and (taken := agents.name_of(tx, other.cluster)):
            return (
                f"the Kubernetes cluster with kube-system uid {request.cluster_uid} has joined as {taken} already, "
                f"and asked to be {name} as well: revoke or delete {taken} first"
            )
    return ""


def _renew(tx: Tx, peer: peers.Peer, certificate: Certificate, now: float) -> None:
    peers.admit(tx, peer)
    agents.renewed(tx, peer.cluster, peer.key, certificate.not_after)
    grants.record(tx, peer.cluster, certificate, now)
