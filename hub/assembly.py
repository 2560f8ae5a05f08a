"""Puts the hub together: opens what it stands on, connects the loops by wake-ups, starts its two doors.

Nothing is decided here. `Hub` is what `argosy-hub serve` runs, and what the tests of the whole product start. Who wakes
whom is `hub.wakes`, where the doors are `hub.doors`.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp

from argosy import tls, token
from argosy.loop import Loop, run_loops
from argosy.questions import Question
from argosy.token import JoinToken
from hub import doors, ownagent
from hub.api import (
    app_actions,
    cluster_actions,
    insight,
    live,
    plans,
    release_actions,
    removal_actions,
    rollout_actions,
    server,
)
from hub.api.app import Api
from hub.api.app import Hub as ApiHub
from hub.ca import authority
from hub.charts.charts import Charts
from hub.charts.depots import Depots
from hub.config import HubConfig
from hub.core import pulls, webhook
from hub.core.apps import charts
from hub.core.generators.base import ProviderRequest
from hub.core.matching import semver
from hub.core.projects import integrity
from hub.core.types import LOCAL_CLUSTER, Answer
from hub.git.command import Settings as GitSettings
from hub.git.mirror import Mirrors
from hub.git.signatures import Signatures
from hub.link.server import LinkServer
from hub.loops.apps.bounds import Bounds
from hub.loops.apps.kitchen import Kitchen
from hub.loops.appsets.provided import Provided
from hub.loops.appsets.world import World
from hub.loops.configurer import Concerned, Configurer
from hub.loops.expander import Expander
from hub.loops.holder import Holder
from hub.loops.mover import Mover
from hub.loops.poller import Poller
from hub.loops.recorder import Recorder
from hub.loops.releases.holding import Holding
from hub.loops.releases.restoring import Restorer
from hub.loops.remover import Remover
from hub.loops.renderer import Renderer
from hub.loops.repos.integrity import Integrity
from hub.loops.repos.trees import Trees
from hub.loops.roller import Roller
from hub.loops.rollouts.gatekeeping import Asker, Doorman
from hub.loops.sweeper import Sweeper
from hub.oidc import Identity
from hub.planning.dishes import Dishes
from hub.planning.execution import Executor
from hub.planning.live import Live
from hub.planning.locator import Locator
from hub.planning.overviews import Overviews
from hub.planning.planner import Parts, Planner
from hub.planning.statistics import Statistics
from hub.providers import table as providers
from hub.providers.base import Cache
from hub.render.rendering import Rendering
from hub.render.sandbox import Sandbox
from hub.store import backup, bootstrap, departures, grants, seal, sqlite
from hub.store.base import Tx
from hub.store.resources import Resources
from hub.wakes import Hearers, Wakes

PROVIDER_SECONDS = 60.0
"""Within which a provider or plugin must have answered one question."""

OWN_TOKEN_LIFE = 600.0
"""Seconds in which the hub's own agent must have joined."""


