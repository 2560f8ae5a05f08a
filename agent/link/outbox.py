"""The states of this cluster's applications on their way to the hub: only what changed, until it is durable
there.

One state for each application waits, the newest. While a report is on its way further changes gather for
the next one.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Iterable

from argosy import convert
from argosy.convert import State
from argosy.status import AppStatus
from argosy.v1 import link_pb2 as pb


class Outbox:
    """For one event loop. `changed` is set when there may be something to send."""

    def __init__(self) -> None:
        self._states: dict[str, State] = {}
        self._digests: dict[str, str] = {}
        self._waiting: dict[str, None] = {}
        self._flying: dict[int, dict[str, str]] = {}
        self._awaited: frozenset[str] = frozenset()
        self._noted: dict[str, str] = {}
        self._number = 0
        self._sent = 0.0
        self._full_owed = False
        self.changed = asyncio.Event()

    def put(self, status: AppStatus) -> None:
        """The newest state of an application. Equal to the last one: nothing is sent."""
        state = convert.state_of(status)
        digest = hashlib.sha256(state.detail).hexdigest()
        if self._digests.get(state.assignment) == digest:
            return
        self._states[state.assignment], self._digests[state.assignment] = state, digest
        self._waiting[state.assignment] = None
        self.changed.set()

    def drop(self, assignments: Iterable[str]) -> None:
        """Speaks no more of these; the hub forgets them when it closes their removals."""
        for gone in assignments:
            self._states.pop(gone, None)
            self._digests.pop(gone, None)
            self._waiting.pop(gone, None)

    def expect(self, assignments: Collection[str]) -> None:
        """Until each of these has a state, nothing that is sent counts as all there is."""
        self._awaited = frozenset(assignments)
        self.changed.set()

    @property
    def complete(self) -> bool:
        return self._awaited <= self._states.keys()

    @property
    def state_digest(self) -> str:
        """Over all states; "" while some are not known yet, after a start."""
        return convert.state_digest(self._digests.items()) if self.complete else ""

    def note(self) -> str:
        """`state_digest` for a Hello, and remembers what it covers until the Welcome."""
        self._noted = dict(self._digests) if self.complete else {}
        return self.state_digest

    def restart(self, *, report_all: bool) -> None:
        """A new stream: what was not acknowledged is sent again; everything, where the hub's copy differs.

        Where it does not, the hub has what the Hello's digest covered, and only what changed since is to be
        sent.
        """
        self._resend()
        self._full_owed = report_all
        if report_all:
            self._waiting = dict.fromkeys(self._states)
        else:
            known = self._noted
            self._waiting = {a: None for a in self._waiting if known.get(a) != self._digests[a]}
        self.changed.set()

    def ack(self, number: int) -> None:
        """That report is durable at the hub."""
        if self._flying.pop(number, None) is not None:
            self.changed.set()

    def overdue(self, now: float, patience: float) -> None:
        """Sends again what was sent more than `patience` seconds before `now` (monotonic) and not
        acknowledged.
        """
        if self._flying and now - self._sent > patience:
            self._resend()
            self.changed.set()

    def _resend(self) -> None:
        for flying in self._flying.values():
            self._waiting.update(dict.fromkeys(a for a in flying if a in self._states))
        self._flying.clear()

    def next(self, now: float) -> list[pb.Report]:
        """What to send at `now` (monotonic seconds): nothing while a report is on its way or all is said."""
        if self._flying or not (self._waiting or (self._full_owed and self.complete)):
            return []
        full = self._full_owed and self.complete
        names = list(self._states) if full else list(self._waiting)
        self._waiting.clear()
        self._sent = now
        if full:
            self._full_owed = False
        reports = list(
            convert.report_to((self._states[a] for a in names), full=full, state_digest=self.state_digest)
        )
        for report in reports:
            self._number += 1
            report.number = self._number
            self._flying[self._number] = {
                app.assignment: self._digests[app.assignment] for app in report.apps
            }
        return reports
