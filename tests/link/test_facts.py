"""What agents tell of their clusters: sent once, kept once for all that are alike, and never forgotten for a moment."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import linkbed
import pytest
from hypothesis import given
from hypothesis import strategies as st
from linkbed import Hub, until

from agent.core.facts import Facts
from argosy import apis
from argosy.errors import Invalid
from argosy.kinds import ApiKind, Gvk
from argosy.v1 import link_pb2 as pb
from hub.core.clusters import facts
from hub.core.clusters.facts import Named
from hub.link.limits import Quota
from hub.link.server import LinkConfig
from hub.loops.apps.kubes import Kubes
from hub.store import served

SERVED = ("apps/v1", "apps/v1/Deployment", "v1", "v1/Pod")
MORE = (*SERVED, "x.example.com/v1", "x.example.com/v1/X")


async def known(hub: Hub, cluster: str) -> tuple[str, tuple[str, ...] | None]:
    kube = await Kubes(hub.store).of(cluster)
    return kube.version, kube.apis


async def learns(hub: Hub, cluster: str, version: str, served: tuple[str, ...] | None) -> None:
    async def told() -> bool:
        return await known(hub, cluster) == (version, served)

    await until(told, f"{cluster} is known to serve {served}", 60)


async def lists(hub: Hub) -> int:
    found = await hub.store.read(lambda tx: tx.one("SELECT count(*) FROM served_apis"))
    return int(found[0]) if found else 0


async def test_a_list_is_asked_for_once_whoever_serves_it(hub: Hub, tmp_path: Path) -> None:
    touched: list[str] = []
    hub.store.on_touch("facts:", touched.append)
    async with linkbed.joined(hub, tmp_path) as one, linkbed.joined(hub, tmp_path, "two") as two:
        await learns(hub, "id-one", "v1.37.2", None)
        assert one.link is not None
        assert two.link is not None
        one.link.tell(Facts("v1.37.2", SERVED))
        two.link.tell(Facts("v1.37.2", SERVED))
        await learns(hub, "id-one", "v1.37.2", SERVED)
        await learns(hub, "id-two", "v1.37.2", SERVED)
        assert await lists(hub) == 1

        one.link.tell(Facts("v1.38.0", MORE))
        await learns(hub, "id-one", "v1.38.0", MORE)
        assert await known(hub, "id-two") == ("v1.37.2", SERVED)
        assert await lists(hub) == 2
        await hub.store.write(served.sweep)
        assert await lists(hub) == 2
        one.link.tell(Facts("v1.38.0", SERVED))
        await learns(hub, "id-one", "v1.38.0", SERVED)
        await hub.store.write(served.sweep)
        assert await lists(hub) == 1

        before = len(touched)
        one.link.tell(Facts("v1.38.0", SERVED))
        await one.stop()
        await one.start(facts=Facts("v1.38.0", SERVED))
        await until(lambda: one.connected, "connected again", 60)
        assert touched[before:] == [], "what is known already concerns nobody"


async def test_an_agent_that_tells_ever_new_lists_fills_nothing(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as one, linkbed.joined(hub, tmp_path, "two") as two:
        assert one.link is not None
        assert two.link is not None
        for spoke in (one, two):
            assert spoke.link is not None
            spoke.link.tell(Facts("v1.37.2", SERVED))
        await learns(hub, "id-one", "v1.37.2", SERVED)
        await learns(hub, "id-two", "v1.37.2", SERVED)
        for number in range(5):
            mine = (*SERVED, f"x{number}.example.com/v1")
            one.link.tell(Facts("v1.37.2", mine))
            await learns(hub, "id-one", "v1.37.2", mine)
            assert await lists(hub) == 2
        assert await known(hub, "id-two") == ("v1.37.2", SERVED)


async def test_lists_count_as_large_as_they_are_kept(tmp_path: Path) -> None:
    quota = Quota(data=0.001, data_burst=20_000)
    hub = await linkbed.open_hub(tmp_path / "hub", LinkConfig(quota=quota))
    try:
        async with linkbed.joined(hub, tmp_path) as spoke:
            assert spoke.link is not None
            spoke.link.tell(Facts("v1.37.2", SERVED))
            await learns(hub, "id-one", "v1.37.2", SERVED)
            # Packed it is a few hundred bytes.
            spoke.link.tell(Facts("v1.37.2", tuple(f"{'x' * 200}/{number:04}" for number in range(400))))
            await until(lambda: not spoke.connected, "the stream is ended", 60)
            assert await known(hub, "id-one") == ("v1.37.2", SERVED)
    finally:
        await hub.close()


async def test_an_agent_that_starts_does_not_make_its_cluster_one_without_apis(
    hub: Hub, tmp_path: Path
) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        assert spoke.link is not None
        spoke.link.tell(Facts("v1.37.2", SERVED))
        await learns(hub, "id-one", "v1.37.2", SERVED)
        await spoke.stop()
        await spoke.start(facts=Facts("v1.38.0"))
        await learns(hub, "id-one", "v1.38.0", SERVED)


async def test_what_changed_while_there_was_no_stream_is_told_on_the_next(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        await spoke.stop()
        link = await spoke.start(facts=Facts("v1.37.2", SERVED))
        await learns(hub, "id-one", "v1.37.2", SERVED)
        assert link.state.streams == 1


@pytest.mark.parametrize(
    ("said", "there", "kept"),
    [
        ({"kubernetes.apis": "new", "a": "1"}, True, {"kubernetes.apis": "new", "a": "1"}),
        ({"kubernetes.apis": "new", "a": "1"}, False, {"kubernetes.apis": "old", "a": "1"}),
        ({"a": "2"}, False, {"kubernetes.apis": "old", "a": "2"}),
        ({}, True, {"kubernetes.apis": "old"}),
    ],
)
def test_what_is_known_stays_until_something_else_is(said: Named, there: bool, kept: Named) -> None:
    assert facts.kept({"kubernetes.apis": "old", "a": "0"}, said, known=there) == kept
    rest = {name: value for name, value in said.items() if name != "kubernetes.apis" or there}
    assert facts.kept({}, said, known=there) == rest


def test_a_list_names_what_can_be_listed_and_watched() -> None:
    def kind(group: str, version: str, name: str, *verbs: str) -> ApiKind:
        return ApiKind(Gvk(group, version, name), name.lower() + "s", True, frozenset(verbs))

    kinds = [
        kind("", "v1", "Pod", "get", "list", "watch"),
        kind("", "v1", "Binding", "create"),
        kind("apps", "v1", "Deployment", "list", "watch"),
        kind("authorization.k8s.io", "v1", "SubjectAccessReview", "create"),
        kind("x.example.com", "v1" + "x" * 600, "X", "list", "watch"),
    ]
    assert apis.of(kinds) == SERVED
    many = [kind("x.example.com", "v1", f"K{number}", "list", "watch") for number in range(apis.MOST + 5)]
    assert len(apis.of(many)) == apis.MOST


@given(st.lists(st.text(min_size=1, max_size=40), max_size=50))
def test_a_list_arrives_as_it_was_sent(names: list[str]) -> None:
    assert apis.unpack(apis.pack(names)) == tuple(names)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        apis.pack(["a"])[:-3],
        apis.pack([1]),  # type: ignore[list-item]
        apis.pack([""]),
        apis.pack(["x" * (apis.LONGEST + 1)]),
        apis.pack(["x"] * (apis.MOST + 1)),
        apis.pack(["x" * 9_000_000]),
    ],
)
def test_what_is_no_list_is_refused(data: bytes) -> None:
    with pytest.raises(Invalid, match="APIs"):
        apis.unpack(data)


@pytest.mark.parametrize(
    ("said", "data"),
    [
        ({"kubernetes.apis": "sha256:other"}, apis.pack(SERVED)),
        ({"kubernetes.apis": apis.digest(SERVED)}, b"junk"),
        ({f"f{number}": "x" for number in range(facts.MOST + 1)}, b""),
    ],
)
async def test_facts_that_are_none_end_their_own_stream_and_change_nothing(
    hub: Hub, tmp_path: Path, said: dict[str, str], data: bytes
) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        link: Any = spoke.link
        link.tell(Facts("v1.37.2", SERVED))
        await learns(hub, "id-one", "v1.37.2", SERVED)
        streams = link.state.streams
        link._open._say(pb.ConnectRequest(facts=pb.Facts(facts=said, apis=data)))
        await until(lambda: link.state.streams > streams, "the stream ended, and the next began", 60)
        assert await known(hub, "id-one") == ("v1.37.2", SERVED)
