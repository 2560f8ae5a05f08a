"""Equal lists at one moment are made once, and never behind what was written before they were asked for."""

from __future__ import annotations

import asyncio
import time

import hubs
import orjson
import pytest

from hub.api import listing
from hub.api.listing import Lister, Page, restricted, selection
from hub.api.negotiate import Form
from hub.api.show import Viewer
from hub.core.served import table
from hub.store.resources import Resources
from hub.store.sqlite import SqliteStore


class Counted(Lister):
    made = 0

    async def _page(self, *asked: object) -> Page:
        self.made += 1
        return await super()._page(*asked)  # type: ignore[arg-type]


async def names(lister: Lister, *, alike: bool = True, **query: str) -> list[str]:
    wanted = selection(table.CONFIG_MAP, "argocd", query)
    page = await lister.page(table.CONFIG_MAP, wanted, query, Form(), alike=alike)
    return [item["metadata"]["name"] for item in orjson.loads(page.body)["items"]]


async def put(store: SqliteStore, written: Resources, name: str) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "argocd"}}
    await store.write(
        lambda tx: written.create(tx, table.CONFIG_MAP, manifest, manager="test", now=time.time())
    )


async def test_many_who_ask_at_once_are_answered_by_one_reading(
    store: SqliteStore, written: Resources
) -> None:
    lister = Counted(store, Viewer(written), time.time)
    await put(store, written, "one")
    found = await asyncio.gather(*(names(lister) for _ in range(20)))
    assert all("one" in each for each in found)
    assert lister.made == 1
    await asyncio.gather(names(lister), names(lister, limit="5"), names(lister, labelSelector="a=b"))
    assert lister.made == 3


async def test_what_was_written_before_the_question_is_in_the_answer(
    store: SqliteStore, written: Resources
) -> None:
    lister = Counted(store, Viewer(written), time.time)

    async def writer(number: int) -> None:
        for turn in range(10):
            await put(store, written, f"cm-{number}-{turn}")
            assert f"cm-{number}-{turn}" in await names(lister)

    await asyncio.gather(*(writer(number) for number in range(6)))


async def test_who_may_see_less_is_never_answered_with_more(store: SqliteStore, written: Resources) -> None:
    lister = Counted(store, Viewer(written), time.time)
    await put(store, written, "mine")
    await put(store, written, "yours")
    assert {"mine", "yours"} <= set(await names(lister))
    wanted = restricted(
        selection(table.CONFIG_MAP, "argocd", {}), lambda manifest: manifest["metadata"]["name"] == "mine"
    )
    page = await lister.page(table.CONFIG_MAP, wanted, {}, Form())
    assert [item["metadata"]["name"] for item in orjson.loads(page.body)["items"]] == ["mine"]


async def test_an_answer_is_kept_for_a_moment_and_no_longer(
    store: SqliteStore, written: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "SAME_SECONDS", 0.5)
    lister = Counted(store, Viewer(written), time.time)
    await names(lister)
    assert len(lister._last) == 1
    await hubs.until(lambda: not lister._last, "it is let go")
    await names(lister)
    assert lister.made == 2
