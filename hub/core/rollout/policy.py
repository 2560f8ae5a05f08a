"""A RolloutPolicy as a strategy: the shape of its `spec`, and what every field of it means.

Spans are written as Go writes durations (`90s`, `1h30m`), limits as a number or a percentage.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from argosy import cron, windows
from argosy.errors import Invalid
from hub.core.holds.windows import CLUSTER_ZONE
from hub.core.matching import labels
from hub.core.rollout.model import (
    NONE_ALLOWED,
    Gate,
    GateKind,
    Limit,
    Membership,
    Offline,
    OnFailure,
    OnNewRelease,
    Order,
    Stage,
    Strategy,
)
from hub.core.schema import schema
from hub.core.schema.schema import FLAG, TEXT, TEXTS, WHOLE, WHOLE_OR_TEXT, ListOf, Scalar, choice, struct

"""The time zone of a window that runs on each cluster's own clock."""

_GATE = struct(
    name__=TEXT,
    count=WHOLE,
    every=TEXT,
    timeout=TEXT,
    approval=struct(roles=TEXTS),
    http=struct(
        url__=TEXT, method=choice("GET", "HEAD"), status=ListOf(WHOLE), contains=TEXT, secretRef=TEXT
    ),
    prometheus=struct(
        url__=TEXT,
        query__=TEXT,
        above=Scalar("number", (int, float)),
        below=Scalar("number", (int, float)),
        secretRef=TEXT,
    ),
    object=struct(apiVersion__=TEXT, kind__=TEXT, namespace=TEXT, name__=TEXT, condition__=TEXT, status=TEXT),
    webhook=struct(secretRef=TEXT),
)
_SELECTOR = struct(
    matchLabels=schema.TEXT_MAP,
    matchExpressions=ListOf(struct(key__=TEXT, operator__=TEXT, values=TEXTS)),
)
_STAGE = struct(
    name__=TEXT,
    selector=_SELECTOR,
    maxConcurrent=WHOLE_OR_TEXT,
    startsPerMinute=Scalar("number", (int, float)),
    order=struct(by=choice(*Order), label=TEXT),
    soak=TEXT,
    deadline=TEXT,
    failureBudget=WHOLE_OR_TEXT,
    gates=struct(before=ListOf(_GATE), after=ListOf(_GATE)),
)
_WINDOW = struct(kind__=choice("allow", "deny"), schedule__=TEXT, duration__=TEXT, timeZone=TEXT)
SHAPE = struct(
    stages__=ListOf(_STAGE),
    failureBudget=WHOLE_OR_TEXT,
    offline=choice(*Offline),
    offlineAfter=TEXT,
    membership=choice(*Membership),
    onFailure=choice(*OnFailure),
    onNewRelease=choice(*OnNewRelease),
    gatedRollback=FLAG,
    seed=TEXT,
    windows=ListOf(_WINDOW),
)

_LIMIT = re.compile(r"([0-9]{1,9})(%?)\Z")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\Z")
_MOST_STAGES, _MOST_GATES = 100, 20


def parse(spec: Mapping[str, Any], path: str = "spec") -> Strategy:
    """The strategy. Raises `Invalid` naming the field, what was found and what is expected."""
    for problem in schema.check(SHAPE, spec, path)[:1]:
        raise Invalid(f"{problem.where}: {problem.message}")
    entries = spec["stages"]
    if not 0 < len(entries) <= _MOST_STAGES:
        raise Invalid(f"{path}.stages: expected 1 to {_MOST_STAGES} stages, found {len(entries)}")
    stages = tuple(_stage(entry, f"{path}.stages[{at}]") for at, entry in enumerate(entries))
    _distinct((stage.name for stage in stages), f"{path}.stages")
    if sum(stage.selector is None for stage in stages) > 1:
        raise Invalid(f"{path}.stages: only one stage may be without a selector and take the rest")
    return Strategy(
        stages,
        budget=_limit(spec.get("failureBudget"), f"{path}.failureBudget"),
        offline=Offline(spec.get("offline", Offline.DEFER)),
        offline_after=_span(spec.get("offlineAfter", "1m"), f"{path}.offlineAfter"),
        membership=Membership(spec.get("membership", Membership.JOIN)),
        on_failure=OnFailure(spec.get("onFailure", OnFailure.HALT)),
        on_new_release=OnNewRelease(spec.get("onNewRelease", OnNewRelease.SUPERSEDE)),
        gated_rollback=spec.get("gatedRollback", False),
        seed=spec.get("seed", ""),
        windows=tuple(
            _window(entry, f"{path}.windows[{at}]") for at, entry in enumerate(spec.get("windows") or ())
        ),
    )


