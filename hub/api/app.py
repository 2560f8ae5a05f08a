"""The API as one ASGI application: who asks, what for, may they, and the answer or its `Status`.

Nothing here knows of sockets or TLS (`server`), of SQL, or of single kinds.
"""

from __future__ import annotations

import asyncio
import email.utils
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from prometheus_client.core import Metric
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from argosy.loop import Record
from argosy.machinery import failure
from hub.api import bodies, metrics, paths, reviews, wire
from hub.api.auth import Authenticator
from hub.api.calls import Call
from hub.api.discovery import Discovery, Subresource
from hub.api.guard import Guard
from hub.api.health import Families, Health
from hub.api.listing import Lister
from hub.api.objects import Objects
from hub.api.openapi import OpenApi
from hub.api.paths import Target
from hub.api.rings import Rings
from hub.api.show import Viewer
from hub.api.vigil import Standing, Vigil
from hub.api.watching import Watcher, WatchResponse
from hub.api.webhook import OnPush, Webhook
from hub.core.access.access import Attributes, User
from hub.core.access.rbac import NOTHING, Policy
from hub.core.served import table
from hub.oidc import Identity
from hub.store.base import Store
from hub.store.resources import Resources

REQUEST_SECONDS = 60.0
"""How long a request other than a watch may take, its body included."""
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_REVIEWS = {
    ("authorization.k8s.io", "v1", "selfsubjectaccessreviews"): "SelfSubjectAccessReview",
    ("authorization.k8s.io", "v1", "selfsubjectrulesreviews"): "SelfSubjectRulesReview",
    ("authentication.k8s.io", "v1", "selfsubjectreviews"): "SelfSubjectReview",
}

log = structlog.get_logger("api")

Handler = Callable[[Request], Any]


