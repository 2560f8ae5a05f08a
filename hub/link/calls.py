"""Our errors as gRPC statuses, and the one way a call of the link is refused."""

from __future__ import annotations

import urllib.parse
from typing import Any, NoReturn, TypeAlias

import grpc

from argosy.errors import ArgosyError, Internal

Context: TypeAlias = "grpc.aio.ServicerContext[bytes, bytes]"

STATUS: dict[str, grpc.StatusCode] = {
    "invalid": grpc.StatusCode.INVALID_ARGUMENT,
    "not_found": grpc.StatusCode.NOT_FOUND,
    "conflict": grpc.StatusCode.FAILED_PRECONDITION,
    "forbidden": grpc.StatusCode.PERMISSION_DENIED,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
    "internal": grpc.StatusCode.INTERNAL,
}


async def refuse(context: Context, error: ArgosyError) -> NoReturn:
    """Ends the call with the error's status and text."""
    await context.abort(STATUS[error.code], error.message)
    raise Internal("a call went on after it was refused")


def host_of(context: Context) -> str:
    """The address the call comes from, without its port."""
    _, _, address = str(context.peer()).partition(":")
    return urllib.parse.unquote(address.rpartition(":")[0]) or address


def handlers(service: str, **methods: grpc.RpcMethodHandler[Any, Any]) -> grpc.GenericRpcHandler:
    """A service whose methods take and give bytes: messages are parsed where a bad one can be answered
    well.
    """
    return grpc.method_handlers_generic_handler(service, methods)
