"""Ends watches whose user may not have them any more: the token ended, or the policy says otherwise of him.

Looked at when tokens, accounts, projects' roles or the policy change, never for each event; and the time of tokens, which
nobody announces, once a second while there is a watch at all.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import structlog
from starlette.requests import Request

from argosy.errors import ArgosyError
from argosy.machinery.failure import ApiFailure
from hub.api.auth import Authenticator
from hub.core import settings
from hub.core.access import rbac
from hub.core.access.access import Attributes, User, allows
from hub.core.access.rbac import Policy
from hub.core.served import table
from hub.store.base import Change, Store

EVERY = 1.0
"""Seconds between two looks at the clock and at which policy counts."""
AFTER = 3
"""So many looks after a change are at the tokens, too: settings are taken up a moment after they are written."""
_MAPS = frozenset((settings.CONFIG_MAP, rbac.CONFIG_MAP))
log = structlog.get_logger("watch")


@dataclass(eq=False, slots=True)
class Standing:
    """By what somebody has a watch. `policy` is the one by which it was let in, `until` when its token ends, Unix seconds
    (0 for never); `over` is set when it is to end."""

    request: Request
    user: User
    what: Attributes
    policy: Policy
    until: float
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Vigil:
    """One for an API. `policy` gives the one that counts now, `clock` Unix seconds. Use `start` before, `stop` after."""

    def __init__(
        self,
        store: Store,
        authenticator: Authenticator,
        policy: Callable[[], Policy],
        clock: Callable[[], float],
    ) -> None:
        self._store = store
        self._authenticator = authenticator
        self._policy = policy
        self._clock = clock
        self._open: set[Standing] = set()
        self._changed = asyncio.Event()
        self._looking: asyncio.Task[None] | None = None
        self._unlisten: Callable[[], None] = lambda: None

    def start(self) -> None:
        self._unlisten = self._store.listen(self._heard)

    async def stop(self) -> None:
        self._unlisten()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    @contextlib.contextmanager
    def over(self, standing: Standing) -> Iterator[asyncio.Event]:
        """What is set when a watch is to end, for as long as the watch lasts."""
        self._open.add(standing)
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look(), name="vigil")
        try:
            yield standing.over
        finally:
            self._open.discard(standing)

    def _heard(self, changes: Sequence[Change]) -> None:
        if any(map(_concerns, changes)):
            self._authenticator.forget()
            self._changed.set()

    async def _look(self) -> None:
        """Runs for as long as there are watches."""
        left = 0
        while self._open:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._changed.wait()
                    left = AFTER
            self._changed.clear()
            if left:
                self._authenticator.forget()
            for standing in tuple(self._open):
                if self._outlived(standing) or (left and not await self._still_known(standing)):
                    standing.over.set()
            left = max(0, left - 1)

    def _outlived(self, standing: Standing) -> bool:
        """Whether its token's time is up, or another policy says otherwise of its user."""
        if 0 < standing.until <= self._clock():
            return True
        now = self._policy()
        if now is standing.policy or allows(standing.user, standing.what):
            return False
        name, groups = standing.user.name, standing.user.groups
        if standing.policy.concerning(name, groups) != now.concerning(name, groups):
            return True
        standing.policy = now
        return False

    async def _still_known(self, standing: Standing) -> bool:
        """Whether who asked would still be the same; who cannot be asked about is taken to be."""
        try:
            return await self._authenticator.user(standing.request) == standing.user
        except ApiFailure as failure:
            return failure.code not in (401, 403)
        except ArgosyError as error:
            log.warning("who watches could not be looked up", reason=error.message)
            return True


def _concerns(change: Change) -> bool:
    if change.resource == table.CONFIG_MAP.resource:
        return change.name in _MAPS
    return change.resource in (table.API_TOKEN.resource, table.APP_PROJECT.resource)
