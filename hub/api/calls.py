"""One request on a resource: who asks for what, whether they may, and the record of what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.requests import Request

from argosy.machinery import failure
from argosy.machinery.kinds import Place
from argosy.objects import Manifest
from hub.api import negotiate
from hub.api.guard import Guard, Permits
from hub.api.negotiate import Form
from hub.api.paths import Target
from hub.core.access import trail
from hub.core.access.access import Attributes, User
from hub.core.served.base import Served
from hub.store import audit

_FORMS = (negotiate.OBJECT, negotiate.TABLE, negotiate.PARTIAL)


@dataclass(frozen=True, slots=True)
class Call:
    """One request on a resource, as far as it is understood."""

    request: Request
    target: Target
    served: Served
    user: User
    verb: str
    now: float
    guard: Guard
    permits: Permits | None
    """Whether the user may do this with an object; None where with every one."""

    def check(self, manifest: Manifest) -> None:
        """Raises `ApiFailure` 403 where the user may not do this with the object."""
        if self.permits is None or self.permits(manifest):
            return
        target = self.target
        resource = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
        name = str((manifest.get("metadata") or {}).get("name") or target.name)
        raise failure.access_denied(self.user.name, self.verb, resource, target.group, target.namespace, name)

    def permitted(self, verb: str, manifest: Manifest, subresource: str = "") -> bool:
        """Whether the user may do something else with an object of this kind, as it is or would be."""
        target = self.target
        what = Attributes(verb, target.group, target.resource, subresource, target.namespace, target.name)
        permits = self.guard.permits(self.user, what)
        return permits is None or permits(manifest)

    @property
    def place(self) -> Place:
        """Where it goes."""
        target = self.target
        return Place(self.served.kind, target.namespace, target.name, target.subresource)

    @property
    def form(self) -> Form:
        """The form of the answer. Raises `ApiFailure` 406."""
        return negotiate.form(self.request.headers.get("accept", ""), shapes=_FORMS)

    def record(
        self, name: str, code: int, before: Manifest | None = None, after: Manifest | None = None
    ) -> audit.Record:
        """The audit record of a mutation: the object before and after, None where there is none."""
        target, headers = self.target, self.request.headers
        resource = f"{target.group}/{target.resource}" if target.group else target.resource
        if target.subresource:
            resource += f"/{target.subresource}"
        agent = headers.get("kubectl-command") or headers.get("user-agent", "")
        status = target.subresource == "status"
        return audit.Record(
            self.now,
            self.user.name,
            self.verb,
            resource,
            target.namespace,
            name,
            code,
            self.user.through(agent)[:200],
            address_of(self.request),
            trail.change(before, after, status=status),
        )


def address_of(request: Request) -> str:
    """Where a request comes from: the connection's other end, which no header can claim to be another."""
    return request.client.host if request.client else ""
