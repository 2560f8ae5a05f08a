"""The promises of a store. Every backend passes this suite; a subclass gives `make`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from argosy.errors import Conflict, Unavailable
from hub.store import objects
from hub.store.base import Change, Store, Tx
from hub.store.objects import Row

Make = Callable[[], Awaitable[Store]]


def stamp(body: bytes, rv: int) -> bytes:
    return body


def row(name: str, body: bytes = b"{}", **more: object) -> Row:
    return Row("argoproj.io/applications", "argocd", name, f"uid-{name}", body, **more)  # type: ignore[arg-type]


class StoreSuite:
    """Subclass it with a fixture `make` that opens the same store anew each time it is awaited."""

    @pytest.fixture
    async def store(self, make: Make) -> AsyncIterator[Store]:
        store = await make()
        yield store
        await store.close()

    async def test_what_was_answered_is_there_after_reopening(self, store: Store, make: Make) -> None:
        await store.write(lambda tx: objects.put(tx, row("a", b"1"), expected_rv=None, stamp=stamp))
        await store.close()
        again = await make()
        found = await again.read(lambda tx: objects.get(tx, "argoproj.io/applications", "argocd", "a"))
        await again.close()
        assert found is not None
        assert found.body == b"1"

    async def test_a_job_that_raises_leaves_no_trace_and_spoils_no_neighbour(self, store: Store) -> None:
        def bad(tx: Tx) -> None:
            objects.put(tx, row("bad"), expected_rv=None, stamp=stamp)
            raise ValueError("no")

        good = [
            store.write(lambda tx, n=n: objects.put(tx, row(f"good-{n}"), expected_rv=None, stamp=stamp))
            for n in range(5)
        ]
        seen: list[Change] = []
        store.listen(seen.extend)
        outcomes = await asyncio.gather(*good[:2], store.write(bad), *good[2:], return_exceptions=True)
        assert [type(outcome) for outcome in outcomes] == [Row, Row, ValueError, Row, Row, Row]
        assert await store.read(lambda tx: objects.count(tx, "argoproj.io/applications")) == 5
        assert {change.name for change in seen} == {f"good-{n}" for n in range(5)}

    async def test_changes_come_in_the_order_of_their_versions_and_no_version_comes_twice(
        self, store: Store
    ) -> None:
        seen: list[Change] = []
        store.listen(seen.extend)
        await asyncio.gather(
            *(
                store.write(lambda tx, n=n: objects.put(tx, row(f"o{n}"), expected_rv=None, stamp=stamp))
                for n in range(50)
            )
        )
        versions = [change.rv for change in seen]
        assert versions == sorted(set(versions))
        assert len(versions) == 50
        assert await store.read(objects.newest_rv) == versions[-1]

    async def test_versions_go_on_after_reopening(self, store: Store, make: Make) -> None:
        first = await store.write(lambda tx: objects.put(tx, row("a"), expected_rv=None, stamp=stamp))
        await store.write(lambda tx: objects.delete(tx, first, stamp=stamp))
        last = await store.read(objects.newest_rv)
        await store.close()
        again = await make()
        second = await again.write(lambda tx: objects.put(tx, row("b"), expected_rv=None, stamp=stamp))
        await again.close()
        assert second.rv > last

    async def test_a_writer_with_an_old_version_is_refused(self, store: Store) -> None:
        first = await store.write(lambda tx: objects.put(tx, row("a", b"1"), expected_rv=None, stamp=stamp))
        await store.write(lambda tx: objects.put(tx, row("a", b"2"), expected_rv=first.rv, stamp=stamp))
        with pytest.raises(Conflict):
            await store.write(lambda tx: objects.put(tx, row("a", b"3"), expected_rv=first.rv, stamp=stamp))
        with pytest.raises(Conflict):
            await store.write(lambda tx: objects.delete(tx, first, stamp=stamp))
        with pytest.raises(Conflict):
            await store.write(lambda tx: objects.put(tx, row("a", b"4"), expected_rv=None, stamp=stamp))
        found = await store.read(lambda tx: objects.get(tx, "argoproj.io/applications", "argocd", "a"))
        assert found is not None
        assert found.body == b"2"

    async def test_pages_follow_each_other_without_gap_or_repetition(self, store: Store) -> None:
        names = [f"o{n:02}" for n in range(23)]
        for name in names:
            await store.write(lambda tx, name=name: objects.put(tx, row(name), expected_rv=None, stamp=stamp))
        seen: list[str] = []
        after = ("", "")
        while page := await store.read(
            lambda tx, after=after: objects.page(tx, "argoproj.io/applications", after=after, limit=5)
        ):
            seen += [found.name for found in page]
            after = (page[-1].namespace, page[-1].name)
        assert seen == names

    async def test_a_whole_list_is_what_its_pages_are(
        self, store: Store, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(objects, "_AT_ONCE", 7)
        places = ["", "x", "argocd"]
        names = [*(f"n{number}" for number in range(40)), "\u00e4", "Z", "a.b", "a-b", "\u20ac", "\U0001f600"]

        def job(tx: Tx) -> None:
            for number, name in enumerate(names):
                body = f'{{"name":"{name}\\u0000"}}'.encode()
                one = Row("x/y", places[number % 3], name, f"uid-{number}", body, owner="o" * (number % 2))
                objects.put(tx, one, expected_rv=None, stamp=lambda body, rv: body)

        await store.write(job)
        for place in (None, *places, "none"):
            whole, paged = await store.read(
                lambda tx, place=place: (objects.listed(tx, "x/y", place), objects.page(tx, "x/y", place))
            )
            assert whole == paged

    async def test_a_read_sees_one_moment(self, store: Store) -> None:
        await store.write(lambda tx: objects.put(tx, row("a"), expected_rv=None, stamp=stamp))
        loop = asyncio.get_running_loop()

        def look_twice(tx: Tx) -> tuple[int, int]:
            before = objects.count(tx, "argoproj.io/applications")
            put = store.write(lambda inner: objects.put(inner, row("b"), expected_rv=None, stamp=stamp))
            asyncio.run_coroutine_threadsafe(put, loop).result(10)
            return before, objects.count(tx, "argoproj.io/applications")

        assert await store.read(look_twice) == (1, 1)
        assert await store.read(lambda tx: objects.count(tx, "argoproj.io/applications")) == 2

    async def test_topics_wake_their_listeners_after_the_commit_and_only_them(self, store: Store) -> None:
        heard: list[str] = []
        other: list[str] = []
        end = store.on_touch("desired:", heard.append)
        store.on_touch("revoked:", other.append)
        await store.write(lambda tx: tx.touch("desired:c1"))
        await asyncio.sleep(0)
        assert heard == ["desired:c1"]
        end()
        await store.write(lambda tx: tx.touch("desired:c2"))
        await asyncio.sleep(0)
        assert heard == ["desired:c1"]
        assert other == []

    async def test_a_closed_store_says_so(self, store: Store) -> None:
        await store.close()
        with pytest.raises(Unavailable):
            await store.write(lambda tx: None)
        with pytest.raises(Unavailable):
            await store.read(lambda tx: None)

    async def test_a_cancelled_writer_leaves_the_store_at_work(self, store: Store) -> None:
        waiting = asyncio.ensure_future(
            store.write(lambda tx: objects.put(tx, row("a"), expected_rv=None, stamp=stamp))
        )
        await asyncio.sleep(0)
        waiting.cancel()
        await store.write(lambda tx: objects.put(tx, row("b"), expected_rv=None, stamp=stamp))
        assert await store.read(lambda tx: objects.get(tx, "argoproj.io/applications", "argocd", "b"))
