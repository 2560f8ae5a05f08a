"""One agent's open stream: what is to be written to it, and how it ends.

Nothing queues here. Of each kind of message only the newest waits, so a slow reader skips generations and
costs what it takes to hold one. A task exists only while there is something to write.
"""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field

import grpc
import structlog

from argosy import convert
from argosy.errors import Invalid, Unavailable
from argosy.v1 import link_pb2 as pb
from hub.link import limits
from hub.link.calls import Context
from hub.link.limits import Meter

log = structlog.get_logger("link")


@dataclass
class _Awaited:
    """An answer on its way."""

    done: asyncio.Future[bytes]
    data: bytearray = field(default_factory=bytearray)


class Session:
    """One stream from its first byte to its end.

    `expires` is when the peer's certificate ends (Unix seconds), `seen` when it was last heard (monotonic).
    `epoch`, `generation`, `set_digest` and `holding` are what the agent said of what it holds; it was offered
    generation `offered` at `pushed` (monotonic). `full` are the applications in a full report's parts so far.
    """

    __slots__ = (
        "_acks",
        "_asked",
        "_asks",
        "_context",
        "_cut",
        "_desired",
        "_goodbye",
        "_greeted",
        "_handler",
        "_nudge",
        "_welcome",
        "_writer",
        "cluster",
        "ended",
        "epoch",
        "expires",
        "full",
        "generation",
        "holding",
        "instance",
        "meter",
        "offered",
        "pushed",
        "seen",
        "set_digest",
        "status",
    )

    def __init__(self, context: Context, cluster: str, expires: float, meter: Meter, now: float) -> None:
        handler = asyncio.current_task()
        assert handler is not None
        self._handler = handler
        self._context = context
        self._welcome: bytes | None = None
        self._greeted = False
        self._desired: list[bytes] = []
        self._acks: list[int] = []
        self._asks: list[bytes] = []
        self._asked: dict[str, _Awaited] = {}
        self._goodbye: bytes | None = None
        self._nudge: bytes | None = None
        self._writer: asyncio.Task[None] | None = None
        self._cut: asyncio.TimerHandle | None = None
        self.cluster = cluster
        self.expires = expires
        self.meter = meter
        self.seen = now
        self.epoch = ""
        self.generation = 0
        self.set_digest = ""
        self.instance = ""
        self.holding = False
        self.offered = 0
        self.pushed = now
        self.full: set[str] | None = None
        self.ended = ""
        self.status = grpc.StatusCode.OK

    def welcome(self, message: bytes) -> None:
        self._welcome = message
        self._kick()

    def nudge(self, reason: str) -> None:
        """Asks for a sign of life."""
        self._nudge = convert.nudge_to(reason)
        self._kick()

    def ack(self, number: int) -> None:
        """Says that a report is durable.

        Of many that the peer does not read the oldest are left out: it asks again.
        """
        self._acks.append(number)
        del self._acks[: -limits.MAX_ACKS]
        self._kick()

    def push(self, generation: int, parts: list[bytes], now: float) -> None:
        """Offers a set, in the place of one not written yet.

        One that was read before a newer one is passed over.

        The parts of an unfinished one the agent throws away.
        """
        if generation < self.offered:
            return
        self._desired, self.offered, self.pushed = parts, generation, now
        self._kick()

    async def ask(self, question: bytes, seconds: float) -> bytes:
        """Asks the agent and waits. Raises `Unavailable` where no answer comes in time, where the stream ends, or where
        too many questions wait already; `Invalid` in the agent's words where it has none.
        """
        if len(self._asked) >= limits.MAX_ASKS:
            raise Unavailable(f"{limits.MAX_ASKS} questions to this cluster wait for an answer already")
        name = secrets.token_hex(8)
        awaited = self._asked[name] = _Awaited(asyncio.get_running_loop().create_future())
        self._asks.append(convert.ask_to(name, question, seconds))
        self._kick()
        try:
            async with asyncio.timeout(seconds):
                return await awaited.done
        except TimeoutError:
            raise Unavailable(f"the cluster's agent did not answer within {seconds:g} s") from None
        finally:
            self._asked.pop(name, None)

    def answered(self, answer: pb.Answer) -> None:
        """Takes in a part of an answer; one that nobody waits for any more is passed over."""
        awaited = self._asked.get(answer.id)
        if awaited is None or awaited.done.done():
            return
        awaited.data += answer.data
        if answer.error:
            awaited.done.set_exception(Invalid(answer.error[:1000]))
        elif len(awaited.data) > limits.MAX_ANSWER:
            awaited.done.set_exception(Invalid(f"an answer of more than {limits.MAX_ANSWER} bytes"))
        elif not answer.more:
            awaited.done.set_result(bytes(awaited.data))

    def end(
        self, reason: str, status: grpc.StatusCode, retry_after: int = 0, *, second: bool = False
    ) -> None:
        """Says Goodbye and ends the stream; one that does not take it is cut after `limits.BYE_SECONDS`.

        `second` tells the agent that another one acts for its cluster.
        """
        if self.ended:
            return
        self.ended, self.status = reason, status
        self._goodbye = convert.goodbye_to(reason, retry_after, second=second)
        self._cut = self._handler.get_loop().call_later(limits.BYE_SECONDS, self._handler.cancel)
        self._kick()

    def close(self) -> None:
        """The handler is through: nothing is written any more."""
        for awaited in self._asked.values():
            if not awaited.done.done():
                awaited.done.set_exception(Unavailable("the cluster's agent went away"))
        if self._writer is not None:
            self._writer.cancel()
        if self._cut is not None:
            self._cut.cancel()

    def _kick(self) -> None:
        if self._writer is None:
            self._writer = self._handler.get_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while (message := self._next()) is not None:
                await self._context.write(message)
        except Exception as error:
            log.debug("stream not writable", cluster=self.cluster, error=str(error))
        finally:
            self._writer = None
        if self._cut is not None:
            self._cut.cancel()
            self._handler.cancel()

    def _next(self) -> bytes | None:
        """What is written next: the end before all else, then the Welcome, then answers, then the set."""
        if self._goodbye is not None:
            message, self._goodbye = self._goodbye, None
            self._welcome, self._nudge, self._desired, self._acks, self._asks = None, None, [], [], []
            return message
        if self._welcome is not None:
            message, self._welcome, self._greeted = self._welcome, None, True
            return message
        if not self._greeted:
            # Whoever has something to say may know of the stream before its greeting is made.
            return None
        if self._nudge is not None:
            message, self._nudge = self._nudge, None
            return message
        if self._acks:
            return convert.ack_to(self._acks.pop(0))
        if self._asks:
            return self._asks.pop(0)
        return self._desired.pop(0) if self._desired else None
