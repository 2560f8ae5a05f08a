"""Who is at the other end of a call: the identity in the client certificate that the handshake verified."""

from __future__ import annotations

from dataclasses import dataclass

from argosy import tls
from argosy.errors import Forbidden, Invalid
from hub.core.clusters.clusters import Agent
from hub.link.calls import Context
from hub.store import agents
from hub.store.base import Tx

ANEW = "To bring it back: `argosy join`, and its agent started again with that token"


class Superseded(Forbidden):
    """Another agent holds the identity now: this one must not act for the cluster any more."""


@dataclass(frozen=True, slots=True)
class Peer:
    """A cluster's agent as its certificate names it. `expires` is Unix seconds."""

    cluster: str
    key: str
    expires: float


def peer_of(context: Context, trust_domain: str) -> Peer:
    """Raises `Forbidden` for a certificate that names no cluster of ours."""
    shown = list(context.auth_context().get("x509_pem_cert") or ())
    if not shown:
        raise Forbidden("this call needs a client certificate")
    try:
        certificate = tls.read(shown[0])
        return Peer(tls.cluster_of(certificate, trust_domain), certificate.key, certificate.not_after)
    except Invalid as error:
        raise Forbidden(error.message) from None


def admit(tx: Tx, peer: Peer) -> Agent:
    """The agent's row of a peer that may come in. Raises `Forbidden` with what would help, `Superseded`
    where another key holds the identity now.
    """
    agent = agents.get(tx, peer.cluster)
    if agent is None or not agents.name_of(tx, peer.cluster):
        raise Forbidden(f"this cluster is unknown here: its record was deleted. {ANEW}")
    if agent.revoked:
        raise Forbidden(f"this cluster's identity was revoked. {ANEW}")
    if agent.key != peer.key:
        raise Superseded(
            "another agent has joined as this cluster since: this key holds its identity no longer"
        )
    return agent
