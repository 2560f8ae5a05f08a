"""One agent, put together: cluster, link, and the loops between them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import fcntl
import functools
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import structlog

from agent.answering import Answerer
from agent.cluster import kubeconfig
from agent.cluster.base import ClusterApi, Identity
from agent.cluster.guarded import ObservedCluster
from agent.config import Config
from agent.core import localpolicy
from agent.core.adoption import Adoption
from agent.core.epoch import Held
from agent.core.facts import Facts
from agent.core.localpolicy import LocalPolicy
from agent.link import fetch, join
from agent.link.join import Self
from agent.link.ledger import Ledger, open_ledger
from agent.link.link import Link
from agent.link.outbox import Outbox
from agent.loops import prober, renewer, sweeper, watcher
from agent.loops.applier import Applier
from agent.loops.observer import Observer
from agent.loops.surveyor import Surveyor
from agent.policyfile import PolicyFile
from agent.sops.keys import KeyRing
from agent.state import identity
from agent.state.cache import Cache, State
from agent.state.notes import Notes
from agent.state.secret import StateSecret, carry, parse
from agent.state.standing import Standing
from agent.sync.sync import Syncer
from argosy import backoff, loop, questions
from argosy.bundle import Desired
from argosy.errors import ArgosyError, Conflict, Invalid, Unavailable

T = TypeVar("T")

log = structlog.get_logger("agent")

LAST_SECONDS = 3.0
CARRY_SECONDS = 1.0
"""Between two looks at what of the state is to be carried over to its Secret."""
MEMORY_JOURNAL = "memory-cluster.journal"


class CacheKeeper:
    """The ledger's place in the cache on disk."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    def load(self) -> tuple[Held, Desired | None]:
        state = self._cache.read()
        return state.held, state.desired if state.desired.epoch else None

    def save(self, held: Held, desired: Desired | None) -> None:
        self._cache.write(State(desired or Desired("", 0, ()), held))


