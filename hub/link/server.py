"""The agents' door: two listeners, and the few timers that all streams share."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import grpc
import structlog

from argosy import questions, tls
from argosy.errors import ArgosyError, Unavailable
from argosy.questions import Question
from hub.ca import authority
from hub.ca.authority import Authority
from hub.link import calls, limits
from hub.link.connect import Switchboard
from hub.link.enroll import Registrar
from hub.link.fetch import Loans, Warehouse
from hub.link.limits import Quota
from hub.store import agents, grants
from hub.store.base import Store

log = structlog.get_logger("link")

SWEEP_SECONDS = 2.0
HOUR = 3600.0
PUSH_BATCH = 200
"""Clusters whose sets are read in one go: large enough to share the trip, small enough for the first to
leave soon.
"""


@dataclass(frozen=True, slots=True)
class LinkConfig:
    """`link` and `enroll` are HOST:PORT to listen at (port 0: any).

    `names` are further host names and IPs that agents use. Times are seconds: `lifetime` of agents'
    certificates, `beat` between two signs of life, `grace` from the end of a stream until its cluster
    counts as not Ready.
    """

    link: str = "127.0.0.1:0"
    enroll: str = "127.0.0.1:0"
    names: tuple[str, ...] = ()
    lifetime: float = 86400.0
    beat: int = 20
    grace: float = 20.0
    quota: Quota = field(default_factory=Quota)
    version: str = ""


class LinkServer:
    """Serves agents from `start` to `stop`. `clock` gives Unix seconds."""

    def __init__(
        self, store: Store, ca: Authority, config: LinkConfig, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._ca = ca
        self._config = config
        self._clock = clock
        self._board = Switchboard(
            store,
            trust_domain=ca.trust_domain,
            version=config.version,
            beat_seconds=config.beat,
            quota=config.quota,
            grace=config.grace,
            clock=clock,
        )
        self._loans = Loans()
        self._servers: list[grpc.aio.Server] = []
        self._dirty: dict[str, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._pushing = False
        self._undo: list[Callable[[], None]] = []
        self._swept = 0.0
        self._identity = _Identity(ca, config, clock)
        self.link_port = 0
        self.enroll_port = 0

    async def start(self) -> None:
        """Listens. Raises `Unavailable` where an address cannot be had."""
        registrar = Registrar(self._store, self._ca, lifetime=self._config.lifetime, clock=self._clock)
        warehouse = Warehouse(self._store, self._ca.trust_domain, self._loans)
        enroll = calls.handlers(
            "argosy.v1.EnrollService", Enroll=grpc.unary_unary_rpc_method_handler(registrar.enroll)
        )
        link = calls.handlers(
            "argosy.v1.LinkService",
            Connect=grpc.stream_stream_rpc_method_handler(self._board.connect),
            Renew=grpc.unary_unary_rpc_method_handler(registrar.renew),
            Fetch=grpc.unary_stream_rpc_method_handler(warehouse.fetch),
        )
        config, own = self._config, self._identity
        self.link_port = await self._listen(config.link, link, limits.LISTENER, own.credentials(mutual=True))
        self.enroll_port = await self._listen(
            config.enroll, enroll, limits.ENROLL_LISTENER, own.credentials(mutual=False)
        )
        awaited = await self._store.read(agents.still_connected)
        self._board.lost.update(dict.fromkeys(awaited, time.monotonic()))
        self._undo = [
            self._store.on_touch("desired:", self._changed),
            self._store.on_touch("revoked:", self._revoked),
            self._store.on_touch("confirmed:", self._confirmed),
        ]
        self._spawn(self._sweep())
        log.info("link listens", link=self.link_port, enroll=self.enroll_port)

    async def stop(self, grace: float = 3.0) -> None:
        """Says Goodbye to every agent and ends. `grace` is the seconds that calls under way may take."""
        while self._undo:
            self._undo.pop()()
        for session in tuple(self._board.sessions.values()):
            session.end("shutdown", grpc.StatusCode.UNAVAILABLE, 1)
        servers, self._servers = self._servers, []
        await asyncio.gather(*(server.stop(grace) for server in servers))
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def connected(self, cluster: str) -> bool:
        """True while the cluster has an open stream here."""
        return cluster in self._board.sessions

    async def ask(self, cluster: str, question: Question, seconds: float) -> dict[str, Any]:
        """The answer of a cluster's agent. Raises `Unavailable` where none comes, `Invalid` in the agent's words.

        A bundle that the question is about may be fetched by that cluster for a while.
        """
        if question.bundle:
            self._loans.lend(cluster, question.bundle, time.monotonic())
        packed = await self._board.ask(cluster, questions.encode(question), seconds)
        return await asyncio.to_thread(questions.unpacked, packed)

    def seen(self, cluster: str) -> float:
        """Unix seconds of the last message of a connected cluster, 0 where it is not connected here."""
        session = self._board.sessions.get(cluster)
        return self._clock() - (time.monotonic() - session.seen) if session else 0.0

    @property
    def count(self) -> int:
        """Open streams."""
        return len(self._board.sessions)

    async def _listen(
        self,
        address: str,
        handler: grpc.GenericRpcHandler,
        options: list[tuple[str, int]],
        credentials: grpc.ServerCredentials,
    ) -> int:
        server = grpc.aio.server(options=options)
        server.add_generic_rpc_handlers((handler,))
        try:
            port = server.add_secure_port(address, credentials)
        except RuntimeError as error:
            raise Unavailable(f"{address}: cannot listen there: {error}") from None
        await server.start()
        self._servers.append(server)
        return port

    def _changed(self, topic: str) -> None:
        cluster = topic.removeprefix("desired:")
        if cluster in self._board.sessions:
            self._dirty[cluster] = None
            if not self._pushing:
                self._pushing = True
                self._spawn(self._push())

    async def _push(self) -> None:
        try:
            while self._dirty:
                batch = list(self._dirty)[:PUSH_BATCH]
                for cluster in batch:
                    del self._dirty[cluster]
                await self._board.push(batch)
        except ArgosyError as error:
            # The streams concerned ask again with their next Hello.
            log.error("sets not read", error=error.message)
            for cluster in batch:
                if session := self._board.sessions.get(cluster):
                    session.end("the hub's store does not answer", grpc.StatusCode.UNAVAILABLE, 5)
        finally:
            self._pushing = False

    def _revoked(self, topic: str) -> None:
        self._board.revocations += 1
        session = self._board.sessions.get(topic.removeprefix("revoked:"))
        if session is not None:
            session.end("revoked", grpc.StatusCode.PERMISSION_DENIED, 3600)

    def _confirmed(self, topic: str) -> None:
        self._spawn(self._board.confirm(topic.removeprefix("confirmed:")))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _sweep(self) -> None:
        """Everything that happens by time, for all streams at once."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._sweep_once()
            except ArgosyError as error:
                log.warning("sweep failed", error=error.message)
            except Exception:
                # It has to go on whatever happens: without it nobody is ever called offline again.
                log.exception("sweep broke")

    async def _sweep_once(self) -> None:
        now, wall = time.monotonic(), self._clock()
        silent = 3.0 * self._config.beat
        for session in tuple(self._board.sessions.values()):
            if now - session.seen > silent:
                session.end("silent for too long", grpc.StatusCode.DEADLINE_EXCEEDED)
            elif wall > session.expires:
                session.end("the certificate ended", grpc.StatusCode.UNAUTHENTICATED)
        gone = [c for c, since in self._board.lost.items() if now - since > self._config.grace]
        if gone:
            seen = [(c, wall - (now - self._board.lost[c])) for c in gone]
            await self._store.write(lambda tx: agents.lost(tx, seen, wall))
            for cluster in gone:
                self._board.lost.pop(cluster, None)
        await self._board.seating.sweep(wall)
        if now - self._swept > HOUR:
            self._swept = now
            self._identity.renew_when_due()
            await self._store.write(lambda tx: grants.sweep(tx, wall))