@dataclass(frozen=True, slots=True)
class Action:
    """A verb that is no CRUD, at `<resource>/<name>/<action>`: an extension point.

    `offer` is how discovery lists it; no other verb than those gets to `run(call)`, which answers a Starlette response and
    raises `ApiFailure`.
    """

    offer: Subresource
    run: Callable[[Call], Any]


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a `Page`, by a user who may visit it."""

    request: Request
    user: User
    now: float
    permit: Callable[[Attributes], None]
    """Raises `ApiFailure` 403 where the user may not do something else, too."""


@dataclass(frozen=True, slots=True)
class Page:
    """What is no resource, at a path of its own: an extension point. `run(visit)` answers a Starlette response and raises
    `ApiFailure` and our errors.
    """

    path: str
    method: str
    run: Callable[[Visit], Any]


async def _no_families(now: float) -> Sequence[Metric]:
    return ()


@dataclass(frozen=True, slots=True)
class Hub:
    """What the API needs of the hub around it."""

    store: Store
    resources: Resources
    version: str
    on_push: OnPush | None = None
    records: Callable[[], Sequence[Record]] = tuple
    actions: Sequence[Action] = ()
    pages: Sequence[Page] = ()
    families: Families = _no_families
    clock: Callable[[], float] = time.time
    policy: Callable[[], Policy] = lambda: NOTHING
    """What users may beside the two built-in groups."""
    identity: Identity | None = None
    """Who else vouches for users."""
    callers: Mapping[str, Handler] = field(default_factory=dict)
    """POST pages by path, for callers who are no users: each checks by itself who calls."""


class Api:
    """The application. `start` it before serving; `stop` ends its watches."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        viewer = Viewer(hub.resources)
        self._rings = Rings(hub.store, viewer, hub.clock)
        lister = Lister(hub.store, viewer, hub.clock)
        watcher = Watcher(hub.store, viewer, self._rings, hub.clock)
        self._objects = Objects(hub.store, hub.resources, viewer, lister, watcher)
        self._guard = Guard(hub.policy)
        self._authenticator = Authenticator(hub.store, hub.clock, hub.identity)
        self._vigil = Vigil(hub.store, self._authenticator, hub.policy, hub.clock)
        self._discovery = Discovery([action.offer for action in hub.actions])
        self._actions = {(action.offer.resource, action.offer.name): action for action in hub.actions}
        started = email.utils.formatdate(hub.clock(), usegmt=True)
        openapi = OpenApi(self._discovery.group_versions(), hub.version, started)
        health = Health(hub.store, hub.version, hub.records, hub.clock, hub.families)
        webhook = Webhook(hub.on_push)
        free = {
            "/healthz": health.ready,
            "/readyz": health.ready,
            "/livez": health.live,
            "/version": health.version,
        }
        known: dict[str, Handler] = {
            "/api": self._discovery.api,
            "/apis": self._discovery.apis,
            "/openapi/v3": openapi.index,
            "/metrics": health.metrics,
            "/loops": health.loops,
        }
        # Clients made from Kubernetes' OpenAPI ask for "/version/", "/apis/".
        routes = [
            Route(path + end, self._page(handler, free=True))
            for path, handler in free.items()
            for end in ("", "/")
        ]
        routes.append(Route("/api/webhook", self._page(webhook.push, free=True), methods=["POST"]))
        routes += [
            Route(path, self._page(handler, free=True), methods=["POST"])
            for path, handler in hub.callers.items()
        ]
        routes += [
            Route(path + end, self._page(handler)) for path, handler in known.items() for end in ("", "/")
        ]
        routes += [Route(page.path, self._visited(page), methods=[page.method]) for page in hub.pages]
        routes.append(Route("/openapi/v3/{path:path}", self._page(openapi.document)))
        routes.append(Route("/{path:path}", _Endpoint(self._resource), methods=_METHODS))
        self.asgi = Starlette(routes=routes)
        self.asgi.router.redirect_slashes = False

    async def start(self) -> None:
        """Begins to follow the store's changes."""
        self._vigil.start()
        await self._rings.start()

    async def stop(self) -> None:
        """Ends open watches."""
        await self._vigil.stop()
        await self._rings.stop()

    def _page(self, handler: Handler, *, free: bool = False) -> _Endpoint:
        async def answer(request: Request) -> Response:
            if not free:
                who = await self._known(request)
                self._permit(who, Attributes(request.method.lower(), path=request.url.path))
            async with asyncio.timeout(REQUEST_SECONDS):
                found: Response = await handler(request)
            return await wire.compressed(request, found)

        return _Endpoint(answer)

    def _visited(self, page: Page) -> _Endpoint:
        async def answer(request: Request) -> Response:
            who = await self._known(request)
            self._permit(who, Attributes(request.method.lower(), path=request.url.path))
            visit = Visit(request, who, self._hub.clock(), lambda what: self._permit(who, what))
            async with asyncio.timeout(REQUEST_SECONDS):
                found: Response = await page.run(visit)
            return await wire.compressed(request, found)

        return _Endpoint(answer)

    async def _known(self, request: Request) -> User:
        who = await self._authenticator.user(request)
        if who is None:
            raise failure.unauthorized()
        return who

    def _permit(self, who: User, what: Attributes) -> None:
        if self._guard.might(who, what):
            return
        if what.path:
            why = f'User "{who.name}" cannot {what.verb} path "{what.path}"'
            raise failure.forbidden("", "", "", why)
        resource = f"{what.resource}/{what.subresource}" if what.subresource else what.resource
        raise failure.access_denied(who.name, what.verb, resource, what.group, what.namespace, what.name)

    async def _resource(self, request: Request) -> Response | WatchResponse:
        """Everything below `/api/` and `/apis/`."""
        who = await self._known(request)
        ends = self._authenticator.ends(request)
        target = paths.parse(request.url.path)
        if target is None or not target.resource:
            return await self._described(request, target, who)
        verb = paths.verb(request.method, target, watch=wire.flag(request, "watch"))
        what = Attributes(
            verb, target.group, target.resource, target.subresource, target.namespace, target.name
        )
        review = _REVIEWS.get((target.group, target.version, target.resource))
        if review is not None:
            return await self._review(request, review, what, who)
        served = table.BY_PATH.get((target.group, target.version, target.resource))
        if served is None:
            self._permit(who, what)
            raise failure.no_such_path()
        if served is table.NAMESPACE:
            target = Target(
                target.group, target.version, target.resource, "", target.name, target.subresource
            )
        self._permit(who, what)
        standing = Standing(request, who, what, self._hub.policy(), ends)
        await self._rings.follow(served)
        guard = self._guard
        call = Call(request, target, served, who, verb, self._hub.clock(), guard, guard.permits(who, what))
        action = self._actions.get((served.resource, target.subresource))
        if action is not None:
            if verb not in action.offer.verbs:
                raise failure.method_not_allowed(target.resource, target.group, verb or request.method)
            await self._objects.admit(call)
            async with asyncio.timeout(REQUEST_SECONDS):
                acted: Response = await action.run(call)
            return acted
        _check(call)
        if verb == "watch":
            watch = await self._objects.answer(call)
            return watch.until(self._vigil.over(standing)) if isinstance(watch, WatchResponse) else watch
        async with asyncio.timeout(REQUEST_SECONDS):
            found = await self._objects.answer(call)
        assert isinstance(found, Response)
        return await wire.compressed(request, found)

    async def _described(self, request: Request, target: Target | None, who: User) -> Response:
        """`/api/v1`, `/apis/<group>`, `/apis/<group>/<version>`, and paths that are nothing."""
        path = request.url.path
        self._permit(who, Attributes(request.method.lower(), path=path))
        found: dict[str, Any] | None = None
        parts = [part for part in path.split("/") if part]
        if target is not None:
            found = self._discovery.resources(target.group, target.version)
        elif len(parts) == 2 and parts[0] == "apis":
            found = self._discovery.group(parts[1])
        if found is None or request.method != "GET":
            raise failure.no_such_path()
        return wire.json_answer(found)

    async def _review(self, request: Request, kind: str, what: Attributes, who: User) -> Response:
        if what.verb != "create" or what.name:
            raise failure.method_not_allowed(what.resource, what.group, what.verb)
        self._permit(who, what)
        body, _ = bodies.decode(await bodies.read(request), bodies.media_type(request))
        if not isinstance(body, dict):
            raise failure.bad_request("the body is not an object")
        return wire.json_answer(reviews.answer(kind, body, who, self._guard.might), 201)


