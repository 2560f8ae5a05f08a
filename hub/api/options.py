"""What a request says beside the object: who writes, how strictly, on which version, and whether in earnest.

As Kubernetes' CreateOptions, UpdateOptions, PatchOptions and DeleteOptions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request

from argosy.machinery import failure, managed_fields, write
from argosy.machinery.write import Options
from hub.api import bodies
from hub.api.calls import Call
from hub.core.served import cells
from hub.store import resources

_VALIDATIONS = ("Ignore", "Warn", "Strict")
_MANAGER_BYTES = 128


def of_write(call: Call, *, apply: bool = False) -> Options:
    """Of a create, update or patch; `apply`: a server-side apply, whose manager is named or there is none. Raises 422."""
    query = call.request.query_params
    validation = query.get("fieldValidation") or "Warn"
    manager = query.get("fieldManager", "")
    kind = "PatchOptions" if call.verb == "patch" else f"{call.verb.capitalize()}Options"
    errors = []
    if validation not in _VALIDATIONS:
        errors.append(failure.not_supported("fieldValidation", validation, ("", *_VALIDATIONS)))
    if len(manager.encode()) > _MANAGER_BYTES:
        errors.append(failure.too_long("fieldManager", _MANAGER_BYTES))
    if not manager.isprintable():
        errors.append(
            failure.invalid_value("fieldManager", manager, "should only contain printable characters")
        )
    if errors:
        raise failure.invalid(kind, "meta.k8s.io", "", errors)
    name = (
        manager if apply else managed_fields.manager_name(manager, call.request.headers.get("user-agent", ""))
    )
    return resources.options(name, call.now, validation)


@dataclass(frozen=True, slots=True)
class Deleting:
    """`DeleteOptions`."""

    uid: str
    version: str
    propagation: str
    dry_run: bool

    def deletion(self, now: float) -> write.Deletion:
        """As the machinery takes it."""
        return write.Deletion(cells.stamp(now), self.uid, self.version, self.propagation)


async def of_delete(call: Call) -> Deleting:
    """From the body, else from the query. Raises 400, 422."""
    raw = await bodies.read(call.request)
    body: Any = {}
    if raw.strip():
        body, _ = bodies.decode(raw, bodies.media_type(call.request))
    if not isinstance(body, dict):
        raise failure.bad_request("the body is not DeleteOptions")
    query = call.request.query_params
    conditions = body.get("preconditions") or {}
    propagation = body.get("propagationPolicy") or query.get("propagationPolicy") or ""
    if propagation not in ("", "Background", "Foreground", "Orphan"):
        error = failure.not_supported(
            "propagationPolicy", propagation, ("Foreground", "Background", "Orphan", "nil")
        )
        raise failure.invalid("DeleteOptions", "meta.k8s.io", "", [error])
    if body.get("orphanDependents"):
        propagation = "Orphan"
    dry = list(body.get("dryRun") or ()) or call.request.query_params.getlist("dryRun")
    return Deleting(
        conditions.get("uid") or "",
        conditions.get("resourceVersion") or "",
        propagation,
        _is_dry(dry, "DeleteOptions"),
    )


def dry_run(request: Request) -> bool:
    """Whether a write only shows what would come of it. Raises 422 for any value but `All`."""
    return _is_dry(request.query_params.getlist("dryRun"), "PatchOptions")


def _is_dry(values: list[str], kind: str) -> bool:
    given = [value for value in values if value]
    if any(value != "All" for value in given):
        error = failure.not_supported("dryRun", given, ("All",))
        raise failure.invalid(kind, "meta.k8s.io", "", [error])
    return bool(given)


def version_in(body: Any) -> str:
    """The resourceVersion a body names."""
    metadata = body.get("metadata") if isinstance(body, dict) else None
    said = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    return said if isinstance(said, str) else ""


def version_in_patch(body: Any) -> str:
    """The resourceVersion a patch names, also in a JSON patch."""
    if not isinstance(body, list):
        return version_in(body)
    for operation in body:
        if isinstance(operation, dict) and operation.get("path") == "/metadata/resourceVersion":
            value = operation.get("value")
            return value if isinstance(value, str) else ""
    return ""