class _Identity:
    """The listeners' own certificate, renewed while they run, and the CAs they trust."""

    def __init__(self, ca: Authority, config: LinkConfig, clock: Callable[[], float]) -> None:
        self._ca = ca
        self._clock = clock
        self._names = names_for(config)
        self._issue()

    def renew_when_due(self) -> None:
        if self._clock() - self._made > authority.SERVER_LIFE * 2 / 3 or self._bundle != self._ca.bundle:
            self._issue()

    def credentials(self, *, mutual: bool) -> grpc.ServerCredentials:
        """Server credentials that take up a renewed certificate at the next handshake."""
        served = self._made

        def fetch() -> Any:
            nonlocal served
            if served == self._made:
                # Documented as "no change", though the type stubs do not know it.
                return None
            served = self._made
            return self._configuration(mutual)

        return grpc.dynamic_ssl_server_credentials(
            self._configuration(mutual), fetch, require_client_authentication=mutual
        )

    def _issue(self) -> None:
        self._made = self._clock()
        self._bundle = self._ca.bundle
        self._pair = self._ca.server(self._names, self._made)

    def _configuration(self, mutual: bool) -> grpc.ServerCertificateConfiguration:
        pair = [(self._pair.key, self._pair.certificate)]
        return grpc.ssl_server_certificate_configuration(pair, self._bundle if mutual else None)


def names_for(config: LinkConfig) -> list[str]:
    """Host names and IPs that the listeners' certificate is good for."""
    names = ["localhost", "127.0.0.1", "::1", socket.gethostname(), *config.names]
    for address in (config.link, config.enroll):
        host, _ = tls.split_address(address)
        if not _is_wildcard(host):
            names.append(host)
    return names


def _is_wildcard(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
