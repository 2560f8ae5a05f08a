"""Gates that rollouts ask: bounded, by themselves, and never passed early."""

from __future__ import annotations

import asyncio
import itertools
import time

import aiohttp
import hubs
import rolling
from aiohttp import web
from hubs import Repo
from obedient import Obedient
from rolling import appset, policy, reaches, stage

from hub.assembly import Hub
from hub.core.rollout.model import Gate
from hub.core.served import table
from hub.gates.base import Answer
from hub.loops.rollouts.gatekeeping import Asking


async def test_a_stage_waits_for_an_answer_that_is_good_often_enough(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    asked: list[float] = []
    good = False

    async def check(request: web.Request) -> web.Response:
        asked.append(time.monotonic())
        return web.Response(status=200 if good else 503)

    app = web.Application()
    app.router.add_get("/check", check)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/check"
    try:
        gate = {"name": "smoke", "every": "1s", "count": 2, "http": {"url": url}}
        stages = (stage("canary", "canary", gates={"after": [gate]}), stage("rest"))
        await hubs.add(hub, table.ROLLOUT_POLICY, policy(*stages))
        await hubs.add(hub, table.APPLICATION_SET, appset(repo))

        async def told() -> bool:
            found = (await rolling.status(hub, "fleet-1")).get("blockers") or [{}]
            return found[0].get("reason") == "gate smoke: answered 503, expected 2xx"

        await hubs.until(told, "the status says what the gate said")
        await hubs.until(lambda: len(asked) >= 3, "it is asked again and again")
        assert sorted(await rolling.bundles(hub, fleet)) == ["c1"]
        assert all(later - earlier > 0.9 for earlier, later in itertools.pairwise(asked)), "once a second"
        good = True
        asked.clear()
        await reaches(hub, "fleet-1", phase="Completed")
        assert len(asked) == 2
    finally:
        await runner.cleanup()


async def test_what_a_gate_was_asked_before_a_rollout_began_again_says_nothing_of_it(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    """A slow answer of the first attempt comes once the second one waits at the same gate."""
    waiting: asyncio.Queue[asyncio.Future[bool]] = asyncio.Queue()

    async def check(gate: Gate, asking: Asking) -> Answer:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiting.put_nowait(answer)
        return Answer(await answer, "said")

    hub.mover._ask = check
    gate = {"name": "smoke", "every": "1s", "http": {"url": "http://127.0.0.1:1/"}}
    stages = (stage("canary", "canary", gates={"after": [gate]}), stage("rest"))
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*stages))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    async with asyncio.timeout(60):
        first = await waiting.get()
    await rolling.act(hub, "fleet-1", "abort")
    await reaches(hub, "fleet-1", phase="Aborted")
    await rolling.act(hub, "fleet-1", "retry")

    async def waits() -> bool:
        blockers = (await rolling.status(hub, "fleet-1")).get("blockers") or [{}]
        return "gate smoke" in blockers[0].get("reason", "")

    await reaches(hub, "fleet-1", phase="Progressing")
    await hubs.until(waits, "the second attempt waits at the gate")
    first.set_result(True)
    async with asyncio.timeout(60):
        second = await waiting.get()
    assert (await rolling.status(hub, "fleet-1"))["phase"] == "Progressing"
    assert sorted(await rolling.bundles(hub, fleet)) == ["c1"]
    second.set_result(True)
    await reaches(hub, "fleet-1", phase="Completed")


async def test_a_gate_that_is_not_passed_in_time_fails_its_stage(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    gate = {"name": "smoke", "every": "1s", "timeout": "2s", "http": {"url": "http://127.0.0.1:1/"}}
    stages = (stage("canary", "canary", gates={"after": [gate]}), stage("rest"))
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*stages))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    halted = await reaches(hub, "fleet-1", phase="Halted")
    assert halted["message"].startswith("gate smoke: not passed within 2 s: cannot connect")
    await rolling.act(hub, "fleet-1", "promote")
    await reaches(hub, "fleet-1", phase="Completed")


async def test_a_caller_signals_a_gate_that_waits_to_be_called(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    gate = {"name": "tests", "webhook": {}}
    stages = (stage("canary", "canary", gates={"after": [gate]}), stage("rest"))
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*stages))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", counts={"done": 1, "pending": 5})
    assert (await rolling.status(hub, "fleet-1"))["blockers"][0][
        "reason"
    ] == "gate tests: waiting to be called"
    await rolling.act(hub, "fleet-1", "signal", "pipeline", gate="tests")
    await reaches(hub, "fleet-1", phase="Completed")


async def test_a_pipeline_without_an_account_shows_the_token_of_the_gates_secret(
    hub: Hub, repo: Repo, fleet: Obedient
) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "ci", "namespace": "argocd", "labels": {"argosy.dev/secret-type": "gate"}},
        "stringData": {"token": "t0p"},
    }
    await hubs.add(hub, table.SECRET, secret)
    gate, later = ({"name": name, "webhook": {"secretRef": "ci"}} for name in ("tests", "later"))
    stages = (stage("canary", "canary", gates={"after": [gate]}), stage("rest", gates={"before": [later]}))
    await hubs.add(hub, table.ROLLOUT_POLICY, policy(*stages))
    await hubs.add(hub, table.APPLICATION_SET, appset(repo))
    await reaches(hub, "fleet-1", counts={"done": 1, "pending": 5})
    base = f"https://{hub.api_address}/api/webhook/rollouts/argocd"

    async def call(path: str, token: str) -> int:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{base}/{path}", headers=headers, ssl=False) as answer,
        ):
            return answer.status

    for path, token in (
        ("fleet-1/tests", "wrong"),
        ("fleet-1/tests", ""),
        ("fleet-1/other", "t0p"),
        ("fleet-2/tests", "t0p"),
    ):
        assert await call(path, token) == 401
    assert (await rolling.status(hub, "fleet-1"))["phase"] == "Progressing"
    assert await call("fleet-1/later", "t0p") == 409, "nobody waits for it yet"
    assert await call("fleet-1/tests", "t0p") == 200

    async def heard() -> bool:
        return await call("fleet-1/later", "t0p") == 200

    await hubs.until(heard, "its turn has come")
    await reaches(hub, "fleet-1", phase="Completed")
