"""What a user asks of one sync: Argo CD's `operation` (3.6), as far as it concerns the agent. Pure.

A sync that nobody asked for is the same record with nothing in it: all objects, hooks, the app's own options.
"""

from __future__ import annotations

import functools
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from argosy.objects import ObjectKey


class Chosen(NamedTuple):
    """One entry of `operation.sync.resources`. An empty namespace is any: users leave it out."""

    group: str
    kind: str
    namespace: str
    name: str

    def fits(self, key: ObjectKey) -> bool:
        """Whether it names this object."""
        named = (self.group, self.kind, self.name) == (key.group, key.kind, key.name)
        return named and self.namespace in ("", key.namespace)

    def __str__(self) -> str:
        """As `argosy app sync --resource` takes it."""
        place = f"{self.namespace}/" if self.namespace else ""
        return f"{self.group}:{self.kind}:{place}{self.name}"


@dataclass(frozen=True, slots=True)
class Retry:
    """`retry`: how often a failed sync is tried again (less than 0: without end), and after how many seconds."""

    limit: int
    first: float = 5.0
    factor: float = 2.0
    longest: float = 180.0

    def delay(self, attempt: int) -> float:
        """Seconds after the failure number `attempt` (1 = the first)."""
        return float(min(self.longest, self.first * self.factor ** min(attempt - 1, 64)))


@dataclass(frozen=True, slots=True)
class Request:
    """One requested sync. `resources` empty: all. `hooks` False: none are run. `text` is the operation as JSON."""

    resources: tuple[Chosen, ...] = ()
    prune: bool = False
    dry_run: bool = False
    hooks: bool = True
    force: bool = False
    options: tuple[str, ...] = ()
    retry: Retry | None = None
    text: str = ""

    @property
    def whole(self) -> bool:
        """True where the app is as its bundle says once this has succeeded."""
        return not self.resources and not self.dry_run and self.hooks

    def concerns(self, key: ObjectKey) -> bool:
        """Whether it is about this object."""
        return not self.resources or any(each.fits(key) for each in self.resources)

    def missed(self, keys: Collection[ObjectKey]) -> list[Chosen]:
        """What of the chosen is none of these objects."""
        return [each for each in self.resources if not any(each.fits(key) for key in keys)]


AUTOMATIC = Request()


@functools.lru_cache(maxsize=256)
def parse(text: str) -> Request:
    """Reads `Policy.operation`; what is of a wrong shape counts as absent (the hub has named it to the user)."""
    value = _mapping(_json(text))
    sync = _mapping(value.get("sync"))
    strategy = _mapping(sync.get("syncStrategy"))
    apply, hook = _mapping(strategy.get("apply")), _mapping(strategy.get("hook"))
    chosen = tuple(_chosen(each) for each in sync.get("resources") or () if isinstance(each, dict))
    applies_only = "apply" in strategy and "hook" not in strategy
    dry_run = bool(sync.get("dryRun"))
    return Request(
        resources=chosen,
        prune=bool(sync.get("prune")),
        dry_run=dry_run,
        hooks=not (chosen or applies_only or dry_run),
        force=bool(apply.get("force") or hook.get("force")),
        options=tuple(item for item in sync.get("syncOptions") or () if isinstance(item, str)),
        retry=retry(value.get("retry")),
        text=text,
    )


def retry(value: Any) -> Retry | None:
    """Argo CD's `retry` block, its durations as seconds; None where there is none. Without a limit nothing is tried
    again."""
    if not isinstance(value, dict):
        return None
    backoff = _mapping(value.get("backoff"))
    return Retry(
        int(_seconds(value.get("limit"), 0.0)),
        _seconds(backoff.get("duration"), 5.0),
        _seconds(backoff.get("factor"), 2.0),
        _seconds(backoff.get("maxDuration"), 180.0),
    )


@functools.lru_cache(maxsize=256)
def policy_retry(text: str) -> Retry | None:
    """Reads `Policy.retry`."""
    return retry(_json(text))


def _seconds(value: Any, default: float) -> float:
    try:
        return float(value or default)
    except (TypeError, ValueError):
        return default


def _chosen(each: Mapping[str, Any]) -> Chosen:
    return Chosen(*(str(each.get(name) or "") for name in ("group", "kind", "namespace", "name")))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _json(text: str) -> Any:
    try:
        return orjson.loads(text) if text else None
    except orjson.JSONDecodeError:
        return None
