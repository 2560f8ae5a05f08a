"""The embedded backend: one SQLite file, one writer thread, group commit.

Jobs that are asked for at one moment, or while a commit is on its way, share one, so a thousand small writes cost a few
fsyncs and a few hand-overs between threads. Each job runs in a savepoint: one that raises is undone alone. Reads run in
a small thread pool on connections of their own; in WAL mode they see the last commit and never wait for the writer.
"""

from __future__ import annotations

import asyncio
import queue
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import sqlite_utils
import structlog

from argosy.errors import Internal, Unavailable
from hub.store import migrations
from hub.store.base import Change, Listener, Params

T = TypeVar("T")

MAX_JOBS_PER_COMMIT = 512
"""Bounds how long the first job of a batch waits for the last."""

log = structlog.get_logger("store")


class SqliteTx:
    """The `Tx` contract over one connection."""

    def __init__(self, connection: sqlite3.Connection, rv: int = 0) -> None:
        self._connection = connection
        self.rv = rv
        self.changes: list[Change] = []
        self.topics: list[str] = []

    def all(self, sql: str, params: Params = ()) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, params).fetchall()

    def one(self, sql: str, params: Params = ()) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._connection.execute(sql, params).fetchone()
        return row

    def run(self, sql: str, params: Params = ()) -> int:
        return self._connection.execute(sql, params).rowcount

    def many(self, sql: str, rows: Iterable[Params]) -> None:
        self._connection.executemany(sql, rows)

    def next_rv(self) -> int:
        self.rv += 1
        return self.rv

    def emit(self, change: Change) -> None:
        self.changes.append(change)

    def touch(self, topic: str) -> None:
        self.topics.append(topic)


class _Job:
    """A queued write with the future that waits for its commit."""

    __slots__ = ("error", "future", "loop", "result", "run")

    def __init__(self, run: Callable[[Any], Any], loop: asyncio.AbstractEventLoop) -> None:
        self.run = run
        self.loop = loop
        self.future: asyncio.Future[Any] = loop.create_future()
        self.result: Any = None
        self.error: BaseException | None = None

    def resolve(self) -> None:
        if self.future.cancelled():
            return
        if self.error is not None:
            self.future.set_exception(self.error)
        else:
            self.future.set_result(self.result)


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    """A connection set up as the store wants it: autocommit by hand, WAL, every commit on disk before it is answered."""
    uri = f"file:{path}?mode={'ro' if readonly else 'rwc'}"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    connection.execute("PRAGMA busy_timeout = 5000")
    if not readonly:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
    return connection


