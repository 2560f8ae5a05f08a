"""What the API offers: groups, versions, resources, in the aggregated and in the legacy form."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from hub.api import negotiate, wire
from hub.core.served import table
from hub.core.served.base import Served

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_AUTHORIZATION, _AUTHENTICATION = "authorization.k8s.io", "authentication.k8s.io"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subresource:
    """A verb that is no CRUD, such as `applications/sync`. `verbs` are Kubernetes' (`create`, `get`)."""

    resource: str
    name: str
    kind: str
    verbs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Offer:
    """One resource as discovery lists it."""

    group: str
    version: str
    plural: str
    singular: str
    kind: str
    namespaced: bool
    verbs: tuple[str, ...]
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    subresources: tuple[tuple[str, str, tuple[str, ...]], ...] = ()
    """(name, kind, verbs)"""


def _review(group: str, kind: str) -> _Offer:
    return _Offer(group, "v1", f"{kind.lower()}s", kind.lower(), kind, False, ("create",))


_REVIEWS = (
    _review(_AUTHENTICATION, "SelfSubjectReview"),
    _review(_AUTHORIZATION, "SelfSubjectAccessReview"),
    _review(_AUTHORIZATION, "SelfSubjectRulesReview"),
)


def _offer(served: Served, actions: Sequence[Subresource]) -> _Offer:
    kind = served.kind
    subresources: list[tuple[str, str, tuple[str, ...]]] = []
    if kind.status:
        subresources.append(("status", kind.kind, ("get", "patch", "update")))
    subresources += [(one.name, one.kind, one.verbs) for one in actions if one.resource == served.resource]
    return _Offer(
        kind.group,
        kind.version,
        kind.plural,
        served.singular,
        kind.kind,
        kind.namespaced,
        served.verbs,
        kind.short_names,
        kind.categories,
        tuple(subresources),
    )


class Discovery:
    """All documents, made once."""

    def __init__(self, actions: Sequence[Subresource] = ()) -> None:
        self._offers = [_offer(served, actions) for served in table.SERVED] + list(_REVIEWS)

    async def api(self, request: Request) -> Response:
        """`/api`: the core group."""
        legacy = {
            "kind": "APIVersions",
            "apiVersion": "v1",
            "versions": ["v1"],
            "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": request.url.netloc}],
        }
        return _answer(request, legacy, _aggregated([("", self._of(""))]))

    async def apis(self, request: Request) -> Response:
        """`/apis`: all other groups."""
        groups = self._groups()
        legacy = {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [_group(name, self._of(name)) for name in groups],
        }
        return _answer(request, legacy, _aggregated([(name, self._of(name)) for name in groups]))

    def group(self, name: str) -> Json | None:
        """`/apis/<group>`; None for one that is not there."""
        found = self._of(name)
        return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, found)} if name and found else None

    def resources(self, group: str, version: str) -> Json | None:
        """`/apis/<group>/<version>`; None for one that is not there."""
        found = [one for one in self._of(group) if one.version == version]
        if not found:
            return None
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": [entry for one in found for entry in _legacy(one)],
        }

    def group_versions(self) -> list[tuple[str, str]]:
        """All (group, version) pairs, the core group first."""
        return sorted({(one.group, one.version) for one in self._offers})

    def _groups(self) -> list[str]:
        return sorted({one.group for one in self._offers if one.group})

    def _of(self, group: str) -> list[_Offer]:
        return [one for one in self._offers if one.group == group]


def _legacy(one: _Offer) -> Iterable[Json]:
    entry: Json = {
        "name": one.plural,
        "singularName": one.singular,
        "namespaced": one.namespaced,
        "kind": one.kind,
        "verbs": list(one.verbs),
    }
    if one.short_names:
        entry["shortNames"] = list(one.short_names)
    if one.categories:
        entry["categories"] = list(one.categories)
    yield entry
    for name, kind, verbs in one.subresources:
        yield {
            "name": f"{one.plural}/{name}",
            "singularName": "",
            "namespaced": one.namespaced,
            "kind": kind,
            "verbs": list(verbs),
        }


def _group(name: str, offers: Sequence[_Offer]) -> Json:
    versions = [
        {"groupVersion": f"{name}/{version}", "version": version}
        for version in sorted({o.version for o in offers})
    ]
    return {"name": name, "versions": versions, "preferredVersion": versions[0]}


def _aggregated(groups: Sequence[tuple[str, Sequence[_Offer]]]) -> Json:
    items = []
    for name, offers in groups:
        versions = [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_discovered(one) for one in offers if one.version == version],
            }
            for version in sorted({one.version for one in offers})
        ]
        items.append({"metadata": {"name": name} if name else {}, "versions": versions})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _discovered(one: _Offer) -> Json:
    def response_kind(kind: str) -> Json:
        return {"group": one.group, "version": one.version, "kind": kind}

    out: Json = {
        "resource": one.plural,
        "responseKind": response_kind(one.kind),
        "scope": "Namespaced" if one.namespaced else "Cluster",
        "singularResource": one.singular,
        "verbs": list(one.verbs),
    }
    if one.short_names:
        out["shortNames"] = list(one.short_names)
    if one.categories:
        out["categories"] = list(one.categories)
    if one.subresources:
        out["subresources"] = [
            {"subresource": name, "responseKind": response_kind(kind), "verbs": list(verbs)}
            for name, kind, verbs in one.subresources
        ]
    return out


def _answer(request: Request, legacy: Json, aggregated: Json) -> Response:
    shapes = (negotiate.OBJECT, negotiate.DISCOVERY)
    form = negotiate.form(request.headers.get("accept", ""), shapes=shapes)
    whole = form.shape == negotiate.DISCOVERY
    body = wire.json_bytes(aggregated if whole else legacy)
    tag = f'"{hashlib.sha256(body).hexdigest().upper()}"'
    headers = {"ETag": tag, "Vary": "Accept", "Cache-Control": "public"}
    if whole and request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return wire.json_answer(body, headers=headers, media_type=AGGREGATED if whole else wire.JSON)
