"""Is the hub up, which version is it, and what do its loops do."""

from __future__ import annotations

import html
import platform
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from argosy.errors import ArgosyError
from argosy.loop import Record
from hub.api import wire
from hub.core.served.cells import duration, stamp
from hub.store import objects
from hub.store.base import Store

KUBERNETES = "v1.37.0"
"""The API level that clients may count on; `gitVersion` carries our own version behind it."""


def version_info(version: str) -> dict[str, str]:
    """What `/version` answers: clients parse `gitVersion` as a semantic version."""
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    return {
        "major": major,
        "minor": minor,
        "gitVersion": f"{KUBERNETES}+argosy.{version}",
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": "",
        "compiler": "python",
        "platform": f"linux/{platform.machine()}",
    }


Families = Callable[[float], Awaitable[Iterable[Metric]]]
"""(now) -> metrics that are reckoned when they are asked for."""


class _Ready(Collector):
    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


class Health:
    """The pages. `records` are those of the hub's loops; `clock` tells Unix seconds; `families` gives
    further metrics.
    """

    def __init__(
        self,
        store: Store,
        version: str,
        records: Callable[[], Sequence[Record]],
        clock: Callable[[], float],
        families: Families,
    ) -> None:
        self._store = store
        self._families = families
        self._version = version_info(version)
        self._records = records
        self._clock = clock

    async def live(self, request: Request) -> Response:
        """`/livez`: the process answers."""
        return PlainTextResponse("ok")

    async def ready(self, request: Request) -> Response:
        """`/readyz`, `/healthz`: the store answers, else 503. A hub that has not started does not listen yet."""
        try:
            await self._store.read(objects.newest_rv)
        except ArgosyError as error:
            return PlainTextResponse(f"store: {error.message}", 503)
        return PlainTextResponse("ok")

    async def version(self, request: Request) -> Response:
        """`/version`."""
        return wire.json_answer(self._version)

    async def metrics(self, request: Request) -> Response:
        """`/metrics` in Prometheus' text form."""
        own = CollectorRegistry()
        families = await self._families(self._clock())
        own.register(_Ready(families))
        return Response(generate_latest(REGISTRY) + generate_latest(own), media_type=CONTENT_TYPE_LATEST)

    async def loops(self, request: Request) -> Response:
        """`/loops`: each loop's last run, duration and error, as JSON or as a page for people."""
        records = list(self._records())
        if "text/html" not in request.headers.get("accept", ""):
            return wire.json_answer({"loops": [asdict(record) for record in records]})
        return HTMLResponse(_page(records, self._clock()))


def _page(records: Sequence[Record], now: float) -> str:
    head = "".join(
        f"<th>{name}</th>" for name in ("Loop", "State", "Last run", "Took", "Runs", "Failures", "Error")
    )
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in _cells(record, now)) + "</tr>"
        for record in records
    )
    return (
        "<!doctype html><meta charset=utf-8><title>Argosy: loops</title>"
        "<style>body{font:14px system-ui;margin:2em}td,th{padding:.3em 1em;text-align:left;border-bottom:1px solid #ddd}"
        f"</style><h1>Loops</h1><table><tr>{head}</tr>{rows}</table>"
    )


def _cells(record: Record, now: float) -> tuple[str, ...]:
    state = "running" if record.running else "failed" if record.error else "ok" if record.runs else "waiting"
    last = f"{duration(now - record.last_run)} ago ({stamp(record.last_run)})" if record.last_run else "never"
    took = f"{record.duration * 1000:.1f} ms"
    return record.name, state, last, took, str(record.runs), str(record.failures), record.error
