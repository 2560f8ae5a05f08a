"""Who changed what, when: one row for each mutation, written in the transaction of the change itself."""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields

from hub.store.base import Tx


@dataclass(frozen=True, slots=True)
class Record:
    """One mutation. `time` is Unix seconds, `code` the HTTP status answered, `agent` the client and its
    command.
    """

    time: float
    username: str
    verb: str
    resource: str
    namespace: str
    name: str
    code: int
    agent: str = ""


_COLUMNS = ", ".join(field.name for field in fields(Record))


def put(tx: Tx, record: Record) -> None:
    places = ", ".join("?" * len(fields(Record)))
    tx.run(f"INSERT INTO audit ({_COLUMNS}) VALUES ({places})", astuple(record))


def newest(tx: Tx, limit: int) -> list[Record]:
    """The newest records, newest first."""
    return [
        Record(*row) for row in tx.all(f"SELECT {_COLUMNS} FROM audit ORDER BY id DESC LIMIT ?", (limit,))
    ]


def sweep(tx: Tx, before: float) -> None:
    """Forgets records older than a time."""
    tx.run("DELETE FROM audit WHERE time < ?", (before,))