class Hub:
    """One hub on one data folder, from `start` to `stop`. `clock` gives Unix seconds."""

    def __init__(self, settings: HubConfig, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock
        self._open = contextlib.AsyncExitStack()
        self._work: asyncio.Task[None] | None = None
        self.wakes = Wakes()

    @property
    def api_address(self) -> str:
        return tls.join_address(tls.split_address(self.settings.api)[0], self.api.port)

    @property
    def link_address(self) -> str:
        return tls.join_address(self.host, self.link.link_port)

    @property
    def host(self) -> str:
        """How agents and clients on other machines reach this hub."""
        return doors.host(self.settings)

    async def start(self) -> None:
        """Opens and listens. Raises `ArgosyError` where the folder, the database or an address cannot be had."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def _start(self) -> None:
        settings = self.settings
        self._open.enter_context(backup.exclusive(settings.data))
        self.store = sqlite.open_store(settings.database)
        self._open.push_async_callback(self.store.close)
        self.ca = authority.open_authority(
            settings.authority, self._clock(), trust_domain=settings.trust_domain
        )
        sealer = seal.open_sealer(settings.data / "seal.key")
        self.resources = Resources(sealer, self._mint, departures.DELETIONS)
        await self.store.write(lambda tx: bootstrap.first_objects(tx, self.resources, self._clock()))
        self._build()
        # How objects are marked must be known before anything is rendered.
        await self.configurer.run()
        await self.link.start()
        self._open.push_async_callback(self.link.stop)
        self.api = await server.serve(self._api(), doors.api(settings, self.ca, self._clock()))
        self._open.push_async_callback(self.api.stop)
        name = settings.names[0] if settings.names else doors.reachable(tls.split_address(settings.api)[0])
        self._write_access(settings.kubeconfig, name, "admin")
        if settings.in_cluster:
            await self._serve_itself()
        self._work = asyncio.create_task(run_loops(self.loops), name="loops")
        self._open.push_async_callback(self._end_loops)

    async def _serve_itself(self) -> None:
        """An agent of the hub's own for the hub's own API. It takes the way of every agent: a token, then its key."""
        program, folder = ownagent.find(), self.settings.own_agent
        uid = await self.store.write(lambda tx: bootstrap.own_cluster(tx, self.resources, self._clock()))
        folder.mkdir(exist_ok=True, mode=0o700)
        kubeconfig = folder / "kubeconfig"
        host = tls.split_address(self.settings.api)[0]
        self._write_access(
            kubeconfig, host if host not in doors.EVERY_INTERFACE else "127.0.0.1", LOCAL_CLUSTER
        )

        async def offer() -> str:
            return await self.store.write(lambda tx: self._mint(tx, uid, OWN_TOKEN_LIFE))

        agent = ownagent.OwnAgent(program, folder / "agent", kubeconfig, offer)
        agent.start()
        self._open.push_async_callback(agent.stop)

    def _build(self) -> None:
        self._build_sources()
        self._build_renders()
        self._build_rollouts()
        self._connect()
        parts = self._planning()
        self.planner = Planner(parts)
        self.executor = Executor(parts, self.planner, self.wakes.moved)
        self.statistics = Statistics(self.store, self.resources, self.settings.groups)
        self.locator = Locator(self.store, self.trees, self.mirrors)
        self.link = LinkServer(self.store, self.ca, doors.link(self.settings), clock=self._clock)

    def _build_sources(self) -> None:
        """What is asked: repositories, charts, hosting services, the programs that render."""
        settings = self.settings
        patience = GitSettings(list_seconds=settings.git_list, fetch_seconds=settings.git_fetch)
        self.mirrors = Mirrors(settings.mirrors, highest=semver.highest, settings=patience)
        self._open.push_async_callback(self.mirrors.close)
        self.signatures = Signatures(self.mirrors, highest=semver.highest)
        sandbox = Sandbox()
        self._open.callback(sandbox.close)
        self.rendering = Rendering(sandbox)
        self.world = World(self.store, self.resources)
        self.charts = Charts(settings.data / "charts")
        self._open.push_async_callback(self.charts.close)
        depots = Depots(self.mirrors, self.charts)
        self.trees = Trees(depots, self.store, every=settings.poll, now=self._clock, heard=self.wakes.heard)
        self._open.push_async_callback(self.trees.close)
        self._cache = Cache()
        self._provided = Provided(self._provide, self._told)
        self._open.push_async_callback(self._provided.close)
        self.identity = Identity(self._clock)

    def _build_renders(self) -> None:
        """From what users set and what repositories hold to rendered applications."""
        store, objects, clock = self.store, self.resources, self._clock
        self._signed = Integrity(self.trees.refs, self.signatures)
        self._signed.enabled = integrity.enabled(os.environ.get(integrity.SWITCH, ""))
        self.kitchen = Kitchen(self.rendering, self.trees.tree)
        self.configurer = Configurer(
            store,
            self.world,
            Concerned(self.mirrors, self.charts, self.signatures, self.identity, self.kitchen),
            keys=self._look_at_failed,
            signers=self._judge_again,
            rendering=self._render_again,
            now=clock,
        )
        self.poller = Poller(self.trees, self.wakes.moved, self.wakes.poller)
        self.expander = Expander(
            store,
            objects,
            self.world,
            self.trees,
            self._provided.answer,
            self.wakes.expander,
            self.wakes.renderer.set,
            clock,
            self._signed,
        )
        self.renderer = Renderer(
            store, objects, self.world, self.trees, self.kitchen, self.wakes.rendered, clock, self._signed
        )

    def _build_rollouts(self) -> None:
        """From rendered applications to what clusters are told, and what is known of it."""
        store, objects, wakes, clock = self.store, self.resources, self.wakes, self._clock
        self._renders = Loop("renderer", self.renderer.run, every=60, wake=wakes.renderer)
        known = Holding(objects)
        self.roller = Roller(
            store,
            objects,
            clock,
            known.holds,
            busy=lambda: self._renders.record.running,
            wake=wakes.roller,
        )
        asker = Asker(store, objects, self._ask)
        self.mover = Mover(store, objects, wakes.mover, clock, ask=asker, holds=known.holds)
        self.restorer = Restorer(objects, clock, known.holds)
        self.remover = Remover(store, objects, known, clock)
        self.holder = Holder(store, known, wakes.holder, lambda: self.hearers.held_otherwise(), clock)
        self.recorder = Recorder(store, objects, self.mirrors.committed, wakes.recorder, clock)

    def _connect(self) -> None:
        """Puts the loops in the order of a change, and lets them hear of what is committed."""
        wakes, poll = self.wakes, max(0.5, min(self.settings.poll, 10.0))
        sweeper = Sweeper(self.store, self.resources, self._tidy, self.trees, self._clock)
        self.loops = [
            Loop("keyring", self.configurer.run, every=3600, wake=wakes.configurer),
            Loop("poller", self.poller.run, every=poll, wake=wakes.poller),
            Loop("expander", self.expander.run, every=30, wake=wakes.expander),
            self._renders,
            Loop("roller", self.roller.run, every=60, wake=wakes.roller),
            Loop("mover", self.mover.run, every=60, wake=wakes.mover),
            Loop("remover", self.remover.run, every=30, wake=wakes.remover),
            Loop("holder", self.holder.run, every=600, wake=wakes.holder),
            Loop("recorder", self.recorder.run, every=60, wake=wakes.recorder),
            Loop("sweeper", sweeper.run, every=3600),
        ]
        self.hearers = Hearers(
            wakes,
            self.world,
            self.expander,
            self.renderer,
            self.roller,
            self.mover,
            self.remover,
            self.holder,
            self.recorder,
        )
        self._open.callback(self.store.listen(self.hearers.changed))
        for topic, heard in self.hearers.topics():
            self._open.callback(self.store.on_touch(topic, heard))

    def _planning(self) -> Parts:
        bounds = Bounds(self.store, self.world)
        dishes = functools.partial(Dishes, self.store, self.kitchen, self.renderer, bounds, self._signed)
        return Parts(
            self.store,
            self.resources,
            self.world,
            self.trees,
            self.mirrors,
            self._provide,
            self.expander,
            self.renderer,
            self._signed,
            dishes,
            lambda: self.kitchen.settings,
            self._ask,
            self._clock,
        )

    def _api(self) -> Api:
        doorman = Doorman(self.resources, self.mover.act, self._clock)
        return Api(
            ApiHub(
                self.store,
                self.resources,
                clock=self._clock,
                identity=self.identity,
                version=version("argosy"),
                on_push=self._on_push,
                records=lambda: [loop.record for loop in self.loops],
                policy=lambda: self.configurer.policy,
                actions=[
                    *cluster_actions.cluster_actions(self.store, self.resources),
                    *app_actions.application_actions(self.store, self.resources),
                    *plans.set_actions(self.planner),
                    *live.application_questions(Live(self.store, self._ask)),
                    *rollout_actions.rollout_actions(self.store, self.mover.act),
                    *release_actions.release_actions(self.store, self.restorer.restore),
                    *removal_actions.removal_actions(self.store, self.resources),
                ],
                pages=[
                    *plans.pages(self.planner, self.executor),
                    insight.where_page(self.locator),
                    insight.status_page(Overviews(self.store, self.resources, self.world)),
                    insight.stats_page(self.statistics),
                    insight.audit_page(self.store),
                ],
                families=self.statistics.metrics,
                callers=rollout_actions.callers(self.store, doorman.knows, doorman.call),
            )
        )

    async def stop(self) -> None:
        """Ends everything in the reverse order of its start. What was answered is on disk."""
        await self._open.aclose()

    async def _end_loops(self) -> None:
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work

    # --- what the parts ask of each other -------------------------------------------------------------------------

    def _look_at_failed(self) -> None:
        """With other keys a repository may answer that did not."""
        failed = {repo.url for repo in self.trees.in_use() if repo.failed}
        self.poller.ask(failed.__contains__)

    def _judge_again(self) -> None:
        self.renderer.again()
        self.expander.again()
        self.wakes.moved()

    def _render_again(self) -> None:
        self.renderer.again()
        self.wakes.renderer.set()

    async def _tidy(self, used: Iterable[str]) -> None:
        await self.mirrors.tidy(url for url in used if not charts.is_address(url))
        await self.charts.tidy(time.time())

    def _on_push(self, headers: Mapping[str, str], body: bytes) -> None:
        """A webhook's delivery. Raises `Forbidden`, `Invalid`."""
        pushes = webhook.parse(headers, body, self.configurer.push_secrets)
        self.poller.ask(lambda url: any(push.concerns(url) for push in pushes))
        if names := pulls.named(headers, body):
            self._provided.forget(lambda request: pulls.concerns(names, request))
            self.expander.ask(lambda request: pulls.concerns(names, request))

    async def _ask(self, cluster: str, question: Question, seconds: float) -> dict[str, Any]:
        return await self.link.ask(cluster, question, seconds)

    async def _provide(self, request: ProviderRequest) -> Answer[Sequence[Mapping[str, Any]]]:
        async with aiohttp.ClientSession() as session:
            return await providers.answer(session, request, seconds=PROVIDER_SECONDS, cache=self._cache)

    def _told(self, request: ProviderRequest, answer: Answer[Sequence[Mapping[str, Any]]]) -> None:
        self.expander.told(request, answer)

    def _mint(self, tx: Tx, cluster: str, lifetime: float) -> str:
        """A new join token's text for one cluster, by id."""
        secret = token.new_secret()
        grants.offer(tx, secret, cluster, self._clock(), lifetime=lifetime)
        enroll = tls.join_address(self.host, self.link.enroll_port)
        return token.encode(JoinToken(enroll, self.link_address, self.ca.fingerprint, secret))

    def _write_access(self, file: Path, host: str, user: str) -> None:
        address = tls.join_address(host, self.api.port)
        doors.write_access(file, self.ca, address, user, self._clock())
