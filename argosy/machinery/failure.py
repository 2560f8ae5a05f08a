"""The `Status` objects a Kubernetes API answers with, and the exception that carries one.

Texts, reasons and codes are apimachinery's (`pkg/api/errors`), because clients match on them. Knows no HTTP.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason within a failure. `field` is a path such as `spec.replicas` (validation) or `.spec.replicas` (apply)."""

    reason: str
    message: str
    field: str = ""

    def to_dict(self) -> dict[str, str]:
        """The wire form; empty parts are left out."""
        out = {"reason": self.reason, "message": self.message, "field": self.field}
        return {name: value for name, value in out.items() if value}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a failure is about. `kind` is the resource's plural name, except in `Invalid`, where it is the kind."""

    name: str = ""
    group: str = ""
    kind: str = ""
    uid: str = ""


class ApiFailure(Exception):
    """A request that failed, with all that its `Status` says. `retry_after` is in seconds, 0 for none."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        subject: Subject | None = None,
        causes: Sequence[Cause] = (),
        retry_after: int = 0,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.subject = subject
        self.causes = tuple(causes)
        self.retry_after = retry_after

    def to_status(self) -> dict[str, Any]:
        """The `Status` object of the answer."""
        out: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
        out["message"] = self.message
        if self.reason:
            out["reason"] = self.reason
        details: dict[str, Any] = {}
        if self.subject is not None:
            named = {
                "name": self.subject.name,
                "group": self.subject.group,
                "kind": self.subject.kind,
                "uid": self.subject.uid,
            }
            details.update({name: value for name, value in named.items() if value})
        if self.causes:
            details["causes"] = [cause.to_dict() for cause in self.causes]
        if self.retry_after:
            details["retryAfterSeconds"] = self.retry_after
        if self.subject is not None or details:
            out["details"] = details
        out["code"] = self.code
        return out


def success(subject: Subject | None = None) -> dict[str, Any]:
    """The `Status` of a request that answers with no object, such as a delete."""
    out: dict[str, Any] = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    if subject is not None:
        named = {"name": subject.name, "group": subject.group, "kind": subject.kind, "uid": subject.uid}
        out["details"] = {name: value for name, value in named.items() if value}
    return out


def qualified(resource: str, group: str) -> str:
    """`deployments.apps`, or `configmaps` for the core group."""
    return f"{resource}.{group}" if group else resource


def not_found(resource: str, group: str, name: str) -> ApiFailure:
    """404: the object does not exist."""
    message = f'{qualified(resource, group)} "{name}" not found'
    return ApiFailure(404, "NotFound", message, Subject(name, group, resource))


def no_such_path() -> ApiFailure:
    """404: nothing is served at this path."""
    return ApiFailure(404, "NotFound", "the server could not find the requested resource", Subject())


def already_exists(resource: str, group: str, name: str, *, deleting: bool = False) -> ApiFailure:
    """409: create of an object that is there, perhaps only until its finalizers are gone."""
    message = f'{qualified(resource, group)} "{name}" already exists'
    if deleting:
        message = f"object is being deleted: {message}"
    return ApiFailure(409, "AlreadyExists", message, Subject(name, group, resource))


def name_taken(resource: str, group: str, name: str) -> ApiFailure:
    """409: a generated name was taken; the client may try again."""
    message = (
        f'{qualified(resource, group)} "{name}" already exists, the server was not able to generate a unique name '
        "for the object"
    )
    return ApiFailure(409, "AlreadyExists", message, Subject(name, group, resource), retry_after=1)


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(resource: str, group: str, name: str, why: str = MODIFIED) -> ApiFailure:
    """409: the object is not what the request expects it to be."""
    message = f'Operation cannot be fulfilled on {qualified(resource, group)} "{name}": {why}'
    return ApiFailure(409, "Conflict", message, Subject(name, group, resource))


def apply_conflict(causes: Sequence[Cause], message: str) -> ApiFailure:
    """409: fields of an apply are owned by other managers."""
    return ApiFailure(409, "Conflict", message, Subject(), causes)


def bad_request(message: str) -> ApiFailure:
    """400: the request cannot be understood."""
    return ApiFailure(400, "BadRequest", message)


def unauthorized() -> ApiFailure:
    """401: the caller is not known."""
    return ApiFailure(401, "Unauthorized", "Unauthorized")


def forbidden(resource: str, group: str, name: str, why: str) -> ApiFailure:
    """403: the caller may not, or the object's state forbids it. `why` completes '<resource> "x" is forbidden: '."""
    shown = qualified(resource, group)
    if not shown:
        message = f"forbidden: {why}"
    else:
        message = f'{shown} "{name}" is forbidden: {why}' if name else f"{shown} is forbidden: {why}"
    return ApiFailure(403, "Forbidden", message, Subject(name, group, resource))


def access_denied(user: str, verb: str, resource: str, group: str, namespace: str, name: str) -> ApiFailure:
    """403 as the authorizer words it. `resource` may carry a subresource (`pods/log`)."""
    why = f'User "{user}" cannot {verb} resource "{resource}" in API group "{group}"'
    why += f' in the namespace "{namespace}"' if namespace else " at the cluster scope"
    return forbidden(resource.partition("/")[0], group, name, why)


