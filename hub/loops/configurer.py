"""Takes up what users set in ConfigMaps and Secrets, and gives it to those it concerns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import structlog

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.charts import keyring as chart_keys
from hub.charts.charts import Charts
from hub.core import repos, secret, settings
from hub.core.access import oidc, rbac
from hub.core.access.rbac import Policy
from hub.core.projects import integrity
from hub.core.served import table
from hub.core.types import NAMESPACE
from hub.git import credentials
from hub.git.mirror import Mirrors
from hub.git.signatures import Signatures
from hub.loops.apps.kitchen import Kitchen
from hub.loops.appsets.world import World
from hub.oidc import Identity
from hub.store import bundles, desired
from hub.store.base import Store, Tx

PUSH_SECRETS = "argocd-secret"
"""The Secret where Argo CD keeps what webhooks are signed with (`webhook.github.secret`, ...)."""

MANY = 50
"""Clusters changed in one transaction: others write in between."""

log = structlog.get_logger("hub")


@dataclass(frozen=True, slots=True)
class Concerned:
    """Who is given what users set."""

    mirrors: Mirrors
    charts: Charts
    signatures: Signatures
    identity: Identity
    kitchen: Kitchen


class Configurer:
    """`keys` is called where repositories may answer otherwise, `signers` where other signatures count, `rendering` where
    Applications are rendered otherwise. `now` tells Unix seconds.
    """

    def __init__(
        self,
        store: Store,
        world: World,
        concerned: Concerned,
        *,
        keys: Callable[[], None],
        signers: Callable[[], None],
        rendering: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        self._store = store
        self._world = world
        self._concerned = concerned
        self._keys = keys
        self._signers = signers
        self._rendering = rendering
        self._now = now
        self._checks_given = False
        """Whether, since the start, every cluster was given the users' own health checks."""
        self.policy: Policy = rbac.NOTHING
        """Who may what."""
        self.push_secrets: Mapping[str, str] = {}
        """What webhooks are signed with."""

    async def run(self) -> None:
        secrets = await self._world.listed(table.SECRET, NAMESPACE)
        maps = await self._world.listed(table.CONFIG_MAP, NAMESPACE)
        self._concerned.mirrors.keyring = credentials.keyring(secrets, maps)
        self._take_chart_keys(secrets, maps)
        await self._take_settings(maps)
        await self._take_policy(maps)
        self._take_signers(maps)
        self._take_identity(maps)
        own = next((item for item in secrets if item["metadata"]["name"] == PUSH_SECRETS), {})
        self.push_secrets = secret.texts(own)
        self._keys()

    def _take_chart_keys(self, secrets: Sequence[Manifest], maps: Sequence[Manifest]) -> None:
        found = [
            {**secret.texts(one), secret.SECRET_TYPE: kind}
            for one in secrets
            if (kind := chart_keys.kind_of(one))
        ]
        certificates = {host.lower(): text for host, text in _data(maps, repos.TLS_CERTIFICATES).items()}
        self._concerned.charts.keys = chart_keys.keyring(found, certificates)

    async def _take_settings(self, maps: Sequence[Manifest]) -> None:
        kitchen, found = self._concerned.kitchen, settings.of(_data(maps, settings.CONFIG_MAP))
        if not self._checks_given or found.checks != kitchen.settings.checks:
            await _give_checks(self._store, found.checks, self._now())
            self._checks_given = True
        if found == kitchen.settings:
            return
        if found.wrong:
            log.warning("setting not understood", config_map=settings.CONFIG_MAP, problem=found.wrong)
        kitchen.settings = found
        self._rendering()

    async def _take_policy(self, maps: Sequence[Manifest]) -> None:
        """A policy that cannot be read leaves the one before."""
        projects = await self._world.listed(table.APP_PROJECT, NAMESPACE)
        try:
            self.policy = rbac.of_config(_data(maps, rbac.CONFIG_MAP), projects)
        except Invalid as error:
            log.warning("policy not understood", config_map=rbac.CONFIG_MAP, problem=error.message)

    def _take_signers(self, maps: Sequence[Manifest]) -> None:
        """Where others count now, everything that was refused or let through is looked at again."""
        if self._concerned.signatures.use(integrity.keyring(_data(maps, integrity.CONFIG_MAP))):
            self._signers()

    def _take_identity(self, maps: Sequence[Manifest]) -> None:
        """Who else vouches for users; what cannot be read leaves the one before."""
        try:
            found = oidc.of(_data(maps, settings.CONFIG_MAP), _data(maps, rbac.CONFIG_MAP))
            self._concerned.identity.use(found)
        except Invalid as error:
            log.warning("identity provider not understood", problem=error.message)


async def _give_checks(store: Store, checks: tuple[tuple[str, str], ...], now: float) -> None:
    """Gives every cluster the users' own health checks, and those that join later the same. May be interrupted: the next
    call does what is left.
    """
    digest, blob = settings.packed_checks(checks)

    def keep(tx: Tx) -> list[str]:
        if digest:
            bundles.put(tx, digest, blob, now)
        if desired.current_checks(tx) != digest:
            desired.keep_checks(tx, digest)
        return desired.checked_otherwise(tx, digest)

    clusters = await store.write(keep)
    for start in range(0, len(clusters), MANY):
        part = clusters[start : start + MANY]
        await store.write(lambda tx, part=part: [desired.change(tx, each, checks=digest) for each in part])  # type: ignore[misc]


def _data(maps: Sequence[Manifest], name: str) -> Mapping[str, str]:
    """What a ConfigMap holds; nothing where it is not there."""
    found = next((one for one in maps if one["metadata"]["name"] == name), {})
    return {str(key): str(value) for key, value in (found.get("data") or {}).items()}