class SqliteStore:
    """The `Store` contract. Make it with `open_store`."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, epoch: str, rv: int, readers: int = 2
    ) -> None:
        self._path = path
        self._epoch = epoch
        self._saved_rv = rv
        self._tx = SqliteTx(connection, rv)
        self._jobs: queue.SimpleQueue[list[_Job] | None] = queue.SimpleQueue()
        self._gathered: list[_Job] = []
        """Jobs of this moment, not handed over yet."""
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = [connection]
        self._readers = ThreadPoolExecutor(readers, thread_name_prefix="store-read")
        self._listeners: list[Listener] = []
        self._touched: list[tuple[str, Callable[[str], None]]] = []
        self._closed = False
        self._writer = threading.Thread(target=self._write_loop, name="store-write", daemon=True)
        self._writer.start()

    @property
    def epoch(self) -> str:
        return self._epoch

    async def read(self, job: Callable[[Any], T]) -> T:
        if self._closed:
            raise Unavailable("the store is closed")
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, job)

    async def write(self, job: Callable[[Any], T]) -> T:
        if self._closed:
            raise Unavailable("the store is closed")
        item = _Job(job, loop := asyncio.get_running_loop())
        if not self._gathered:
            loop.call_soon(self._hand_over)
        self._gathered.append(item)
        result: T = await item.future
        return result

    def _hand_over(self) -> None:
        """Gives the writer what was asked for since the event loop's last turn."""
        if self._gathered:
            gathered, self._gathered = self._gathered, []
            self._jobs.put(gathered)

    def listen(self, listener: Listener) -> Callable[[], None]:
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def on_touch(self, prefix: str, callback: Callable[[str], None]) -> Callable[[], None]:
        entry = (prefix, callback)
        self._touched.append(entry)
        return lambda: self._touched.remove(entry)

    async def close(self) -> None:
        """Finishes queued writes, then closes the file. Later calls raise `Unavailable`."""
        if self._closed:
            return
        self._closed = True
        self._hand_over()
        self._jobs.put(None)
        await asyncio.to_thread(self._writer.join)
        self._readers.shutdown(wait=True)
        for connection in self._opened:
            connection.close()

    def _read(self, job: Callable[[Any], T]) -> T:
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = connect(self._path, readonly=True)
            self._opened.append(connection)
        try:
            connection.execute("BEGIN")
            return job(SqliteTx(connection))
        except sqlite3.Error as error:
            raise Unavailable(f"store: {error}") from None
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _write_loop(self) -> None:
        ending = False
        while not ending and (waiting := self._jobs.get()) is not None:
            while len(waiting) < MAX_JOBS_PER_COMMIT and not self._jobs.empty():
                more = self._jobs.get()
                if more is None:
                    ending = True
                    break
                waiting += more
            for start in range(0, len(waiting), MAX_JOBS_PER_COMMIT):
                self._commit(waiting[start : start + MAX_JOBS_PER_COMMIT])

    def _commit(self, batch: list[_Job]) -> None:
        tx = self._tx
        tx.rv, tx.changes, tx.topics = self._saved_rv, [], []
        try:
            tx.run("BEGIN IMMEDIATE")
            for item in batch:
                self._run(item)
            if tx.rv != self._saved_rv:
                tx.run("UPDATE meta SET value = ? WHERE key = 'rv'", (str(tx.rv),))
            tx.run("COMMIT")
            self._saved_rv = tx.rv
        except sqlite3.Error as error:
            log.error("commit failed", error=str(error))
            self._rollback()
            tx.changes, tx.topics = [], []
            for item in batch:
                item.error = item.error or Unavailable(f"store: {error}")
        self._answer(batch, tx.changes, tx.topics)

    def _run(self, item: _Job) -> None:
        """One job in a savepoint. A failing disk is raised, since it concerns the whole batch."""
        tx = self._tx
        rv, changes, topics = tx.rv, len(tx.changes), len(tx.topics)
        tx.run("SAVEPOINT job")
        try:
            item.result = item.run(tx)
        except sqlite3.OperationalError:
            raise
        except BaseException as error:
            item.error = Internal(f"store: {error}") if isinstance(error, sqlite3.Error) else error
            tx.run("ROLLBACK TO job")
            tx.rv = rv
            del tx.changes[changes:], tx.topics[topics:]
        tx.run("RELEASE job")

    def _rollback(self) -> None:
        try:
            self._tx.run("ROLLBACK")
        except sqlite3.Error:
            log.debug("nothing to roll back")

    def _answer(self, batch: list[_Job], changes: list[Change], topics: list[str]) -> None:
        """Resolves the futures and tells listeners, in that order, on the loop that asked."""

        def tell() -> None:
            for item in batch:
                item.resolve()
            if changes:
                for listener in tuple(self._listeners):
                    listener(changes)
            for topic in dict.fromkeys(topics):
                for prefix, callback in tuple(self._touched):
                    if topic.startswith(prefix):
                        callback(topic)

        loop = batch[0].loop
        if not loop.is_closed():
            loop.call_soon_threadsafe(tell)


def open_store(path: Path) -> SqliteStore:
    """Opens or makes the database file. Raises `Invalid` for one written by a newer Argosy, `Unavailable` for a damaged one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        connection = connect(path)
        path.chmod(0o600)
        migrations.apply(sqlite_utils.Database(connection))
        connection.execute(
            "INSERT OR IGNORE INTO meta (key, value) VALUES ('epoch', ?), ('rv', '0')", (new_epoch(),)
        )
        meta = dict(connection.execute("SELECT key, value FROM meta").fetchall())
    except sqlite3.Error as error:
        raise Unavailable(f"store {path}: {error}") from None
    return SqliteStore(path, connection, meta["epoch"], int(meta["rv"]))


def new_epoch() -> str:
    """A name that no other life of any database has."""
    return secrets.token_hex(8)
