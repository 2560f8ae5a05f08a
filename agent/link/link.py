"""The agent's end of the link for as long as it runs: one stream is kept, renewed and resumed.

When the certificate is renewed, the new connection is made before the old one goes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import grpc
import structlog

from agent.core.facts import Facts
from agent.link import channels, join
from agent.link.join import Self
from agent.link.ledger import Ledger
from agent.link.outbox import Outbox
from agent.link.stream import ACK_SECONDS, Desk, Reply, SentAway, Stream, silent
from agent.state import identity
from agent.state.identity import Identity
from agent.state.standing import Standing
from argosy import backoff, token
from argosy.errors import ArgosyError, Conflict, Forbidden, Internal, Invalid, Unavailable
from argosy.latest import Latest
from argosy.token import JoinToken

log = structlog.get_logger("link")

Dial: TypeAlias = Callable[[Identity, bytes], grpc.aio.Channel]
"""Makes the channel to the link from an identity and its key."""

STEADY_SECONDS = 10.0
"""A stream that lasted this long was a good one: the next break is tried again at once."""
REFUSED_CAP = 300.0
"""The longest wait where the hub itself refuses this agent."""


@dataclass
class LinkState:
    """What the health page shows. `since` is Unix seconds of the last change of `connected`."""

    connected: bool = False
    since: float = 0.0
    error: str = ""
    attempts: int = 0
    renewed: int = 0
    streams: int = 0


class Link:
    """Keeps the stream to the hub.

    `folder` holds the identity, `standing` is this run's (None: a new one on the folder), `clock` gives Unix seconds,
    `base` and `cap` bound the pause between two tries.
    """

    def __init__(
        self,
        folder: Path,
        who: Self,
        ledger: Ledger,
        outbox: Outbox,
        *,
        facts: Facts | None = None,
        clock: Callable[[], float] = time.time,
        dial: Dial = channels.mutual,
        base: float = 0.5,
        cap: float = 30.0,
        patience: float = ACK_SECONDS,
        reply: Reply = silent,
        offer: str = "",
        standing: Standing | None = None,
    ) -> None:
        loaded = identity.load(folder)
        if loaded is None:
            raise Internal(f"{folder} has no identity: join first")
        self._folder = folder
        self._who = who
        self._identity = loaded
        self._key = identity.key_in(folder)
        self._clock = clock
        self._base, self._cap = base, cap
        self._dial = dial
        self.ledger = ledger
        self.outbox = outbox
        self.standing = standing or Standing(folder)
        known = Latest(facts or Facts())
        self._desk = Desk(who, known, ledger, outbox, self.standing, clock, patience, reply)
        self._offer = offer
        self.state = LinkState()
        self._open: Stream | None = None
        self._opened = asyncio.Event()
        self._reload = asyncio.Event()

    @property
    def identity(self) -> Identity:
        return self._identity

    def tell(self, facts: Facts) -> None:
        """What is known of the cluster from now on; the hub is told where it differs."""
        if facts == self._desk.facts.value:
            return
        self._desk.facts.set(facts)
        if self._open is not None:
            self._open.tell_facts()

    async def channel(self) -> grpc.aio.Channel:
        """The channel of the open stream; waits until there is one."""
        while self._open is None:
            await self._opened.wait()
        return self._open.channel

    async def run(self) -> None:
        """Connects and connects again until cancelled."""
        attempt = 0
        await self._join_another_hub()
        while True:
            began, wait = time.monotonic(), 0.0
            try:
                with channels.heeding():
                    wait = await self._connected(attempt)
            except ArgosyError as error:
                self._note(error)
                self.standing.undecided()
                joined = await self._join_anew(error)
                if isinstance(error, SentAway):
                    wait = 0.0 if joined else error.wait
                elif isinstance(error, Forbidden | Conflict) and not joined:
                    wait = backoff.full_jitter(attempt, random.random(), base=5.0, cap=REFUSED_CAP)
            except Exception:
                # A fault of ours must not end the agent's care for its cluster; the next stream is the retry.
                log.exception("stream broke")
            attempt = 0 if time.monotonic() - began > STEADY_SECONDS else attempt + 1
            self.state.attempts = attempt
            pause = backoff.full_jitter(attempt, random.random(), base=self._base, cap=self._cap)
            await asyncio.sleep(wait + pause)

    async def renew(self) -> None:
        """Gets a new certificate and moves the stream to it.

        Raises as `join.renew` does; the old stream goes on.
        """
        channel = await self.channel()
        self._identity = await join.renew(self._folder, self._identity, channel, clock=self._clock)
        self.state.renewed += 1
        self._reload.set()

    async def _connected(self, attempt: int) -> float:
        """One stream, and those that follow it without a gap, until one breaks.

        Returns seconds the hub asked to wait.
        """
        if self._identity.ended(self._clock()) or (attempt % 4 == 3 and not self.standing.second.value):
            # A certificate that ended looks like a line that is dead; the hub's clock decides, not ours.
            await self._rejoin()
        stream = await self._start()
        try:
            while not await self._until_reload(stream):
                try:
                    newer = await self._start()
                except ArgosyError as error:
                    log.warning("stream not renewed, the old one goes on", error=error.message)
                    await asyncio.sleep(backoff.full_jitter(2, random.random()))
                    self._reload.set()
                    continue
                await stream.close()
                stream = newer
            return stream.done.result()
        except asyncio.CancelledError:
            await stream.leave("shutdown")
            raise
        finally:
            self._shut(stream)
            await stream.close()

    async def _until_reload(self, stream: Stream) -> bool:
        """Waits until the stream is done (True) or there is a new certificate to go on with (False)."""
        reload = asyncio.ensure_future(self._reload.wait())
        try:
            await asyncio.wait((stream.done, reload), return_when=asyncio.FIRST_COMPLETED)
        finally:
            reload.cancel()
        self._reload.clear()
        return stream.done.done()

    def _offered(self) -> JoinToken | None:
        """The token that may still be used: neither the one the identity came by, nor one that was refused."""
        if not self._offer:
            return None
        try:
            offered = token.decode(self._offer)
            if join.is_news(offered, self._identity):
                return offered
        except Invalid as error:
            log.warning("the join token is not looked at", error=error.message)
        self._offer = ""
        return None

    async def _join_another_hub(self) -> bool:
        """Leaves for the hub that the token is for, where that is another one than the identity's."""
        offered = self._offered()
        if offered is None or not join.of_another_hub(offered, self._identity):
            return False
        return await self._take_offer()

    async def _join_anew(self, error: ArgosyError) -> bool:
        """A new identity by the token, after the hub refused the old one or while the token's hub was away."""
        if isinstance(error, Forbidden | SentAway) and self._offered() is not None:
            return await self._take_offer()
        return await self._join_another_hub()

    async def _take_offer(self) -> bool:
        """What the agent holds stays, and with it what it knows of the hub before: it holds on to that until an operator
        confirms the new hub.
        """
        try:
            self._identity = await join.join(self._folder, self._offer, self._who, clock=self._clock)
        except Unavailable as error:
            log.warning("the hub of the join token cannot be reached yet", error=error.message)
            return False
        except ArgosyError as error:
            log.warning("not joined by the token, the identity stays", error=error.message)
            self._offer = ""
            return False
        self._offer = ""
        return True

    async def _rejoin(self) -> None:
        try:
            self._identity = await join.rejoin(self._folder, self._identity, self._who, clock=self._clock)
        except ArgosyError as error:
            if self._identity.ended(self._clock()):
                raise
            log.debug("no certificate by the old key", error=error.message)

    async def _start(self) -> Stream:
        """Opens a stream up to its Welcome and makes it the current one."""
        stream = Stream(self._desk, self._dial(self._identity, self._key))
        try:
            with channels.heeding():
                await stream.open()
        except BaseException:
            await stream.close()
            raise
        self._open = stream
        self._opened.set()
        if stream.facts_said != self._desk.facts.version:
            stream.tell_facts()
        self.state.streams += 1
        if not self.state.connected:
            self.state.connected, self.state.since, self.state.error = True, self._clock(), ""
            log.info("connected", hub=self._identity.link)
        return stream

    def _shut(self, stream: Stream) -> None:
        if self._open is stream:
            self._open = None
            self._opened.clear()
        if self.state.connected:
            self.state.connected, self.state.since = False, self._clock()

    def _note(self, error: ArgosyError) -> None:
        if error.message != self.state.error:
            log.warning("no stream to the hub", error=error.message)
        self.state.error = error.message
