"""Puts the hub together: opens what it stands on, connects the loops by wake-ups, starts its two doors.

Nothing is decided here. `Hub` is what `argosy-hub serve` runs, and what the tests of the whole product start.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import aiohttp
import structlog

from argosy import tls, token
from argosy.errors import Invalid
from argosy.loop import Loop, Wake, run_loops
from argosy.objects import Manifest
from argosy.questions import Question
from argosy.token import JoinToken
from hub import ownagent
from hub.api import (
    actions,
    app_actions,
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
from hub.charts import keyring as chart_keys
from hub.charts.charts import Charts
from hub.charts.depots import Depots
from hub.config import HubConfig
from hub.core import access, charts, integrity, kubeconfig, oidc, pulls, rbac, secret, semver, webhook
from hub.core import settings as argocd
from hub.core.generators.base import ProviderRequest
from hub.core.served import table
from hub.core.types import LOCAL_CLUSTER, NAMESPACE, Answer
from hub.git import credentials
from hub.git.command import Settings as GitSettings
from hub.git.mirror import Mirrors
from hub.git.signatures import Signatures
from hub.link.server import LinkConfig, LinkServer
from hub.loops import checking
from hub.loops.bounds import Bounds
from hub.loops.expander import Expander
from hub.loops.gatekeeping import Asker, Doorman
from hub.loops.holder import Holder
from hub.loops.holding import Holding
from hub.loops.integrity import Integrity
from hub.loops.kitchen import Kitchen
from hub.loops.mover import Mover
from hub.loops.poller import Poller
from hub.loops.provided import Provided
from hub.loops.recorder import Recorder
from hub.loops.remover import Remover
from hub.loops.renderer import Renderer
from hub.loops.restoring import Restorer
from hub.loops.roller import Roller
from hub.loops.sweeper import Sweeper
from hub.loops.trees import Trees
from hub.loops.world import World
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
from hub.store.base import Change, Tx
from hub.store.resources import Resources

PROVIDER_SECONDS = 60.0
"""Within which a provider or plugin must have answered one question."""

PUSH_SECRETS = "argocd-secret"
"""The Secret where Argo CD keeps what webhooks are signed with (`webhook.github.secret`, ...)."""

EVERY_INTERFACE = ("", "0.0.0.0", "::")  # noqa: S104  # compared with, not bound

OWN_TOKEN_LIFE = 600.0
"""Seconds in which the hub's own agent must have joined."""

API_CERTIFICATE_LIFE = 825 * 86400.0
"""A new one is made at every start."""

log = structlog.get_logger("hub")