class Program:
    """Make it, `run` it until cancelled, `close` it.

    `cluster` is given by tests and the demo, else by the settings; `make_link` may make a link over a worse line.
    """

    def __init__(
        self,
        settings: Config,
        version: str,
        *,
        cluster: ClusterApi | None = None,
        clock: Callable[[], float] = time.time,
        make_link: Callable[..., Link] = Link,
    ) -> None:
        self._settings = settings
        self._version = version
        self._clock = clock
        self._make_link = make_link
        self._closing = contextlib.AsyncExitStack()
        self.cluster: ClusterApi | None = cluster
        self.ledger: Ledger | None = None
        self.link: Link | None = None
        self.applier: Applier | None = None
        self.policy: PolicyFile | None = None
        self.standing: Standing | None = None

    async def run(self) -> None:
        """Raises `Forbidden` where the hub refuses the join, `Invalid` for what cannot be used, `Conflict`
        where another agent runs on the same state.
        """
        folder = self._settings.state
        if self._settings.policy is not None:
            self.policy = PolicyFile(self._settings.policy, kubeconfig.own_namespaces())
        secret = await self._state_secret(folder)
        identity.key_in(folder)
        self._closing.enter_context(exclusive(folder))
        cache = Cache(folder)
        standing = self.standing = Standing(folder)
        api = await self._cluster()
        who = await patiently(api.identity, "the cluster does not answer yet")
        own = Self(who.uid, self._version)
        if secret is not None:
            # The key must not get lost after a token was used with it.
            await patiently(secret.save, "the state cannot be kept in the Secret yet")
        joined = await self._join(own)
        if secret is not None:
            await patiently(secret.save, "the state cannot be kept in the Secret yet")
            self._closing.push_async_callback(_last_words, secret)
        offer = self._settings.join
        if elsewhere := joined.elsewhere(who.uid):
            standing.yield_to(elsewhere)
            # What the other cluster's agent holds must not become this one's.
            offer = ""
        driving = self._drive(cache, ObservedCluster(api, self._observed), own, who, standing, offer)
        if secret is None:
            await driving
        else:
            async with asyncio.TaskGroup() as group:
                carrying = group.create_task(carry(secret, CARRY_SECONDS), name="carrier")
                await driving
                carrying.cancel()

    async def _state_secret(self, folder: Path) -> StateSecret | None:
        """The Secret that keeps the state, after it filled the folder."""
        if not self._settings.state_secret:
            return None
        namespace, name = parse(self._settings.state_secret)
        secret = StateSecret(await self._cluster(), folder, namespace, name)
        await patiently(secret.restore, "the state cannot be read from the Secret yet")
        return secret

    async def close(self) -> None:
        await self._closing.aclose()

    def _allowed(self) -> LocalPolicy:
        """The local policy; a second agent only observes."""
        policy = self.policy.current() if self.policy is not None else localpolicy.OPEN
        second = self.standing is not None and self.standing.second.value
        return dataclasses.replace(policy, mode=Adoption.OBSERVE) if second else policy

    def _observed(self) -> str:
        """Why nothing is written to the cluster, or ""."""
        assert self.standing is not None
        return self.standing.second.value or self._allowed().observed()

    async def _cluster(self) -> ClusterApi:
        if self.cluster is None:
            self.cluster = await connect(self._settings)
            self._closing.push_async_callback(self.cluster.close)
        return self.cluster

    async def _join(self, who: Self) -> identity.Identity:
        """Joins once. A hub that cannot be reached yet is waited for; one that refuses is not."""
        folder = self._settings.state
        if (known := identity.load(folder)) is not None:
            return known
        if not self._settings.join:
            raise Invalid(
                f"{folder} has no identity yet, and there is no join token: give --join or ARGOSY_JOIN"
            )
        return await patiently(
            functools.partial(join.join, folder, self._settings.join, who, clock=self._clock),
            "the hub cannot be reached yet",
        )

    async def _drive(
        self,
        cache: Cache,
        api: ClusterApi,
        own: Self,
        who: Identity,
        standing: Standing,
        offer: str,
    ) -> None:
        ledger = await open_ledger(CacheKeeper(cache))
        outbox, observer = Outbox(), Observer()
        facts = Facts(who.version)
        syncer = Syncer(
            api,
            cache,
            changed=observer.changed,
            clock=self._clock,
            policy=self._allowed,
            notes=Notes(self._settings.state),
            keys=KeyRing(self._settings.keys),
        )
        self._closing.push_async_callback(syncer.close)

        async def reply(raw: bytes) -> bytes:
            found = await answerer.answer(questions.decode(raw))
            return await asyncio.to_thread(questions.packed, found)

        link = self._make_link(
            self._settings.state,
            own,
            ledger,
            outbox,
            facts=facts,
            clock=self._clock,
            reply=reply,
            offer=offer,
            standing=standing,
        )
        answerer = Answerer(api, syncer, cache.load, functools.partial(fetch.fetch, link))
        applier = Applier(syncer, cache, ledger, outbox, functools.partial(fetch.fetch, link))
        observer.wake = applier.wake
        self.ledger, self.link, self.applier = ledger, link, applier
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(link.run(), name="link")
                group.create_task(watcher.watch(ledger, applier, standing), name="watcher")
                group.create_task(watcher.attend(standing, applier), name="attendant")
                group.create_task(applier.run(), name="applier")
                group.create_task(renewer.renew(link, clock=self._clock), name="renewer")
                group.create_task(loop.drive(sweeper.sweeper(cache, ledger)), name="sweeper")
                group.create_task(loop.drive(Surveyor(api, link, who.version).loop()), name="surveyor")
                if self._settings.health:
                    group.create_task(prober.probe(self._settings.health, self.status), name="prober")
        except BaseExceptionGroup as failed:
            raise failed.exceptions[0] from None

    def status(self) -> dict[str, Any]:
        """What the health page shows."""
        if self.link is None or self.ledger is None or self.applier is None or self.standing is None:
            return {"ready": False}
        state, held = self.link.state, self.ledger.held
        return {
            "ready": state.connected,
            "version": self._version,
            "cluster": self.link.identity.name,
            "link": {"connected": state.connected, "since": state.since, "error": state.error},
            "certificateRenewals": state.renewed,
            "epoch": held.epoch,
            "generation": held.generation,
            "holding": held.reason,
            "second": self.standing.second.value,
            "mode": self._allowed().mode,
            "policyProblem": self.policy.problem if self.policy else "",
            "passes": self.applier.count.passes,
            "passesFailed": self.applier.count.failed,
            "bundlesFetched": self.applier.count.fetched,
            "idle": self.applier.idle,
        }


async def _last_words(secret: StateSecret) -> None:
    """Carries over what the last second brought, if the cluster lets it."""
    with contextlib.suppress(ArgosyError, TimeoutError):
        async with asyncio.timeout(LAST_SECONDS):
            await secret.save()


async def connect(settings: Config) -> ClusterApi:
    """The cluster that the settings name."""
    if settings.memory:
        from agent.cluster.memory import MemoryCluster

        return MemoryCluster(journal=settings.state / MEMORY_JOURNAL)
    from agent.cluster import kube

    return await kube.connect(kubeconfig_file=settings.kubeconfig, context=settings.context)


async def patiently(ask: Callable[[], Awaitable[T]], what: str) -> T:
    """Asks until there is an answer; only `Unavailable` is waited out."""
    attempt = 0
    while True:
        try:
            return await ask()
        except Unavailable as error:
            log.warning(what, error=error.message)
        await asyncio.sleep(0.2 + backoff.full_jitter(attempt, random.random(), cap=20.0))
        attempt += 1


@contextlib.contextmanager
def exclusive(folder: Path) -> Iterator[None]:
    """Holds the state folder for one process. Raises `Conflict` where another agent has it."""
    with (folder / "lock").open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"{folder} is in use by another argosy-agent") from None
        yield
