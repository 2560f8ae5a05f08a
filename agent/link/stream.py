"""One connection to the hub: Hello and Welcome, then reading and writing until it ends.

Nothing that a proxy or a broken line says changes anything here; only messages of the hub that proved
itself by its certificate do.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import grpc
import structlog

from agent.core.facts import Facts
from agent.link import channels
from agent.link.join import Self
from agent.link.ledger import Ledger, Taken
from agent.link.outbox import Outbox
from agent.state.standing import Standing
from argosy import apis, convert
from argosy.errors import ArgosyError, Conflict, Unavailable
from argosy.latest import Latest
from argosy.v1 import link_pb2 as pb
from argosy.v1 import link_pb2_grpc as rpc

log = structlog.get_logger("link")

WELCOME_SECONDS = 15.0
REASON_SECONDS = 1.0
ANSWERS = 8
"""Questions worked on at once."""
ANSWER_SECONDS = 120.0
ACK_SECONDS = 30.0
"""How long a report may go without an answer before it is sent again."""


class SentAway(Conflict):
    """The hub said Goodbye in place of a Welcome. `wait` is the seconds it asked for."""

    def __init__(self, message: str, wait: float) -> None:
        super().__init__(message)
        self.wait = wait


Reply = Callable[[bytes], Awaitable[bytes]]
"""A question -> its answer, packed. Raises our errors."""


async def silent(question: bytes) -> bytes:
    """The reply of an agent that answers nothing."""
    raise Unavailable("this agent answers no questions")


@dataclass(frozen=True)
class Desk:
    """What every stream of this agent speaks from, and where what it hears goes. `clock` gives Unix
    seconds.
    """

    who: Self
    facts: Latest[Facts]
    ledger: Ledger
    outbox: Outbox
    standing: Standing
    clock: Callable[[], float]
    patience: float = ACK_SECONDS
    reply: Reply = silent

    def hello(self, *, whole: bool = False) -> pb.ConnectRequest:
        """`whole` asks for the whole set, as an agent that holds nothing of this hub's."""
        held = self.ledger.held
        return pb.ConnectRequest(
            hello=pb.Hello(
                protocol_min=convert.OLDEST_PROTOCOL,
                protocol_max=convert.PROTOCOL,
                version=self.who.version,
                cluster_uid=self.who.cluster_uid,
                epoch=held.epoch,
                generation=0 if whole else held.generation,
                set_digest="" if whole else self.ledger.set_digest,
                facts=self.facts.value.named,
                state_digest=self.outbox.note(),
                holding=held.holding,
                holding_reason=held.reason,
                instance=self.standing.run,
                before=self.standing.before,
            )
        )

    def told(self) -> pb.ConnectRequest:
        """What is known of the cluster."""
        facts = self.facts.value
        return pb.ConnectRequest(facts=pb.Facts(facts=facts.named, apis=apis.pack(facts.served)))

    def held(self) -> pb.ConnectRequest:
        held = self.ledger.held
        return pb.ConnectRequest(
            held=pb.Held(
                epoch=held.epoch,
                generation=held.generation,
                set_digest=self.ledger.set_digest,
                holding=held.holding,
                holding_reason=held.reason,
            )
        )