class Hub:
    """One hub on one data folder, from `start` to `stop`. `clock` gives Unix seconds."""

    def __init__(self, settings: HubConfig, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock
        self._open = contextlib.AsyncExitStack()
        self._work: asyncio.Task[None] | None = None
        self._checks_given = False
        """Whether, since the start, every cluster was given the users' own health checks."""

    @property
    def api_address(self) -> str:
        return tls.join_address(tls.split_address(self.settings.api)[0], self.api.port)

    @property
    def link_address(self) -> str:
        return tls.join_address(self.host, self.link.link_port)

    @property
    def host(self) -> str:
        """How agents and clients on other machines reach this hub."""
        if self.settings.names:
            return self.settings.names[0]
        return reachable(tls.split_address(self.settings.link)[0])

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
        await self._read_keys()
        await self.link.start()
        self._open.push_async_callback(self.link.stop)
        self.api = await server.serve(self._api(), self._api_config())
        self._open.push_async_callback(self.api.stop)
        self._write_kubeconfig()
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
        self._write_access(kubeconfig, host if host not in EVERY_INTERFACE else "127.0.0.1", LOCAL_CLUSTER)

        async def offer() -> str:
            return await self.store.write(lambda tx: self._mint(tx, uid, OWN_TOKEN_LIFE))

        agent = ownagent.OwnAgent(program, folder / "agent", kubeconfig, offer)
        agent.start()
        self._open.push_async_callback(agent.stop)

    def _build(self) -> None:
        settings, store, objects = self.settings, self.store, self.resources
        patience = GitSettings(list_seconds=settings.git_list, fetch_seconds=settings.git_fetch)
        self.mirrors = Mirrors(settings.mirrors, highest=semver.highest, settings=patience)
        self._open.push_async_callback(self.mirrors.close)
        self.signatures = Signatures(self.mirrors, highest=semver.highest)
        sandbox = Sandbox()
        self._open.callback(sandbox.close)
        self.rendering = Rendering(sandbox)
        self.world = World(store, objects)
        self.charts = Charts(settings.data / "charts")
        self._open.push_async_callback(self.charts.close)
        depots = Depots(self.mirrors, self.charts)
        self.trees = Trees(depots, store, every=settings.poll, now=self._clock, heard=self._heard)
        self._open.push_async_callback(self.trees.close)
        signed = Integrity(self.trees.refs, self.signatures)
        signed.enabled = integrity.enabled(os.environ.get(integrity.SWITCH, ""))
        self._cache = Cache()
        self._push_secrets: Mapping[str, str] = {}
        self._policy = rbac.NOTHING
        self.identity = Identity(self._clock)
        self._keys = Loop("keyring", self._read_keys, every=3600)
        looking = Wake()
        self.poller = Poller(self.trees, self._moved, looking)
        self._poll = Loop("poller", self.poller.run, every=max(0.5, min(settings.poll, 10.0)), wake=looking)
        expanding = Wake()
        self._provided = Provided(self._provide, self._told)
        self._open.push_async_callback(self._provided.close)
        self.expander = Expander(
            store,
            objects,
            self.world,
            self.trees,
            self._provided.answer,
            expanding,
            self._generated,
            self._clock,
            signed,
        )
        self._expand = Loop("expander", self.expander.run, every=30, wake=expanding)
        self.kitchen = Kitchen(self.rendering, self.trees.tree)
        self.renderer = Renderer(
            store, objects, self.world, self.trees, self.kitchen, self._rendered, self._clock, signed
        )
        self._render = Loop("renderer", self.renderer.run, every=60)
        parts = self._planning(signed)
        self.planner = Planner(parts)
        self.executor = Executor(parts, self.planner, self._moved)
        self.statistics = Statistics(self.store, self.resources, self.settings.groups)
        self.locator = Locator(self.store, self.trees, self.mirrors)
        known = Holding(objects)
        rolling = Wake()
        self.roller = Roller(
            store,
            objects,
            self._clock,
            known.holds,
            busy=lambda: self._render.record.running,
            wake=rolling,
        )
        self._roll = Loop("roller", self.roller.run, every=60, wake=rolling)
        moving = Wake()
        self.mover = Mover(
            store, objects, moving, self._clock, ask=Asker(store, objects, self._ask), holds=known.holds
        )
        self.restorer = Restorer(objects, self._clock, known.holds)
        self._move = Loop("mover", self.mover.run, every=60, wake=moving)
        self.remover = Remover(store, objects, known, self._clock)
        self._remove = Loop("remover", self.remover.run, every=30)
        holding = Wake()
        self.holder = Holder(store, known, holding, self._held_otherwise, self._clock)
        self._hold = Loop("holder", self.holder.run, every=600, wake=holding)
        recording = Wake()
        self.recorder = Recorder(store, objects, self.mirrors.committed, recording, self._clock)
        self._record = Loop("recorder", self.recorder.run, every=60, wake=recording)
        sweeper = Sweeper(store, objects, self._tidy, self.trees, self._clock)
        sweep = Loop("sweeper", sweeper.run, every=3600)
        self.loops = [
            self._keys,
            self._poll,
            self._expand,
            self._render,
            self._roll,
            self._move,
            self._remove,
            self._hold,
            self._record,
            sweep,
        ]
        self.link = LinkServer(store, self.ca, self._link_config(), clock=self._clock)
        self._open.callback(store.listen(self._changed))
        for topic, heard in (
            ("rollout:", self.mover.written),
            ("left:", self.mover.left),
            ("report:", self.mover.reported),
            ("desired:", self.holder.assigned),
            ("report:", self.recorder.reported),
            ("facts:", self._facts_told),
            ("waiting", lambda topic: self._roll.wake.set()),
        ):
            self._open.callback(store.on_touch(topic, heard))
        self._open.callback(store.on_touch("desired:", self._assigned))
        self._open.callback(store.on_touch("removed:", self._removed))
        self._open.callback(store.on_touch("lost:", lambda topic: self._remove.wake.set()))

    def _facts_told(self, topic: str) -> None:
        self.renderer.told(topic)
        self._render.wake.set()

    def _planning(self, signed: Integrity) -> Parts:
        bounds = Bounds(self.store, self.world)
        dishes = functools.partial(Dishes, self.store, self.kitchen, self.renderer, bounds, signed)
        return Parts(
            self.store,
            self.resources,
            self.world,
            self.trees,
            self.mirrors,
            self._provide,
            self.expander,
            self.renderer,
            signed,
            dishes,
            lambda: self.kitchen.settings,
            self._ask,
            self._clock,
        )

    def _api(self) -> Api:
        return Api(
            ApiHub(
                self.store,
                self.resources,
                clock=self._clock,
                identity=self.identity,
                version=version("argosy"),
                on_push=self._on_push,
                records=lambda: [loop.record for loop in self.loops],
                policy=lambda: self._policy,
                actions=[
                    *actions.cluster_actions(self.store, self.resources),
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
                callers=rollout_actions.callers(
                    self.store, Doorman(self.resources, self.mover.act, self._clock).call
                ),
            )
        )

    def _api_config(self) -> server.Config:
        """Where the API listens, with a certificate for every name by which it is reached."""
        settings = self.settings
        host, port = tls.split_address(settings.api)
        names = [
            "localhost",
            "127.0.0.1",
            "::1",
            socket.gethostname(),
            reachable(host),
            self.host,
            *settings.names,
        ]
        pair = self.ca.server(names, self._clock(), lifetime=API_CERTIFICATE_LIFE)
        folder = settings.data / "api"
        folder.mkdir(exist_ok=True, mode=0o700)
        for name, content in (
            ("tls.crt", pair.certificate),
            ("tls.key", pair.key),
            ("ca.crt", self.ca.bundle),
        ):
            tls.write_private(folder / name, content)
        return server.Config(host, port, folder / "tls.crt", folder / "tls.key", folder / "ca.crt")

    def _link_config(self) -> LinkConfig:
        settings = self.settings
        host, port = tls.split_address(settings.link)
        return LinkConfig(
            link=settings.link,
            enroll=settings.enroll or tls.join_address(host, port + 1 if port else 0),
            names=(self.host, *settings.names),
            lifetime=settings.lifetime,
            beat=settings.beat,
            grace=settings.grace,
            version=version("argosy"),
        )

    async def stop(self) -> None:
        """Ends everything in the reverse order of its start. What was answered is on disk."""
        await self._open.aclose()

    async def _end_loops(self) -> None:
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work

    # --- wake-ups -------------------------------------------------------------------------------------------------

    def _changed(self, changes: Sequence[Change]) -> None:
        self.mover.note(changes)
        # Of thousands that a commit or a report concerns, mostly only what is shown of them is another.
        changes = [change for change in changes if not change.composed]
        changed = self.world.note(changes)
        if changed & {table.SECRET.resource, table.CONFIG_MAP.resource, table.APP_PROJECT.resource}:
            self._keys.wake.set()
        if self.expander.note(changes) or changed - _QUIET:
            self._expand.wake.set()
        if self.renderer.note(changes) or table.CLUSTER.resource in changed:
            self._render.wake.set()
        if self.holder.note(changes):
            self._hold.wake.set()
        if table.ROLLOUT_POLICY.resource in changed:
            self.roller.again()
            self._roll.wake.set()
        gone = any(one.verb == "DELETED" and one.resource == table.CLUSTER.resource for one in changes)
        if gone:
            # Nobody is left to be waited for there.
            self.remover.again()
        if gone or table.REMOVAL.resource in changed:
            # Or something was decided.
            self._remove.wake.set()
        if changed & {table.REMOVAL.resource, table.CONFIG_MAP.resource}:
            # Perhaps about a release that prunes much.
            self._held_otherwise()

    def _heard(self) -> None:
        self._poll.wake.set()
        self._moved()

    def _moved(self) -> None:
        self._expand.wake.set()
        self._render.wake.set()

    def _generated(self) -> None:
        self._render.wake.set()

    def _assigned(self, topic: str) -> None:
        if self.remover.waiting:
            self._remove.wake.set()

    def _held_otherwise(self) -> None:
        self.mover.again()
        self.roller.again()
        self._roll.wake.set()
        self.remover.again()
        self._remove.wake.set()

    def _removed(self, topic: str) -> None:
        self.remover.heard(topic)
        self._remove.wake.set()

    def _rendered(self) -> None:
        self._roll.wake.set()
        self._remove.wake.set()

    # --- what the parts ask of each other -------------------------------------------------------------------------

    async def _read_keys(self) -> None:
        """Takes up repository credentials, known hosts and CAs, and looks again with them."""
        secrets = await self.world.listed(table.SECRET, NAMESPACE)
        maps = await self.world.listed(table.CONFIG_MAP, NAMESPACE)
        self.mirrors.keyring = credentials.keyring(secrets, maps)
        self._read_chart_keys(secrets, maps)
        await self._read_settings(maps)
        await self._read_policy(maps)
        self._read_signers(maps)
        self._read_identity(maps)
        own = next((item for item in secrets if item["metadata"]["name"] == PUSH_SECRETS), {})
        self._push_secrets = secret.texts(own)
        failed = {repo.url for repo in self.trees.in_use() if repo.failed}
        self.poller.ask(failed.__contains__)

    async def _read_policy(self, maps: Sequence[Manifest]) -> None:
        """Takes up who may what; a policy that cannot be read leaves the one before."""
        projects = await self.world.listed(table.APP_PROJECT, NAMESPACE)
        try:
            self._policy = rbac.of_config(_data(maps, rbac.CONFIG_MAP), projects)
        except Invalid as error:
            log.warning("policy not understood", config_map=rbac.CONFIG_MAP, problem=error.message)

    def _read_identity(self, maps: Sequence[Manifest]) -> None:
        """Takes up who else vouches for users; what cannot be read leaves the one before."""
        try:
            self.identity.use(oidc.of(_data(maps, argocd.CONFIG_MAP), _data(maps, rbac.CONFIG_MAP)))
        except Invalid as error:
            log.warning("identity provider not understood", problem=error.message)

    def _read_signers(self, maps: Sequence[Manifest]) -> None:
        """Takes up whose signatures count at all; everything that was refused or let through is looked at again."""
        if self.signatures.use(integrity.keyring(_data(maps, integrity.CONFIG_MAP))):
            self.renderer.again()
            self.expander.again()
            self._moved()

    async def _tidy(self, used: Iterable[str]) -> None:
        await self.mirrors.tidy(url for url in used if not charts.is_address(url))
        await self.charts.tidy(time.time())

    def _read_chart_keys(self, secrets: Sequence[Manifest], maps: Sequence[Manifest]) -> None:
        found = [
            {**secret.texts(one), secret.SECRET_TYPE: kind}
            for one in secrets
            if (kind := chart_keys.kind_of(one))
        ]
        self.charts.keys = chart_keys.keyring(found, _data(maps, chart_keys.TLS_CERTIFICATES))

    async def _read_settings(self, maps: Sequence[Manifest]) -> None:
        found = argocd.of(_data(maps, argocd.CONFIG_MAP))
        if not self._checks_given or found.checks != self.kitchen.settings.checks:
            await checking.give(self.store, found.checks, self._clock())
            self._checks_given = True
        if found == self.kitchen.settings:
            return
        if found.wrong:
            log.warning("setting not understood", config_map=argocd.CONFIG_MAP, problem=found.wrong)
        self.kitchen.settings = found
        self.renderer.again()
        self._render.wake.set()

    def _on_push(self, headers: Mapping[str, str], body: bytes) -> None:
        """A webhook's delivery. Raises `Forbidden`, `Invalid`."""
        pushes = webhook.parse(headers, body, self._push_secrets)
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

    def _write_kubeconfig(self) -> None:
        """The administrator's way in."""
        host = tls.split_address(self.settings.api)[0]
        name = self.settings.names[0] if self.settings.names else reachable(host)
        self._write_access(self.settings.kubeconfig, name, "admin")

    def _write_access(self, file: Path, host: str, user: str) -> None:
        """An address and an administrator's client certificate, good for a year from this start."""
        pair = self.ca.user(user, [access.ADMINS], self._clock())
        text = kubeconfig.text(
            f"https://{tls.join_address(host, self.api.port)}", self.ca.bundle, pair.certificate, pair.key
        )
        tls.write_private(file, text.encode())


_QUIET = {table.APPLICATION.resource, table.EVENT.resource, table.RELEASE.resource, table.JOIN_TOKEN.resource}
_QUIET |= {
    table.ROLLOUT.resource,
    table.ROLLOUT_POLICY.resource,
    table.FREEZE.resource,
    table.OVERRIDE.resource,
}
_QUIET |= {table.REMOVAL.resource}
"""Resources whose writes change no set's evaluation by themselves."""


def _data(maps: Sequence[Manifest], name: str) -> Mapping[str, str]:
    """What a ConfigMap holds; nothing where it is not there."""
    found = next((one for one in maps if one["metadata"]["name"] == name), {})
    return {
        str(key).lower() if name == chart_keys.TLS_CERTIFICATES else str(key): str(value)
        for key, value in (found.get("data") or {}).items()
    }


def reachable(host: str) -> str:
    """An address that stands for `host` where `host` means every interface: the one of the default route."""
    if host not in EVERY_INTERFACE:
        return host
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; it only chooses the route.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"
