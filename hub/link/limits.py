"""What one agent may cost the hub, and how the link is tuned.

One cluster's trouble stays one row (docs/architecture.md, law 4).
"""

from __future__ import annotations

from dataclasses import dataclass

from argosy import convert

MAX_ENROLL_MESSAGE = 64 * 1024
HELLO_SECONDS = 15.0
"""How long a new stream may say nothing."""
BYE_SECONDS = 1.0
"""How long a peer has to take a Goodbye before its stream is cut without."""
MAX_ACKS = 64
MAX_ASKS = 8
"""Questions to one agent that wait for an answer at once."""
MAX_ANSWER = 4 * 1024 * 1024
"""Bytes of one answer as it travels."""
MAX_FETCHES = 8
"""Transfers at once for one cluster."""


@dataclass(frozen=True, slots=True)
class Quota:
    """Token buckets for what one stream may send: per second in the long run, and at once."""

    messages: float = 50.0
    messages_burst: float = 2000.0
    data: float = 4.0 * 1024 * 1024
    data_burst: float = 128.0 * 1024 * 1024


class Meter:
    """What is left of a quota on one stream. Times are monotonic seconds."""

    __slots__ = ("_data", "_messages", "_quota", "_then")

    def __init__(self, quota: Quota, now: float) -> None:
        self._quota = quota
        self._messages = quota.messages_burst
        self._data = quota.data_burst
        self._then = now

    def take(self, size: int, now: float) -> str:
        """Counts one message of `size` bytes; returns "" or what there is too much of."""
        quota, passed = self._quota, now - self._then
        self._then = now
        self._messages = min(self._messages + passed * quota.messages, quota.messages_burst) - 1
        self._data = min(self._data + passed * quota.data, quota.data_burst) - size
        if self._messages < 0:
            return "too many messages"
        return "too many bytes" if self._data < 0 else ""


LISTENER = [
    ("grpc.max_receive_message_length", convert.MAX_MESSAGE),
    ("grpc.max_concurrent_streams", MAX_FETCHES + 4),
    # An agent's beats tell that it lives; pings go only to one that has been silent for longer.
    ("grpc.keepalive_time_ms", 120_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    # Agents ping through proxies that cut idle connections; that is no abuse.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.http2.max_ping_strikes", 0),
    # Agents send little: measuring their bandwidth would cost a ping for each beat.
    ("grpc.http2.bdp_probe", 0),
    # A second hub on the same port is a mistake to be told, not a way to share the load.
    ("grpc.so_reuseport", 0),
]

ENROLL_LISTENER = [
    ("grpc.max_receive_message_length", MAX_ENROLL_MESSAGE),
    ("grpc.max_connection_age_ms", 60_000),
    ("grpc.so_reuseport", 0),
]
