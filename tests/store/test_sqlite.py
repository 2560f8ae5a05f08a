"""SQLite keeps the promises of a store, and those of its own: schema, damage, a full disk."""

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from store_suite import Make, StoreSuite, row, stamp

from argosy.errors import Invalid, Unavailable
from hub.store import objects, sqlite
from hub.store.base import Store, Tx


class TestSqlite(StoreSuite):
    @pytest.fixture
    def make(self, tmp_path: Path) -> Make:
        async def open_again() -> Store:
            return sqlite.open_store(tmp_path / "hub.db")

        return open_again


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    await sqlite.open_store(tmp_path / "hub.db").close()
    with sqlite3.connect(tmp_path / "hub.db") as database:
        database.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('argosy', '9999_later', '')"
        )
    with pytest.raises(Invalid, match=r"newer Argosy.*9999_later"):
        sqlite.open_store(tmp_path / "hub.db")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hub.db").write_bytes(b"not a database" * 100)
    with pytest.raises(Unavailable, match=r"hub\.db"):
        sqlite.open_store(tmp_path / "hub.db")


async def test_a_full_disk_refuses_the_write_and_spoils_nothing(tmp_path: Path) -> None:
    """`max_page_count` makes SQLite meet a full disk where the test wants it."""
    store = sqlite.open_store(tmp_path / "hub.db")
    await store.write(lambda tx: objects.put(tx, row("a", b"1"), expected_rv=None, stamp=stamp))
    used = (await store.write(lambda tx: tx.one("PRAGMA page_count")) or (0,))[0]
    await store.write(lambda tx: tx.one(f"PRAGMA max_page_count = {used + 2}"))
    with pytest.raises(Unavailable, match="full"):
        await store.write(lambda tx: objects.put(tx, row("b", b"x" * 100_000), expected_rv=None, stamp=stamp))
    assert await store.read(lambda tx: objects.count(tx, "argoproj.io/applications")) == 1
    await store.write(lambda tx: tx.one("PRAGMA max_page_count = 1000000"))
    await store.write(lambda tx: objects.put(tx, row("b", b"x" * 100_000), expected_rv=None, stamp=stamp))
    assert await store.read(lambda tx: objects.count(tx, "argoproj.io/applications")) == 2
    await store.close()


async def test_writes_of_one_moment_share_a_commit_and_one_that_fails_is_undone_alone(tmp_path: Path) -> None:
    store = sqlite.open_store(tmp_path / "hub.db")
    commits: list[list[str]] = []
    store.listen(lambda changes: commits.append([change.name for change in changes]))

    def put(name: str) -> Callable[[Tx], object]:
        return lambda tx: objects.put(tx, row(name), expected_rv=None, stamp=stamp)

    def fail(tx: Tx) -> None:
        put("bad")(tx)
        raise Invalid("no")

    jobs = [put("a"), fail, put("b"), put("c")]
    outcomes = await asyncio.gather(*(store.write(job) for job in jobs), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if isinstance(outcome, Exception)] == [Invalid]
    assert commits == [["a", "b", "c"]]
    await store.write(put("d"))
    assert commits == [["a", "b", "c"], ["d"]]
    await store.close()


async def test_what_was_asked_for_before_the_end_is_still_written(tmp_path: Path) -> None:
    store = sqlite.open_store(tmp_path / "hub.db")
    asked = asyncio.gather(
        *(
            store.write(lambda tx, n=n: objects.put(tx, row(f"o{n}"), expected_rv=None, stamp=stamp))  # type: ignore[misc]
            for n in range(sqlite.MAX_JOBS_PER_COMMIT + 3)
        )
    )
    await asyncio.sleep(0)
    await store.close()
    await asked
    again = sqlite.open_store(tmp_path / "hub.db")
    count = await again.read(lambda tx: objects.count(tx, "argoproj.io/applications"))
    assert count == sqlite.MAX_JOBS_PER_COMMIT + 3
    await again.close()


WRITER = """
import asyncio, pathlib, sys
from hub.store import objects, sqlite
async def main():
    store = sqlite.open_store(pathlib.Path(sys.argv[1]))
    async def one(n):
        row = objects.Row("x/y", "", f"o{n}", f"u{n}", b"{}")
        await store.write(lambda tx: objects.put(tx, row, expected_rv=None, stamp=lambda body, rv: body))
        print(n, flush=True)
    n = 0
    while True:
        await asyncio.gather(*(one(n + k) for k in range(20)))
        n += 20
asyncio.run(main())
"""


def _kill_a_writer(path: Path) -> list[int]:
    """Kills a process in the middle of its writes; the numbers of those that were answered."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        answered = [int(writer.stdout.readline()) for _ in range(500)]
        writer.kill()
        return answered + [int(line) for line in writer.stdout.read().splitlines() if line]


async def test_every_answered_write_survives_a_kill(tmp_path: Path) -> None:
    answered = await asyncio.to_thread(_kill_a_writer, tmp_path / "hub.db")
    store = sqlite.open_store(tmp_path / "hub.db")
    kept = {found.name for found in await store.read(lambda tx: objects.page(tx, "x/y"))}
    await store.close()
    assert len(answered) >= 500
    assert {f"o{n}" for n in answered} <= kept
