"""Who gets in: tokens, certificates, second holders, revocation, renewal."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import linkbed
import pytest
from linkbed import Hub, Spoke, until

from agent.link import channels, fetch, join
from agent.state import identity
from agent.state.identity import Identity
from argosy import convert, tls, token
from argosy.errors import Forbidden, Invalid, NotFound, Unavailable
from argosy.v1 import link_pb2 as pb
from argosy.v1 import link_pb2_grpc as rpc
from hub.ca.authority import Authority
from hub.core.clusters import clusters
from hub.link.server import LinkConfig
from hub.store import agents


async def first_words(spoke: Spoke, hello: pb.Hello) -> pb.ConnectResponse:
    """Says Hello over a bare channel; returns the answer or raises one of our errors."""
    async with spoke.raw() as channel:
        call = rpc.LinkServiceStub(channel).Connect()
        try:
            await call.write(pb.ConnectRequest(hello=hello))
            async with asyncio.timeout(60):
                answer = await call.read()
        except grpc.aio.AioRpcError as error:
            raise channels.error_of(error) from None
        assert isinstance(answer, pb.ConnectResponse)
        return answer


def hello(uid: str, **more: Any) -> pb.Hello:
    numbers = {"protocol_min": convert.OLDEST_PROTOCOL, "protocol_max": convert.PROTOCOL, **more}
    return pb.Hello(cluster_uid=uid, version="test", **numbers)


async def test_a_key_is_made_by_the_agent_and_for_its_owner_only(hub: Hub, tmp_path: Path) -> None:
    spoke = Spoke(tmp_path / "a", "uid-a")
    await spoke.join(await hub.offer(await hub.cluster("a")))
    assert (spoke.folder / "key.pem").stat().st_mode & 0o777 == 0o600
    own = identity.load(spoke.folder)
    assert own is not None
    assert (own.cluster, own.name) == ("id-a", "a")
    assert own.lifetime == pytest.approx(86400, abs=2)


async def test_a_used_token_is_refused_but_its_user_may_ask_again(hub: Hub, tmp_path: Path) -> None:
    text = await hub.offer(await hub.cluster("a"))
    first = Spoke(tmp_path / "a", "uid-a")
    await first.join(text)
    await first.join(text)
    with pytest.raises(Forbidden, match="used already"):
        await Spoke(tmp_path / "b", "uid-a").join(text)


async def test_an_expired_token_is_refused(hub: Hub, tmp_path: Path) -> None:
    text = await hub.offer(await hub.cluster("a"), lifetime=0.01)
    await asyncio.sleep(0.02)
    with pytest.raises(Forbidden, match="expired"):
        await Spoke(tmp_path / "a", "uid-a").join(text)


async def test_a_token_lives_an_hour_at_most(hub: Hub) -> None:
    with pytest.raises(Invalid, match="at most 3600 s"):
        await hub.offer(await hub.cluster("a"), lifetime=3601)


async def test_nothing_is_signed_for_who_has_no_token(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = token.decode(await hub.offer(await hub.cluster("a")))

    def sign(*_: Any, **__: Any) -> None:
        raise AssertionError("it signs")

    monkeypatch.setattr(Authority, "cluster", sign)
    with pytest.raises(Forbidden, match="unknown to this hub"):
        await Spoke(tmp_path / "a", "uid-a").join(token.encode(replace(real, secret="made-up")))


async def test_a_token_of_another_hub_is_refused_by_both_sides(hub: Hub, tmp_path: Path) -> None:
    other = await linkbed.open_hub(tmp_path / "other")
    try:
        text = await other.offer(await other.cluster("a"))
        parsed = token.decode(text)
        here = f"127.0.0.1:{hub.server.enroll_port}"
        with pytest.raises(Invalid, match="the token is for the hub with CA"):
            await Spoke(tmp_path / "a", "uid-a").join(token.encode(replace(parsed, enroll=here)))
        with pytest.raises(Forbidden, match="unknown to this hub"):
            await Spoke(tmp_path / "b", "uid-b").join(
                token.encode(replace(parsed, enroll=here, ca=hub.ca.fingerprint))
            )
    finally:
        await other.close()


async def test_an_unreachable_hub_is_told_as_such(tmp_path: Path, hub: Hub) -> None:
    parsed = token.decode(await hub.offer(await hub.cluster("a")))
    with pytest.raises(Unavailable):
        await Spoke(tmp_path / "a", "uid-a").join(token.encode(replace(parsed, enroll="127.0.0.1:1")))


async def test_a_state_folder_that_cannot_be_written_is_told(hub: Hub, tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(Unavailable, match="state folder"):
        await Spoke(blocker / "state", "uid-a").join(await hub.offer(await hub.cluster("a")))


async def test_another_kubernetes_cluster_cannot_become_a_bound_one(hub: Hub, tmp_path: Path) -> None:
    cluster = await hub.cluster("a")
    await Spoke(tmp_path / "a", "uid-a").join(await hub.offer(cluster))
    with pytest.raises(Forbidden, match=r"bound to .* uid-a, another one with uid-b"):
        await Spoke(tmp_path / "b", "uid-b").join(await hub.offer(cluster))
    conditions = clusters.conditions(await hub.agent_row(cluster), hub.now())
    assert "uid-b" in next(c for c in conditions if c["type"] == "Quarantined")["message"]


async def test_one_kubernetes_cluster_cannot_join_under_two_names(hub: Hub, tmp_path: Path) -> None:
    await Spoke(tmp_path / "a", "uid-a").join(await hub.offer(await hub.cluster("a")))
    with pytest.raises(Forbidden, match="has joined as a already"):
        await Spoke(tmp_path / "b", "uid-a").join(await hub.offer(await hub.cluster("b")))


async def test_a_copied_state_folder_is_refused_on_another_cluster_and_both_sides_say_so(
    hub: Hub, tmp_path: Path
) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        with pytest.raises(Forbidden, match="was the agent's state copied"):
            await first_words(spoke, hello("uid-elsewhere"))
        row = await hub.agent_row("id-one")
        assert "uid-elsewhere" in row.quarantine
        assert spoke.connected


async def test_joining_anew_ends_the_old_key(hub: Hub, tmp_path: Path) -> None:
    cluster = await hub.cluster("a")
    old, new = Spoke(tmp_path / "old", "uid-a"), Spoke(tmp_path / "new", "uid-a")
    await old.join(await hub.offer(cluster))
    await new.join(await hub.offer(cluster))
    farewell = (await first_words(old, hello("uid-a"))).goodbye
    assert "holds its identity no longer" in farewell.reason
    assert farewell.second
    assert (await first_words(new, hello("uid-a"))).welcome.epoch == hub.store.epoch


async def test_no_certificate_no_link(hub: Hub) -> None:
    address = f"127.0.0.1:{hub.server.link_port}"
    async with channels.server_only(address, hub.ca.bundle) as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await rpc.LinkServiceStub(channel).Renew(pb.RenewRequest(), timeout=60)


async def test_a_certificate_of_another_ca_does_not_get_in(hub: Hub, tmp_path: Path) -> None:
    other = await linkbed.open_hub(tmp_path / "other")
    try:
        spoke = Spoke(tmp_path / "a", "uid-a")
        await spoke.join(await other.offer(await other.cluster("a")))
        own = identity.load(spoke.folder)
        assert own is not None
        forged = replace(own, link=f"127.0.0.1:{hub.server.link_port}", ca=hub.ca.bundle.decode())
        async with channels.mutual(forged, identity.key_in(spoke.folder)) as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await rpc.LinkServiceStub(channel).Renew(pb.RenewRequest(), timeout=60)
    finally:
        await other.close()


async def test_an_agent_reads_its_own_bundles_only(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path, "one") as one, linkbed.joined(hub, tmp_path, "two") as two:
        await hub.assign("id-one", "mine")
        await hub.assign("id-two", "yours")
        await until(lambda: one.generation == two.generation == 1, "both sets")
        assert one.keeper.desired is not None
        assert [a.id for a in one.keeper.desired.assignments] == ["mine"]
        assert two.keeper.desired is not None
        foreign = two.keeper.desired.assignments[0].bundle
        assert one.link is not None
        with pytest.raises(NotFound, match="not assigned to this cluster"):
            await fetch.fetch(one.link, foreign)


async def test_a_revoked_cluster_is_cut_at_once_and_does_not_come_back(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path, "one") as one, linkbed.joined(hub, tmp_path, "two") as two:
        began = time.monotonic()
        await hub.store.write(lambda tx: agents.revoke(tx, "id-one", hub.now()))
        await until(lambda: not one.connected and not hub.server.connected("id-one"), "the cut", 5.0)
        assert time.monotonic() - began < 5.0
        for refused in (first_words(one, hello("uid-one")), one.join(await hub.offer("nobody"))):
            with pytest.raises(Forbidden, match=r"revoked|deleted"):
                await refused
        assert two.connected
        # What would help is a new join of the same record.
        await one.join(await hub.offer("id-one"))
        assert (await first_words(one, hello("uid-one", instance=one.run))).HasField("welcome")


async def test_a_deleted_cluster_is_refused(hub: Hub, tmp_path: Path) -> None:
    spoke = Spoke(tmp_path / "a", "uid-a")
    await spoke.join(await hub.offer(await hub.cluster("a")))
    await hub.store.write(lambda tx: agents.forget(tx, "id-a"))
    with pytest.raises(Forbidden, match="deleted"):
        await first_words(spoke, hello("uid-a"))


@pytest.mark.parametrize(
    ("oldest", "newest", "ok"), [(1, 1, True), (1, 9, True), (2, 9, False), (-3, 0, False)]
)
async def test_protocol_numbers_meet_or_are_refused(
    hub: Hub, tmp_path: Path, oldest: int, newest: int, ok: bool
) -> None:
    spoke = Spoke(tmp_path / "a", "uid-a")
    await spoke.join(await hub.offer(await hub.cluster("a")))
    greeting = hello("uid-a", protocol_min=oldest, protocol_max=newest)
    if ok:
        assert (await first_words(spoke, greeting)).welcome.protocol == convert.PROTOCOL
    else:
        with pytest.raises(Exception, match="upgrade the"):
            await first_words(spoke, greeting)


async def test_renewal_moves_to_a_new_certificate_before_the_old_stream_goes(tmp_path: Path) -> None:
    hub = await linkbed.open_hub(tmp_path / "hub", LinkConfig(lifetime=60.0, beat=5))
    try:
        async with linkbed.joined(hub, tmp_path) as spoke:
            assert spoke.link is not None
            before = linkbed.fingerprint_of(spoke.folder)
            lost = []
            for round_ in range(3):
                await spoke.link.renew()
                await until(lambda n=round_: spoke.link.state.streams == n + 2, "the new stream")  # type: ignore[misc]
                lost.append(spoke.connected)
                await hub.assign("id-one", "a", content=str(round_))
                await until(lambda n=round_: spoke.generation == n + 1, "a set over the new stream")  # type: ignore[misc]
            assert lost == [True] * 3
            assert linkbed.fingerprint_of(spoke.folder) != before
            assert hub.server.count == 1
    finally:
        await hub.close()


async def test_a_stream_ends_with_its_certificate(tmp_path: Path) -> None:
    hub = await linkbed.open_hub(tmp_path / "hub", LinkConfig(lifetime=60.0, beat=30))
    try:
        async with linkbed.joined(hub, tmp_path) as spoke:
            hub.server._clock = lambda: time.time() + 61
            await until(
                lambda: spoke.link is not None and spoke.link.state.streams == 2, "a new stream", 10.0
            )
    finally:
        await hub.close()


async def test_an_agent_whose_certificate_ended_comes_back_by_its_key(hub: Hub, tmp_path: Path) -> None:
    cluster = await hub.cluster("a")
    spoke = Spoke(tmp_path / "a", "uid-a")
    await spoke.join(await hub.offer(cluster))
    own = identity.load(spoke.folder)
    assert own is not None
    identity.save(spoke.folder, replace(own, received=own.received - 2 * own.lifetime))
    await spoke.start()
    try:
        await until(lambda: spoke.connected, "it is back")
    finally:
        await spoke.stop()
    stranger = Spoke(tmp_path / "b", "uid-a")
    with pytest.raises(Forbidden, match="holds no cluster's identity"):
        await join.rejoin(stranger.folder, own, stranger.who, clock=time.time)


def test_a_renewal_is_due_at_two_thirds_of_the_life_and_spread() -> None:
    own = Identity("c", "n", "e", "l", "", "", received=1000.0, lifetime=900.0)
    assert own.renewal(0.0) == pytest.approx(1600.0)
    assert 1510.0 <= own.renewal(0.999) < 1600.0
    assert not own.ended(1899.0)
    assert own.ended(1900.0)


async def test_the_ca_may_change_while_agents_run(hub: Hub, tmp_path: Path) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        assert spoke.link is not None
        hub.ca.stage(hub.now())
        hub.server._identity.renew_when_due()
        await spoke.link.renew()
        await until(lambda: spoke.link is not None and spoke.link.state.streams == 2, "stream with both CAs")
        hub.ca.promote()
        hub.server._identity._issue()
        await spoke.link.renew()
        await until(
            lambda: spoke.link is not None and spoke.link.state.streams == 3, "stream under the new CA"
        )
        assert len(tls.split(spoke.link.identity.ca.encode())) == 2
        assert spoke.connected


async def test_an_agent_of_a_deleted_cluster_joins_by_a_new_token_and_keeps_what_it_holds(
    hub: Hub, tmp_path: Path
) -> None:
    async with linkbed.joined(hub, tmp_path) as spoke:
        await hub.assign("id-one", "app")
        await until(lambda: spoke.generation == 1, "the set is held")
        await spoke.stop()
        await hub.store.write(lambda tx: agents.forget(tx, "id-one"))
        text = await hub.offer(await hub.cluster("anew"))
        await spoke.start(offer=text)
        await until(lambda: spoke.connected, "it is in again")
        own = identity.load(spoke.folder)
        assert own is not None
        assert (own.cluster, own.name) == ("id-anew", "anew")
        # Of one life of the hub's, but the new record has said less than the old one had.
        assert (spoke.keeper.held.generation, spoke.keeper.held.reason) == (1, "EpochOlder")


async def test_a_token_is_not_looked_at_while_the_identity_is_good(hub: Hub, tmp_path: Path) -> None:
    text = await hub.offer(await hub.cluster("other"))
    for offered in (text, "argosy-join-damaged", "no token at all"):
        async with linkbed.joined(hub, tmp_path, f"to-{offered[-3:]}") as spoke:
            await spoke.stop()
            await spoke.start(offer=offered)
            await until(lambda spoke=spoke: spoke.connected, "it is in again")  # type: ignore[misc]
            own = identity.load(spoke.folder)
            assert own is not None
            assert own.name == f"to-{offered[-3:]}"
    await Spoke(tmp_path / "other", "uid-other").join(text)


async def test_a_key_that_lost_the_identity_does_not_take_it_back_by_the_token_it_came_by(
    hub: Hub, tmp_path: Path
) -> None:
    text = await hub.offer(await hub.cluster("a"))
    old, new = Spoke(tmp_path / "old", "uid-a"), Spoke(tmp_path / "new", "uid-a")
    await old.join(text)
    await new.join(await hub.offer("id-a"))
    link = await old.start(offer=text)
    try:
        await until(
            lambda: "another agent has joined" in link.state.error and link.state.attempts > 0, "the refusal"
        )
    finally:
        await old.stop()
    assert (await first_words(new, hello("uid-a"))).HasField("welcome")


async def test_a_token_of_another_hub_leads_there(hub: Hub, tmp_path: Path) -> None:
    other = await linkbed.open_hub(tmp_path / "other-hub")
    try:
        async with linkbed.joined(hub, tmp_path) as spoke:
            await spoke.stop()
            await spoke.start(offer=await other.offer(await other.cluster("there")))
            await until(lambda: other.server.connected("id-there"), "it is in at the other hub")
            own = identity.load(spoke.folder)
            assert own is not None
            assert own.name == "there"
    finally:
        await other.close()
