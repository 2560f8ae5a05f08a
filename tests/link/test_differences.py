"""A bundle comes as the difference to what is here, where the hub gave it, and whole in every other case."""

from __future__ import annotations

import os
from pathlib import Path

import grpc
import linkbed
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from linkbed import Hub, Spoke, until

from agent.link import fetch
from agent.link.fetch import Base
from argosy import bundle
from argosy.errors import Invalid
from argosy.objects import Manifest
from argosy.v1 import link_pb2 as pb
from argosy.v1 import link_pb2_grpc as rpc
from hub.store import bundles, desired, history
from hub.store.base import Tx
from hub.store.history import Changed, Release

MIB = 1024 * 1024


def objects_of(number: int, changed: int = -1) -> list[Manifest]:
    """About 1.4 KB each that do not compress."""
    return [
        linkbed.config_map(f"cm-{one}", ("changed" if one == changed else f"{one:06d}" * 4) + _noise(one))
        for one in range(number)
    ]


_NOISE = os.urandom(4096).hex()


def _noise(number: int) -> str:
    start = number * 7 % 6000
    return _NOISE[start : start + 1200] + f"{number * 2654435761 % 2**32:08x}" * 8


@given(
    st.lists(st.binary(max_size=300), max_size=30),
    st.lists(st.binary(max_size=300), max_size=30),
    st.integers(0, 2**32),
)
@settings(max_examples=60, deadline=None)
def test_a_difference_makes_the_new_of_the_old(old: list[bytes], new: list[bytes], seed: int) -> None:
    mixed = [*old[: seed % 7], *new, *old[seed % 5 :]]
    pairs = [bundle.pack([{"v": one.hex()} for one in found]) for found in (old, mixed)]
    (before, first), (after, second) = pairs
    base = bundle.raw_of(first, before)
    changes = bundle.difference(base, bundle.raw_of(second, after))
    assert changes is not None
    assert bundle.unpack(bundle.patched(base, changes, after), after) == bundle.unpack(second, after)


@pytest.mark.parametrize("number", [700, 7000], ids=["1 MiB", "10 MiB"])
def test_one_changed_object_is_a_small_difference(number: int) -> None:
    raws = []
    for changed in (-1, number // 2):
        digest, blob = bundle.pack(objects_of(number, changed))
        raws.append(bundle.raw_of(blob, digest))
    assert len(raws[0]) > number / 700 * 0.9 * MIB
    changes = bundle.difference(*raws)
    assert changes is not None
    assert len(changes) < 10_000


def test_a_difference_to_something_else_is_found_out() -> None:
    (first, one), (second, two) = (bundle.pack(objects_of(20, changed)) for changed in (-1, 3))
    base = bundle.raw_of(one, first)
    changes = bundle.difference(base, bundle.raw_of(two, second))
    assert changes is not None
    for wrong in (base[:-1], b"x" + base, base.replace(b"cm-3", b"cm-4"), b""):
        try:
            made = bundle.patched(wrong, changes, second)
        except Invalid:
            continue
        assert bundle.unpack(made, second) == objects_of(20, 3), "what was not looked at may be otherwise"
    with pytest.raises(Invalid):
        bundle.patched(b"", changes, second)


async def two_releases(hub: Hub, *, had: bool = True) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    """The bundle that the cluster had and the one it has; `had` False: the first was another cluster's."""
    found = []
    for number, changed in enumerate((-1, 5)):
        digest, blob = bundle.pack(objects_of(300, changed))
        found.append((digest, blob))
        cluster = "id-one" if had or number else "id-other"

        def job(
            tx: Tx, digest: str = digest, blob: bytes = blob, cluster: str = cluster, number: int = number
        ) -> None:
            bundles.put(tx, digest, blob, hub.now())
            release = Release(f"r{number}", "big", number, "argocd", f"big-{number}", hub.now())
            history.add(tx, release, [Changed("big", "big", cluster, digest, "")])
            desired.change(tx, "id-one", put=[linkbed.assignment("big", digest)])

        await hub.store.write(job)
    return found[0], found[1]


async def sent(spoke: Spoke, digest: str, base: str) -> list[pb.FetchResponse]:
    """What the hub sends for a bundle, with a base or none."""
    assert spoke.link is not None
    call = rpc.LinkServiceStub(await spoke.link.channel()).Fetch(pb.FetchRequest(digest=digest, base=base))
    found: list[pb.FetchResponse] = []
    while (piece := await call.read()) is not grpc.aio.EOF:
        assert isinstance(piece, pb.FetchResponse)
        found.append(piece)
    return found


async def test_what_changed_is_sent_and_nothing_else(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        (old, old_blob), (new, new_blob) = await two_releases(hub)
        await until(lambda: spoke.generation == 2, "the set")
        assert spoke.link is not None
        got = await fetch.fetch(spoke.link, new, Base(old, bundle.raw_of(old_blob, old)))
        assert bundle.unpack(got, new) == bundle.unpack(new_blob, new)
        pieces = await sent(spoke, new, old)
        assert {piece.base for piece in pieces} == {old}
        assert sum(len(piece.data) for piece in pieces) < 10_000


async def test_the_difference_to_what_the_cluster_never_had_is_not_told(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        (old, _), (new, new_blob) = await two_releases(hub, had=False)
        await until(lambda: spoke.generation == 2, "the set")
        for base in (old, "sha256:" + "0" * 64, new):
            pieces = await sent(spoke, new, base)
            assert {piece.base for piece in pieces} == {""}
            assert b"".join(piece.data for piece in pieces) == new_blob


async def test_an_agent_whose_base_is_not_what_it_should_be_gets_the_whole(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        (old, _), (new, new_blob) = await two_releases(hub)
        await until(lambda: spoke.generation == 2, "the set")
        assert spoke.link is not None
        assert await fetch.fetch(spoke.link, new, Base(old, b"[]")) == new_blob
