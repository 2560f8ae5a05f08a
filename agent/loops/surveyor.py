"""Keeps what the hub is told of the cluster true: the version of its API server and the APIs it serves.

A look at what the agent knows anyway costs nothing; now and then the server is asked anew, for others change it, too.
"""

from __future__ import annotations

import structlog

from agent.cluster.base import ClusterApi
from agent.core.facts import Facts
from agent.link.link import Link
from argosy import apis
from argosy.kinds import Kinds
from argosy.loop import Loop

log = structlog.get_logger("surveyor")

EVERY = 15.0
ASKED_EVERY = 40
"""Looks from one question to the server to the next."""


class Surveyor:
    def __init__(self, api: ClusterApi, link: Link, version: str) -> None:
        self._api = api
        self._link = link
        self._version = version
        self._looks = 0
        self._known: Kinds | None = None

    def loop(self) -> Loop:
        return Loop("surveyor", self.run, EVERY)

    async def run(self) -> None:
        self._looks += 1
        ask = self._looks % ASKED_EVERY == 0
        kinds = await self._api.kinds(refresh=ask)
        if ask:
            self._version = (await self._api.identity()).version
        elif kinds is self._known:
            return
        self._known = kinds
        served = apis.of(kinds.values())
        if len(apis.pack(served)) > apis.MOST_PACKED:
            log.warning("the hub is not told of the cluster's APIs: there are too many", count=len(served))
            served = ()
        self._link.tell(Facts(self._version, served))
