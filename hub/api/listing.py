"""Lists: selectors, paging over one snapshot, and the forms a list is answered in."""

from __future__ import annotations

import asyncio
import base64
import gzip
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from argosy.machinery import failure, selector
from argosy.objects import Manifest
from argosy.turns import Turns
from hub.api import negotiate, show
from hub.api.guard import Permits
from hub.api.negotiate import Form
from hub.api.show import Viewer
from hub.api.wire import json_bytes
from hub.core.served.base import Served
from hub.store import objects
from hub.store.base import Store, Tx
from hub.store.objects import Row

MAX_SNAPSHOTS = 64
MAX_SNAPSHOT_BYTES = 64 * 1024 * 1024
"""What is kept of lists that are read page by page; the oldest goes first, and its reader starts again."""
SAME_SECONDS = 5.0
"""How long an answer may stand for a later one while nothing is written: ages in tables are behind by so much."""
MAX_LAST = 64
MAX_LAST_BYTES = 64 * 1024 * 1024
_TOO_OLD = (
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
    "the continue parameter."
)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which objects a list or watch is about."""

    namespace: str | None
    labels: selector.Matches | None = None
    fields: selector.Field | None = None
    name: str = ""
    """Set where the field selector names one object."""

    @property
    def whole(self) -> bool:
        """Nothing is filtered."""
        return self.labels is None and self.fields is None

    def matches(self, manifest: Manifest) -> bool:
        """Whether the object is selected. The namespace is not looked at."""
        if self.labels is not None and not self.labels(manifest["metadata"].get("labels") or {}):
            return False
        return self.fields is None or self.fields(manifest)


def selection(served: Served, namespace: str, query: Mapping[str, str]) -> Selection:
    """The selection of a request. Raises `ApiFailure` 400."""
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    known = {**selector.metadata_fields(namespaced=served.kind.namespaced), **served.fields}
    name = ""
    if fields.startswith("metadata.name=") and "," not in fields:
        name = fields.removeprefix("metadata.name=").removeprefix("=")
    return Selection(
        namespace or None,
        selector.parse(labels) if labels else None,
        selector.parse_fields(fields, known) if fields else None,
        name,
    )


def restricted(wanted: Selection, permits: Permits | None) -> Selection:
    """The selection, of what the user may see."""
    if permits is None:
        return wanted
    fields = wanted.fields
    return replace(wanted, fields=lambda manifest: permits(manifest) and (fields is None or fields(manifest)))


@dataclass
class Page:
    """One page of a list, as JSON in the form asked for."""

    body: bytes
    rv: int
    made: float = 0.0
    """When, by a clock that nobody sets."""
    _packing: asyncio.Task[bytes] | None = None

    async def packed(self) -> bytes:
        """The body under gzip, made once for all who take the page."""
        if self._packing is None:
            self._packing = asyncio.create_task(asyncio.to_thread(gzip.compress, self.body, 1))
        return await asyncio.shield(self._packing)


@dataclass(frozen=True, slots=True)
class _Rest:
    """What is left of a list that is read page by page: of which resource and namespace (None for all), as of which
    version.
    """

    resource: str
    namespace: str | None
    rv: int
    rows: list[Row]


class Lister:
    """Answers lists. `clock` gives Unix seconds.

    Equal questions at one moment are answered together, and from the last answer while nothing was written since: many
    who look at the same list cost little more than one.
    """

    def __init__(self, store: Store, viewer: Viewer, clock: Callable[[], float]) -> None:
        self._store = store
        self._viewer = viewer
        self._clock = clock
        self._snapshots: OrderedDict[str, _Rest] = OrderedDict()
        self._kept = 0
        self._turns = Turns()
        self._last: OrderedDict[Hashable, Page] = OrderedDict()

    async def page(
        self,
        served: Served,
        wanted: Selection,
        query: Mapping[str, str],
        form: Form,
        *,
        alike: bool = False,
    ) -> Page:
        """A whole list, or the next page of one. Raises `ApiFailure` 400, 410, 504. `alike`: everybody who asks so gets
        the same.
        """
        if query.get("continue") or not alike:
            return await self._page(served, wanted, query, form)
        key = (served.resource, wanted.namespace, form, tuple(sorted(query.items())))
        return await self._turns.run(key, lambda: self._fresh(key, served, wanted, query, form))

    async def _fresh(
        self, key: Hashable, served: Served, wanted: Selection, query: Mapping[str, str], form: Form
    ) -> Page:
        """The last answer where it is still right: nothing was written since."""
        last = self._last.get(key)
        young = last is not None and time.monotonic() - last.made < SAME_SECONDS
        if last is not None and young and last.rv == await self._store.read(objects.newest_rv):
            return last
        page = await self._page(served, wanted, query, form)
        page.made = time.monotonic()
        self._last[key] = page
        self._last.move_to_end(key)
        while len(self._last) > 1 and (
            len(self._last) > MAX_LAST or sum(len(one.body) for one in self._last.values()) > MAX_LAST_BYTES
        ):
            self._last.popitem(last=False)
        asyncio.get_running_loop().call_later(SAME_SECONDS, self._forget, key, page)
        return page

    def _forget(self, key: Hashable, page: Page) -> None:
        if self._last.get(key) is page:
            del self._last[key]

    async def _page(self, served: Served, wanted: Selection, query: Mapping[str, str], form: Form) -> Page:
        limit = _limit(query.get("limit", ""))
        token = query.get("continue", "")
        snapshot = self._resumed(token, served, wanted) if token else None
        exact = query.get("resourceVersionMatch") == "Exact"
        least = _version(query.get("resourceVersion", "")) if not token else 0
        now = self._clock()
        include = query.get("includeObject", "Metadata")

        following = self._token()

        def job(tx: Tx) -> tuple[int, list[Row], bytes]:
            if snapshot is None:
                rv, rows = objects.newest_rv(tx), self._selected(tx, served, wanted)
                _check_version(least, rv, exact=exact)
            else:
                rv, rows = snapshot.rv, snapshot.rows
            rest = rows[limit:] if limit else []
            shown = rows[: limit or None]
            if snapshot is not None and not wanted.whole:
                # Whoever has got hold of the token sees what he may see, and no more.
                read = self._viewer.resources.read
                shown = [row for row in shown if wanted.matches(read(row))]
            metadata: dict[str, Any] = {"resourceVersion": str(rv)}
            if rest:
                metadata["continue"] = following
                if wanted.whole:
                    metadata["remainingItemCount"] = len(rest)
            return rv, rest, self._formed(tx, served, shown, metadata, form, now, include)

        rv, rest, body = await self._store.read(job)
        if rest:
            self._keep(following, _Rest(served.resource, wanted.namespace, rv, rest))
        return Page(body, rv)

    def _selected(self, tx: Tx, served: Served, wanted: Selection) -> list[Row]:
        if wanted.name and (wanted.namespace or not served.kind.namespaced):
            row = objects.get(tx, served.resource, wanted.namespace or "", wanted.name)
            rows = [row] if row is not None else []
        else:
            read_all = objects.page if served.sealed else objects.listed
            rows = read_all(tx, served.resource, wanted.namespace)
        if wanted.whole:
            return rows
        read = self._viewer.resources.read
        return [row for row in rows if wanted.matches(read(row))]

    def _formed(
        self,
        tx: Tx,
        served: Served,
        rows: list[Row],
        metadata: dict[str, Any],
        form: Form,
        now: float,
        include: str,
    ) -> bytes:
        kind = served.kind
        if form.shape == negotiate.OBJECT:
            bodies = self._viewer.bodies(tx, served, rows, now)
            return show.list_bytes(kind.api_version, kind.list_kind, metadata, bodies)
        manifests = self._viewer.each(tx, served, rows, now)
        if form.shape == negotiate.TABLE:
            return show.table_bytes(served, manifests, metadata, now, include=include, version=form.version)
        partials = (json_bytes(show.partial(manifest, form.version)) for manifest in manifests)
        return show.list_bytes(f"meta.k8s.io/{form.version}", "PartialObjectMetadataList", metadata, partials)

    # --- snapshots ---

    def _token(self) -> str:
        """One that nobody can guess: what it stands for was read in the name of a user."""
        raw = orjson.dumps({"v": "argosy", "page": secrets.token_urlsafe(16)})
        return base64.urlsafe_b64encode(raw).decode().rstrip("=")

    def _keep(self, token: str, rest: _Rest) -> None:
        self._snapshots[token] = rest
        self._kept += _size(rest.rows)
        while len(self._snapshots) > 1 and (
            len(self._snapshots) > MAX_SNAPSHOTS or self._kept > MAX_SNAPSHOT_BYTES
        ):
            _, gone = self._snapshots.popitem(last=False)
            self._kept -= _size(gone.rows)

    def _resumed(self, token: str, served: Served, wanted: Selection) -> _Rest:
        """What is left of a list. The page can be asked for again until newer lists push it out."""
        found = self._snapshots.get(token)
        if found is None:
            try:
                orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            except ValueError:
                raise failure.bad_request("continue key is not valid") from None
            raise failure.expired(_TOO_OLD)
        if (found.resource, found.namespace) != (served.resource, wanted.namespace):
            raise failure.bad_request("continue key is not valid: it is of another list")
        self._snapshots.move_to_end(token)
        return found


def _size(rows: list[Row]) -> int:
    return sum(len(row.body) for row in rows)


def _limit(text: str) -> int:
    if not text:
        return 0
    if not text.lstrip("-").isdecimal():
        raise failure.bad_request(f"invalid limit: {text!r} is not a number")
    return max(0, int(text))


def _version(text: str) -> int:
    if text and not text.isdecimal():
        raise failure.bad_request(f"invalid resource version: {text!r}")
    return int(text or 0)


def _check_version(least: int, rv: int, *, exact: bool) -> None:
    if least > rv:
        raise failure.timeout(f"Too large resource version: {least}, current: {rv}")
    if exact and least != rv:
        raise failure.expired(f"The provided resource version {least} is not kept; the newest is {rv}")
