"""The one stream of each agent: `Connect`.

The handler reads; what it learns is made durable before it is answered. A broken, hostile or over-eager
peer ends its own stream and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import structlog

from argosy import apis, convert
from argosy.convert import Offer
from argosy.errors import ArgosyError, Conflict, Forbidden, Invalid, Unavailable
from argosy.v1 import link_pb2 as pb
from hub.core.clusters import facts
from hub.core.clusters.clusters import Agent
from hub.core.clusters.seats import Seat
from hub.link import calls, limits, peers
from hub.link.calls import Context
from hub.link.limits import Meter, Quota
from hub.link.peers import Peer, Superseded
from hub.link.seating import Seating
from hub.link.session import Session
from hub.store import agents, desired, reports
from hub.store import served as lists
from hub.store.base import Store, Tx
from hub.store.desired import Head

log = structlog.get_logger("link")

SUPERSEDED_SECONDS = 300
"""When an agent whose identity another one took over may ask again."""
MAX_FULL = 200_000
"""Applications in one full report."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What the store knows when an agent says Hello."""

    agent: Agent
    head: Head
    state_digest: str
    refusal: str = ""
    apis_known: bool = False
    """True where the list of APIs that the Hello names is kept."""


class Switchboard:
    """All open streams of this hub, one per cluster, and the handler that serves each."""

    def __init__(
        self,
        store: Store,
        *,
        trust_domain: str,
        version: str,
        beat_seconds: int,
        quota: Quota,
        grace: float,
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._trust_domain = trust_domain
        self._version = version
        self._beat_seconds = beat_seconds
        self._quota = quota
        self._clock = clock
        self.sessions: dict[str, Session] = {}
        self.revocations = 0
        """Grows with every revocation."""
        self.lost: dict[str, float] = {}
        """Clusters whose stream ended, and when (monotonic seconds): not written down before the grace is
        over.
        """
        self.seating = Seating(store, self.sessions, self.lost, grace)

    async def connect(self, _: object, context: Context) -> None:
        try:
            peer = peers.peer_of(context, self._trust_domain)
        except ArgosyError as error:
            await calls.refuse(context, error)
        now = time.monotonic()
        session = Session(context, peer.cluster, peer.expires, Meter(self._quota, now), now)
        try:
            await self._serve(session, peer, context)
        except asyncio.CancelledError:
            if not session.ended:
                raise
            # Cut on purpose: the peer shall read why.
            _uncancel()
            await context.abort(session.status, session.ended)
        except ArgosyError as error:
            log.warning("stream refused", cluster=peer.cluster, reason=error.message)
            await calls.refuse(context, error)
        finally:
            session.close()
            self._leave(session)

    async def _serve(self, session: Session, peer: Peer, context: Context) -> None:
        try:
            async with asyncio.timeout(limits.HELLO_SECONDS):
                raw = await _read(context)
        except TimeoutError:
            raise Invalid("no Hello came") from None
        while raw is not None:
            session.seen = time.monotonic()
            if reason := session.meter.take(len(raw), session.seen):
                session.end(reason, grpc.StatusCode.RESOURCE_EXHAUSTED, 30)
            if session.ended:
                # Only the Goodbye is still on its way; it cancels this handler.
                await asyncio.sleep(2 * limits.BYE_SECONDS)
            if not await self._take(session, peer, convert.request(raw), context):
                return
            raw = await _read(context)

    async def _take(self, session: Session, peer: Peer, message: pb.ConnectRequest, context: Context) -> bool:
        """Acts on one message. False where the agent ends the stream. Raises what ends it."""
        kind = message.WhichOneof("message")
        if kind == "hello":
            await self._hello(session, peer, message.hello, context)
        elif self.sessions.get(peer.cluster) is not session:
            raise Invalid(f"the first message has to be a Hello, not {kind or 'an empty one'}")
        elif kind == "report":
            await self._report(session, message.report)
        elif kind == "held":
            await self._held(session, message.held)
        elif kind == "beat":
            await self._beat(session)
        elif kind == "facts":
            await self._told(session, message.facts)
        elif kind == "answer":
            session.answered(message.answer)
        elif kind == "goodbye":
            return False
        return True

    async def _hello(self, session: Session, peer: Peer, hello: pb.Hello, context: Context) -> None:
        try:
            convert.protocol_for(hello.protocol_min, hello.protocol_max)
        except Invalid as error:
            raise Conflict(error.message) from None
        said, revocations = facts.read(hello.facts), self.revocations
        session.epoch, session.generation, session.set_digest = (
            hello.epoch,
            hello.generation,
            hello.set_digest,
        )
        session.holding, session.instance = hello.holding, hello.instance[:64]
        async with self.seating.lock(session.cluster):
            try:
                greeting = await self._store.read(lambda tx: _greet(tx, peer, hello.cluster_uid, said))
            except Superseded as error:
                session.end(error.message, grpc.StatusCode.PERMISSION_DENIED, SUPERSEDED_SECONDS, second=True)
                return
            if greeting.refusal:
                await self._store.write(lambda tx: agents.quarantine(tx, peer.cluster, greeting.refusal))
                raise Forbidden(greeting.refusal)
            seat = agents.seat(greeting.agent)
            taken = await self.seating.take(session, seat, tuple(hello.before[-convert.MAX_RUNS :]))
            if taken is None:
                told = await self.seating.refuse(session, seat, calls.host_of(context), self._clock())
                session.end(told, grpc.StatusCode.FAILED_PRECONDITION, self._beat_seconds, second=True)
                return
            self._enter(session)
            if revocations != self.revocations:
                # One that was revoked between the look and the entry would be missed by the cut.
                await self._store.read(lambda tx: peers.admit(tx, peer))
            before = facts.of_text(greeting.agent.facts)
            now = facts.text(facts.kept(before, said, known=greeting.apis_known))
            await self._note(greeting.agent, hello, now, taken if taken != seat else None)
        differs = hello.state_digest != greeting.state_digest
        asked = bool(said.get(apis.FACT)) and not greeting.apis_known
        # A set that was offered meanwhile may be there before: after it, this must not look like an older hub's.
        generation = max(greeting.head.generation, session.offered)
        session.welcome(self._welcome(greeting.agent, generation, report_all=differs, tell_facts=asked))
        await self.push([session.cluster])

    def _enter(self, session: Session) -> None:
        """The stream is the cluster's now; an older one is told so."""
        before = self.sessions.get(session.cluster)
        self.sessions[session.cluster] = session
        self.lost.pop(session.cluster, None)
        if before is not None and before is not session:
            before.end("replaced", grpc.StatusCode.ABORTED, self._beat_seconds)

    def _leave(self, session: Session) -> None:
        if self.sessions.get(session.cluster) is session:
            del self.sessions[session.cluster]
            self.lost[session.cluster] = time.monotonic()

    async def _told(self, session: Session, message: pb.Facts) -> None:
        """Takes in what an agent tells of its cluster: all of it, with the list of APIs that it names."""
        said, cluster = facts.read(message.facts), session.cluster
        digest = said.get(apis.FACT, "")
        served = apis.unpack(message.apis) if digest else ()
        if digest and digest != apis.digest(served):
            raise Invalid(f"facts: {apis.FACT} is not the digest of the APIs that are told")
        # A list is kept unpacked: it costs more than its message.
        if reason := session.meter.take(sum(map(len, served)), time.monotonic()):
            session.end(reason, grpc.StatusCode.RESOURCE_EXHAUSTED, 30)
            return

        def write(tx: Tx) -> None:
            if digest:
                lists.keep(tx, digest, served)
            agent = agents.get(tx, cluster)
            before = facts.of_text(agent.facts) if agent is not None else {}
            agents.tell_facts(tx, cluster, facts.text(facts.kept(before, said, known=bool(digest))))
            if digest != (old := before.get(apis.FACT, "")):
                # Nobody waits for the sweeper: an agent that tells ever new ones would fill the disk.
                lists.forget(tx, old)

        await self._store.write(write)

    async def _note(self, agent: Agent, hello: pb.Hello, told: str, taken: Seat | None) -> None:
        """Writes down what a Hello says, where it differs. `taken` is a seat with a new holder."""
        held = (
            hello.epoch,
            hello.generation,
            hello.set_digest,
            hello.holding_reason if hello.holding else "",
        )
        known = (agent.epoch, agent.generation, agent.set_digest, agent.holding)
        news = not agent.connected or (agent.version, agent.facts) != (hello.version, told)
        if not news and held == known and not agent.confirmed_epoch and taken is None:
            return
        now, life, cluster = self._clock(), self._store.epoch, agent.cluster

        def write(tx: Tx) -> None:
            if taken is not None:
                agents.sit(tx, cluster, taken)
            if news:
                agents.connected(tx, cluster, hello.version[:64], told, now)
            agents.held(tx, cluster, *held, life=life, now=now)

        await self._store.write(write)

    def _welcome(
        self, agent: Agent, generation: int, *, report_all: bool = False, tell_facts: bool = False
    ) -> bytes:
        return convert.welcome_to(
            epoch=self._store.epoch,
            generation=generation,
            beat_seconds=self._beat_seconds,
            version=self._version,
            report_all=report_all,
            confirmed_epoch=agent.confirmed_epoch,
            tell_facts=tell_facts,
        )

    async def _report(self, session: Session, report: pb.Report) -> None:
        cluster, now = session.cluster, self._clock()
        states = [reports.hashed(state) for state in convert.states_from(report)]
        everything = self._gather(session, report)

        def write(tx: Tx) -> None:
            reports.put(tx, cluster, states, now)
            if everything is not None:
                reports.retain(tx, cluster, everything)

        if states or everything is not None:
            await self._store.write(write)
        session.ack(report.number)

    def _gather(self, session: Session, report: pb.Report) -> set[str] | None:
        """The applications of a full report, once its last part is here."""
        if not report.full:
            session.full = None
            return None
        so_far = session.full or set()
        so_far.update(app.assignment for app in report.apps)
        if len(so_far) > MAX_FULL:
            raise Invalid(f"a full report of more than {MAX_FULL} applications")
        session.full = so_far if report.more else None
        return None if report.more else so_far

    async def _held(self, session: Session, held: pb.Held) -> None:
        session.epoch, session.generation, session.set_digest = held.epoch, held.generation, held.set_digest
        session.holding = held.holding
        cluster, reason = session.cluster, held.holding_reason if held.holding else ""
        life, now = self._store.epoch, self._clock()
        await self._store.write(
            lambda tx: agents.held(
                tx, cluster, held.epoch, held.generation, held.set_digest, reason, life=life, now=now
            )
        )

    async def _beat(self, session: Session) -> None:
        """Offers a set again that was not answered: on a stream nothing gets lost, beside it much can."""
        answered = (session.epoch, session.generation) == (self._store.epoch, session.offered)
        if (
            not answered
            and session.offered
            and not session.holding
            and time.monotonic() - session.pushed > self._beat_seconds
        ):
            await self.push([session.cluster])

    async def ask(self, cluster: str, question: bytes, seconds: float) -> bytes:
        """The agent's answer, packed. Raises as `Session.ask`; `Unavailable` where the cluster is not connected here."""
        session = self.sessions.get(cluster)
        if session is None or session.ended:
            raise Unavailable("the cluster is not connected")
        return await session.ask(question, seconds)

    async def push(self, clusters: Sequence[str]) -> None:
        """Reads the newest sets of these clusters in one go and hands each stream what its agent lacks."""
        sessions = {cluster: found for cluster in clusters if (found := self.sessions.get(cluster))}
        life = self._store.epoch
        bases = {c: one.generation if one.epoch == life else 0 for c, one in sessions.items()}
        if not bases:
            return
        offers = await self._store.read(lambda tx: _offers(tx, life, bases))
        now = time.monotonic()
        for cluster, (offer, parts) in offers.items():
            session = sessions[cluster]
            held = (session.epoch, session.generation, session.set_digest)
            if (offer.epoch, offer.generation, offer.set_digest) != held:
                session.push(offer.generation, parts, now)

    async def confirm(self, cluster: str) -> None:
        """Tells an agent that an operator confirmed this life of the hub."""
        session = self.sessions.get(cluster)
        if session is None:
            return
        agent, head = await self._store.read(lambda tx: (agents.get(tx, cluster), desired.head(tx, cluster)))
        if agent is not None and agent.confirmed_epoch:
            session.welcome(self._welcome(agent, max(head.generation, session.offered)))
            await self.push([cluster])


async def _read(context: Context) -> bytes | None:
    """The next message, None at the end of the stream."""
    raw: Any = await context.read()
    return None if raw is grpc.aio.EOF else raw


def _uncancel() -> None:
    task = asyncio.current_task()
    assert task is not None
    task.uncancel()


def _offers(tx: Tx, epoch: str, bases: Mapping[str, int]) -> dict[str, tuple[Offer, list[bytes]]]:
    return {c: (offer, convert.offer_to(offer)) for c, offer in desired.since(tx, epoch, bases).items()}


def _greet(tx: Tx, peer: Peer, cluster_uid: str, said: Mapping[str, str]) -> Greeting:
    agent = peers.admit(tx, peer)
    refusal = ""
    if agent.cluster_uid != cluster_uid:
        name = agents.name_of(tx, peer.cluster)
        refusal = (
            f"cluster {name} is bound to the Kubernetes cluster with kube-system uid {agent.cluster_uid}, and its key is "
            f"used by another one, with {cluster_uid[:128]}: was the agent's state copied? Revoke {name}, then join both anew"
        )
    known = lists.known(tx, said.get(apis.FACT, ""))
    head, digest = desired.head(tx, peer.cluster), reports.state_digest(tx, peer.cluster)
    return Greeting(agent, head, digest, refusal, known)
