"""The contract of a store backend, and what a committed change says about itself.

A job is a small function that takes a transaction: `await store.write(lambda tx: objects.put(tx, row))`. The noun
modules beside this file hold those functions; the backends differ only in how they run SQL. Many jobs share one
commit; a job that raises leaves no trace and does not disturb its neighbours. When `write` returns, the job's work
is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any, NamedTuple, Protocol, TypeVar

T = TypeVar("T")

Params = Sequence[Any]
Listener = Callable[[Sequence["Change"]], None]


def row_of(record: type) -> Callable[[Any], Params]:
    """Gives the fields of a dataclass's instances, in their order, as they are: `dataclasses.astuple` copies each value
    deeply, for eighty times the price.
    """
    getter: Callable[[Any], Params] = attrgetter(*(field.name for field in fields(record)))
    return getter


class Change(NamedTuple):
    """One committed change of an API object (or of what is shown in its status), in resourceVersion order.

    `verb` is "ADDED", "MODIFIED" or "DELETED"; `body` is the object's JSON as the write left it, or last was, sealed where
    the store seals it, and empty where the object itself was not written.
    """

    rv: int
    verb: str
    resource: str
    namespace: str
    name: str
    uid: str
    body: bytes = b""
    composed: bool = False
    """True where the object's own row is as it was, and only what is composed into it when read (an agent's report)
    changed: loops that act on what users want pass over it."""


class Tx(Protocol):
    """One transaction. Parameters are positional `?`."""

    def all(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]: ...

    def one(self, sql: str, params: Params = ()) -> tuple[Any, ...] | None: ...

    def run(self, sql: str, params: Params = ()) -> int:
        """Runs one statement; returns the number of rows it touched."""

    def many(self, sql: str, rows: Iterable[Params]) -> None: ...

    def next_rv(self) -> int:
        """The next resourceVersion: one counter for the whole store, never used twice, never going back."""

    def emit(self, change: Change) -> None:
        """Tells the listeners of `Store.listen` after the commit, in the order of emission."""

    def touch(self, topic: str) -> None:
        """Wakes who waits for a topic that is no API object, for example `desired:<cluster id>`, after the commit."""


class Store(Protocol):
    """Every method may be called from the event loop's thread only."""

    @property
    def epoch(self) -> str:
        """Names this life of the database; a restore mints a new one."""

    async def read(self, job: Callable[[Tx], T]) -> T:
        """Runs a job that only reads, on a consistent view of what is committed."""

    async def write(self, job: Callable[[Tx], T]) -> T:
        """Runs a job and returns its result when it is durable. Raises what the job raised, or `Unavailable`."""

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` on the event loop after each commit that emitted changes; returns what ends it."""

    def on_touch(self, prefix: str, callback: Callable[[str], None]) -> Callable[[], None]:
        """Calls `callback(topic)` on the event loop for each touched topic with the prefix; returns what ends it."""

    async def close(self) -> None: ...