def _check(call: Call) -> None:
    """That the resource has such a verb, subresource and place. Raises `ApiFailure` 404, 405."""
    target, served = call.target, call.served
    kind = served.kind
    if target.subresource and not (target.subresource == "status" and kind.status):
        message = (
            f'the server could not find the requested resource: {kind.plural} "{target.name}" has no subresource '
            f'"{target.subresource}"'
        )
        raise failure.ApiFailure(
            404, "NotFound", message, failure.Subject(target.name, target.group, target.resource)
        )
    if target.namespace and not kind.namespaced:
        raise failure.no_such_path()
    if (
        kind.namespaced
        and not target.namespace
        and (target.name or call.verb in ("create", "deletecollection"))
    ):
        raise failure.no_such_path()
    if call.verb not in served.verbs or (call.verb == "create" and target.name):
        raise failure.method_not_allowed(target.resource, target.group, call.verb or call.request.method)


class _Endpoint:
    """An ASGI endpoint around a handler: what it raises becomes a `Status`."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response: Response | WatchResponse
        began = time.monotonic()
        try:
            response = await self._handler(request)
        except TimeoutError:
            late = failure.ApiFailure(504, "Timeout", f"the request took longer than {REQUEST_SECONDS:g} s")
            response = wire.failed(late)
        except Exception as error:
            found = wire.as_failure(error)
            if found.code == 500 and not isinstance(error, failure.ApiFailure):
                log.exception("request broke", method=request.method, path=request.url.path)
            response = wire.failed(found)
        metrics.REQUESTS.labels(request.method, str(response.status_code)).inc()
        if not isinstance(response, WatchResponse):
            metrics.SECONDS.labels(request.method).observe(time.monotonic() - began)
        await response(scope, receive, send)