def _stage(entry: Mapping[str, Any], path: str) -> Stage:
    order = entry.get("order") or {}
    by = Order(order.get("by", Order.NAME))
    if (by is Order.LABEL) != bool(order.get("label")):
        raise Invalid(f"{path}.order.label: expected together with `by: label`, and only then")
    budget = _limit(entry.get("failureBudget"), f"{path}.failureBudget")
    rate = entry.get("startsPerMinute", 0)
    if rate < 0:
        raise Invalid(f"{path}.startsPerMinute: expected a positive number, found {rate}")
    gates = entry.get("gates") or {}
    return Stage(
        name=_named(entry["name"], path),
        selector=_selector(entry.get("selector"), path),
        max_concurrent=_limit(entry.get("maxConcurrent"), f"{path}.maxConcurrent", least=1),
        rate=float(rate),
        order=by,
        order_label=order.get("label", ""),
        soak=_span(entry.get("soak", "0"), f"{path}.soak"),
        deadline=_span(entry.get("deadline", "0"), f"{path}.deadline"),
        budget=NONE_ALLOWED if budget is None else budget,
        before=_gates(gates.get("before") or (), f"{path}.gates.before"),
        after=_gates(gates.get("after") or (), f"{path}.gates.after"),
    )


def _selector(entry: Mapping[str, Any] | None, path: str) -> labels.Selector | None:
    if entry is None:
        return None
    try:
        return labels.compile_selector(entry, any_value=False)
    except Invalid as error:
        raise Invalid(f"{path}.selector: {error.message}") from None


def _gates(entries: Iterable[Mapping[str, Any]], path: str) -> tuple[Gate, ...]:
    gates = tuple(_gate(entry, f"{path}[{at}]") for at, entry in enumerate(entries))
    if len(gates) > _MOST_GATES:
        raise Invalid(f"{path}: expected at most {_MOST_GATES} gates, found {len(gates)}")
    _distinct((gate.name for gate in gates), path)
    return gates


def _gate(entry: Mapping[str, Any], path: str) -> Gate:
    kinds = [kind for kind in GateKind if entry.get(kind) is not None]
    if len(kinds) != 1:
        found = ", ".join(kinds) or "none"
        raise Invalid(f"{path}: expected exactly one of {', '.join(GateKind)}, found {found}")
    kind = kinds[0]
    config = entry[kind]
    if kind is GateKind.PROMETHEUS and ("above" in config) == ("below" in config):
        raise Invalid(f"{path}.prometheus: expected exactly one of above and below")
    if (count := entry.get("count", 1)) < 1:
        raise Invalid(f"{path}.count: expected 1 or more, found {count}")
    every = _span(entry.get("every", "30s"), f"{path}.every")
    if every < 1:
        raise Invalid(f"{path}.every: expected 1s or more, found {entry['every']!r}")
    return Gate(
        name=_named(entry["name"], path),
        kind=kind,
        config=config,
        count=count,
        every=every,
        timeout=_span(entry.get("timeout", "0"), f"{path}.timeout"),
        roles=tuple(config.get("roles") or ()) if kind is GateKind.APPROVAL else (),
    )


def _window(entry: Mapping[str, Any], path: str) -> Mapping[str, Any]:
    zone = entry.get("timeZone", "")
    try:
        cron.parse(entry["schedule"])
        windows.seconds(entry["duration"])
        if zone != CLUSTER_ZONE:
            cron.zone_of(zone)
    except Invalid as error:
        raise Invalid(f"{path}: {error.message}") from None
    return entry


def _limit(value: int | str | None, path: str, least: int = 0) -> Limit | None:
    if value is None:
        return None
    found = _LIMIT.match(str(value))
    if not found or int(found[1]) < least or (found[2] and int(found[1]) > 100):
        raise Invalid(
            f"{path}: expected a number of at least {least} or a percentage up to 100%, found {value!r}"
        )
    return Limit(int(found[1]), percent=bool(found[2]))


def _span(text: str, path: str) -> float:
    try:
        seconds = float(windows.seconds(text))
    except Invalid as error:
        raise Invalid(f"{path}: {error.message}") from None
    if seconds < 0:
        raise Invalid(f"{path}: expected a span of zero or more, found {text!r}")
    return seconds


def _named(name: str, path: str) -> str:
    if not _NAME.match(name):
        raise Invalid(
            f"{path}.name: expected lower case letters, digits and dashes, at most 63, found {name!r}"
        )
    return name


def _distinct(names: Iterable[str], path: str) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Invalid(f"{path}: the name {name!r} is there twice")
        seen.add(name)