class Stream:
    """One connection and its two tasks.

    `done` resolves with the seconds the hub asked to wait, or with an error.
    """

    def __init__(self, desk: Desk, channel: grpc.aio.Channel) -> None:
        self._desk = desk
        self.channel = channel
        self._call: grpc.aio.StreamStreamCall[pb.ConnectRequest, pb.ConnectResponse] | None = None
        self._beat = 20.0
        self._parts: list[pb.Desired] = []
        self._outgoing: list[pb.ConnectRequest] = []
        self.facts_said = desk.facts.version
        """The version of the facts that its Hello told."""
        self._tasks: list[asyncio.Task[float]] = []
        self._answering: set[asyncio.Task[None]] = set()
        self._farewell = ""
        self.done: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def open(self) -> None:
        """Says Hello and waits for the Welcome. Raises one of our errors."""
        self._call = rpc.LinkServiceStub(self.channel).Connect()
        try:
            async with asyncio.timeout(WELCOME_SECONDS):
                await self._call.write(self._desk.hello())
                first = await self._call.read()
                wait = await self._take(first)
        except TimeoutError:
            raise Unavailable(f"no Welcome within {WELCOME_SECONDS:g} s") from None
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            raise await self._reason(error) from None
        if wait is not None:
            raise SentAway(self._farewell, wait)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._read()), loop.create_task(self._write())]
        for task in self._tasks:
            task.add_done_callback(self._ended)

    async def leave(self, reason: str) -> None:
        """Says Goodbye, if the line still takes it, and closes."""
        broken = grpc.aio.AioRpcError, grpc.aio.BaseError, asyncio.InvalidStateError, TimeoutError
        with contextlib.suppress(*broken):
            async with asyncio.timeout(1.0):
                if self._call is not None:
                    await self._call.write(pb.ConnectRequest(goodbye=pb.Goodbye(reason=reason)))
                    await self._call.done_writing()
        await self.close()

    async def close(self) -> None:
        for task in (*self._tasks, *self._answering):
            task.cancel()
        if self._call is not None:
            self._call.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self.done.cancel() and not self.done.cancelled():
            # Looked at here, so that nobody has to who is not interested.
            self.done.exception()
        await self.channel.close()

    def tell_facts(self) -> None:
        """Sends what is known of the cluster, soon."""
        self._say(self._desk.told())

    def _ended(self, task: asyncio.Task[float]) -> None:
        if self.done.done() or task.cancelled():
            return
        error = task.exception()
        if error is None:
            self.done.set_result(task.result())
        else:
            self.done.set_exception(error)

    async def _read(self) -> float:
        assert self._call is not None
        try:
            while True:
                message = await self._call.read()
                wait = await self._take(message)
                if wait is not None:
                    return wait
        except grpc.aio.AioRpcError as error:
            raise await self._reason(error) from None

    async def _write(self) -> float:
        assert self._call is not None
        outbox = self._desk.outbox
        next_beat = time.monotonic() + self._pause()
        try:
            while True:
                outbox.changed.clear()
                messages, self._outgoing = self._outgoing, []
                messages += [pb.ConnectRequest(report=report) for report in outbox.next(time.monotonic())]
                for message in messages:
                    await self._call.write(message)
                    next_beat = time.monotonic() + self._pause()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, next_beat - time.monotonic())):
                        await outbox.changed.wait()
                outbox.overdue(time.monotonic(), self._desk.patience)
                if time.monotonic() >= next_beat:
                    self._outgoing.append(self._beats())
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
            # A Goodbye that is still to be read says more than the write that came too late.
            await asyncio.wait(self._tasks[:1], timeout=REASON_SECONDS)
            raise await self._reason(error) from None

    def _pause(self) -> float:
        """Seconds until the next sign of life: up to a quarter earlier than asked, so that beats spread."""
        return self._beat * (1.0 - 0.25 * random.random())

    def _beats(self) -> pb.ConnectRequest:
        return pb.ConnectRequest(beat=pb.Beat(time=self._desk.clock()))

    def _say(self, message: pb.ConnectRequest) -> None:
        self._outgoing.append(message)
        self._desk.outbox.changed.set()

    async def _take(self, message: pb.ConnectResponse | object) -> float | None:
        """Acts on one message. Returns seconds to wait where the hub said Goodbye, else None."""
        if not isinstance(message, pb.ConnectResponse):
            raise Unavailable("the hub ended the stream")
        kind = message.WhichOneof("message")
        if kind == "welcome":
            await self._welcomed(message.welcome)
        elif kind == "desired":
            await self._desired(message.desired)
        elif kind == "ack":
            self._desk.outbox.ack(message.ack.number)
        elif kind == "ask":
            self._asked(message.ask)
        elif kind == "nudge":
            log.warning("the hub asks whether this agent is there", reason=message.nudge.reason)
            self._say(self._beats())
        elif kind == "goodbye":
            goodbye = message.goodbye
            log.info("the hub said goodbye", reason=goodbye.reason, retry_after=goodbye.retry_after_seconds)
            self._farewell = goodbye.reason
            if goodbye.second:
                self._desk.standing.yield_to(goodbye.reason)
            return goodbye.retry_after_seconds * (0.5 + random.random())
        return None

    async def _welcomed(self, welcome: pb.Welcome) -> None:
        self._beat = float(max(1, welcome.beat_seconds or 20))
        self._desk.standing.accept()
        first = not self._tasks
        changed = await self._desk.ledger.meet(welcome.epoch, welcome.generation, welcome.confirmed_epoch)
        if first or welcome.report_all:
            self._desk.outbox.restart(report_all=welcome.report_all)
        if changed:
            self._say(self._desk.held())
        if welcome.tell_facts and self._desk.facts.value.served:
            self.tell_facts()

    async def _desired(self, part: pb.Desired) -> None:
        if self._parts and self._parts[0].generation != part.generation:
            self._parts.clear()
        self._parts.append(part)
        if part.more:
            return
        parts, self._parts = self._parts, []
        taken = await self._desk.ledger.take(convert.delta_from(parts))
        if taken is Taken.WHOLE_NEEDED:
            if part.base_generation == 0:
                raise Unavailable(f"set {part.generation} is not what its digest says")
            log.warning("asking for the whole set", generation=part.generation, base=part.base_generation)
            self._say(self._desk.hello(whole=True))
        else:
            self._say(self._desk.held())

    def _asked(self, ask: pb.Ask) -> None:
        """Answers beside all else, a few at a time; one that is too much is told so."""
        if len(self._answering) >= ANSWERS:
            busy = f"the agent answers {ANSWERS} questions already"
            self._say(pb.ConnectRequest(answer=pb.Answer(id=ask.id, error=busy)))
            return
        task = asyncio.get_running_loop().create_task(self._answer(ask))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, ask: pb.Ask) -> None:
        try:
            async with asyncio.timeout(max(0.1, min(ask.patience_ms / 1000, ANSWER_SECONDS))):
                data = await self._desk.reply(ask.question)
        except TimeoutError:
            # Nobody waits for it any more.
            return
        except ArgosyError as error:
            self._say(pb.ConnectRequest(answer=pb.Answer(id=ask.id, error=error.message[:1000])))
            return
        except Exception as error:
            log.exception("question not answered")
            self._say(pb.ConnectRequest(answer=pb.Answer(id=ask.id, error=type(error).__name__)))
            return
        for start in range(0, len(data), convert.PART):
            more = start + convert.PART < len(data)
            part = data[start : start + convert.PART]
            self._say(pb.ConnectRequest(answer=pb.Answer(id=ask.id, data=part, more=more)))

    async def _reason(self, error: Exception) -> ArgosyError:
        """Why the call ended, in the hub's words where it said some."""
        assert self._call is not None
        try:
            # A failed write says only that it failed; the call itself knows why.
            async with asyncio.timeout(REASON_SECONDS):
                return channels.error_for(await self._call.code(), await self._call.details() or "")
        except TimeoutError:
            return Unavailable(str(error))