def method_not_allowed(resource: str, group: str, action: str) -> ApiFailure:
    """405: the resource does not do this."""
    message = f'{action} is not supported on resources of kind "{qualified(resource, group)}"'
    return ApiFailure(405, "MethodNotAllowed", message, Subject("", group, resource))


def not_acceptable(supported: Sequence[str]) -> ApiFailure:
    """406: none of the accepted media types can be served."""
    message = f"only the following media types are accepted: {', '.join(supported)}"
    return ApiFailure(406, "NotAcceptable", message, Subject())


def unsupported_media_type(supported: Sequence[str]) -> ApiFailure:
    """415: the body's media type is none of those named."""
    message = "the body of the request was in an unknown format - accepted media types include: " + ", ".join(
        supported
    )
    return ApiFailure(415, "UnsupportedMediaType", message, Subject())


def expired(message: str = "The resourceVersion for the provided watch is too old.") -> ApiFailure:
    """410: the version asked for is no longer kept."""
    return ApiFailure(410, "Expired", message)


def too_large(message: str) -> ApiFailure:
    """413: the request is bigger than allowed."""
    return ApiFailure(413, "RequestEntityTooLarge", f"Request entity too large: {message}")


def too_many_requests(message: str, retry_after: int) -> ApiFailure:
    """429: try again later."""
    return ApiFailure(429, "TooManyRequests", message, Subject(), retry_after=retry_after)


def unprocessable() -> ApiFailure:
    """422 as a JSON patch that cannot be applied is answered: the API says no more than this."""
    return ApiFailure(
        422, "Invalid", "the server rejected our request due to an error in our request", Subject()
    )


def unclassified(message: str) -> ApiFailure:
    """500 without a reason: an error no part of the server gave a class, such as an apply that breaks the schema."""
    return ApiFailure(500, "", message)


def internal(message: str) -> ApiFailure:
    """500: a promise was broken inside."""
    return ApiFailure(
        500, "InternalError", f"Internal error occurred: {message}", Subject(), [Cause("", message)]
    )


def unavailable(message: str) -> ApiFailure:
    """503: not ready."""
    return ApiFailure(503, "ServiceUnavailable", message)


def timeout(message: str) -> ApiFailure:
    """504: a version was asked for that has not arrived yet."""
    cause = Cause("ResourceVersionTooLarge", "Too large resource version")
    return ApiFailure(504, "Timeout", f"Timeout: {message}", Subject(), [cause], 1)


# --- validation ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field that is wrong, as `field.Error` of apimachinery. `path` is `spec.replicas`, `<nil>` for the root."""

    reason: str
    path: str
    detail: str
    body: str = field(default="")

    @property
    def text(self) -> str:
        """What stands after the path in messages."""
        return self.body

    def cause(self) -> Cause:
        """As a cause of an `Invalid` Status."""
        return Cause(self.reason, self.body, self.path)

    def __str__(self) -> str:
        return f"{self.path}: {self.body}"


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return orjson.dumps(value).decode()
    if isinstance(value, bool | int | float):
        return orjson.dumps(value).decode()
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def invalid_value(path: str, value: Any, detail: str) -> FieldError:
    """The value is not allowed."""
    return FieldError("FieldValueInvalid", path, detail, f"Invalid value: {_shown(value)}: {detail}")


def wrong_type(path: str, value: Any, detail: str) -> FieldError:
    """The value has the wrong type."""
    return FieldError("FieldValueTypeInvalid", path, detail, f"Invalid value: {_shown(value)}: {detail}")


def required(path: str, detail: str = "") -> FieldError:
    """The field is missing."""
    return FieldError(
        "FieldValueRequired", path, detail, f"Required value: {detail}" if detail else "Required value"
    )


def not_supported(path: str, value: Any, supported: Iterable[str]) -> FieldError:
    """The value is none of an enumeration."""
    detail = "supported values: " + ", ".join(_shown(item) for item in supported)
    return FieldError("FieldValueNotSupported", path, detail, f"Unsupported value: {_shown(value)}: {detail}")


def duplicate(path: str, value: Any) -> FieldError:
    """The value occurs twice in a set."""
    return FieldError("FieldValueDuplicate", path, "", f"Duplicate value: {_shown(value)}")


def not_allowed(path: str, detail: str) -> FieldError:
    """The field may not be set."""
    return FieldError("FieldValueForbidden", path, detail, f"Forbidden: {detail}")


def too_long(path: str, limit: int) -> FieldError:
    """A string, or a sum of strings, is longer than allowed."""
    detail = f"may not be more than {limit} bytes"
    return FieldError("FieldValueTooLong", path, detail, f"Too long: {detail}")


def too_many(path: str, actual: int, limit: int) -> FieldError:
    """A list or map has more entries than allowed."""
    detail = f"must have at most {limit} item{'' if limit == 1 else 's'}"
    return FieldError("FieldValueTooMany", path, detail, f"Too many: {actual}: {detail}")


def invalid(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> ApiFailure:
    """422 with a cause for each field error."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    joined = texts[0] if len(texts) == 1 else "[" + ", ".join(texts) + "]"
    message = f'{qualified(kind, group)} "{name}" is invalid'
    if texts:
        message += f": {joined}"
    return ApiFailure(
        422, "Invalid", message, Subject(name, group, kind), [error.cause() for error in errors]
    )
