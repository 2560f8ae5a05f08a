"""How this agent's gRPC channels are tuned, and what a failed call means here."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import grpc

from agent.state.identity import Identity
from argosy import convert
from argosy.errors import ArgosyError, Conflict, Forbidden, Internal, Invalid, NotFound, Unavailable

OPTIONS = [
    ("grpc.max_receive_message_length", convert.MAX_MESSAGE),
    # A beat that nobody acknowledges ends the connection after the time-out (TCP_USER_TIMEOUT, which gRPC sets with these);
    # pings are for paths on which a proxy acknowledges in the place of a hub that is gone. Each costs an idle link dear.
    ("grpc.keepalive_time_ms", 100_000),
    ("grpc.keepalive_timeout_ms", 15_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # When to try again is decided in `stream`, with full jitter.
    ("grpc.enable_retries", 0),
    ("grpc.use_local_subchannel_pool", 1),
]

CORE = "Internal error from Core"
"""What gRPC itself says of a write that came after the end of the call."""

_ERRORS: dict[grpc.StatusCode, type[ArgosyError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: Invalid,
    grpc.StatusCode.FAILED_PRECONDITION: Conflict,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.PERMISSION_DENIED: Forbidden,
    grpc.StatusCode.UNAUTHENTICATED: Forbidden,
    grpc.StatusCode.INTERNAL: Internal,
}


def mutual(identity: Identity, key: bytes) -> grpc.aio.Channel:
    """A channel to the link with this agent's certificate."""
    credentials = grpc.ssl_channel_credentials(
        identity.ca.encode(), private_key=key, certificate_chain=identity.certificate.encode()
    )
    return grpc.aio.secure_channel(identity.link, credentials, options=OPTIONS)


def server_only(address: str, ca: bytes) -> grpc.aio.Channel:
    """A channel to the enrolment listener, which proves itself by a certificate of this CA."""
    return grpc.aio.secure_channel(address, grpc.ssl_channel_credentials(ca), options=OPTIONS)


@contextlib.contextmanager
def heeding() -> Iterator[None]:
    """Ends a task that was told to end, whatever is raised inside. Where a call ends at the moment of its cancellation, gRPC
    raises the call's own error in place of `CancelledError`; who then tries again would never end.
    """
    try:
        yield
    except Exception:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from None
        raise


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Raises a failed call inside as one of our errors, also one that ended because its channel was closed."""
    try:
        with heeding():
            yield
    except grpc.aio.AioRpcError as error:
        raise error_of(error) from None
    except grpc.aio.UsageError as error:
        raise Unavailable(str(error)) from None
    except asyncio.CancelledError:
        # gRPC cancels the calls of a channel that is closed; that is not a wish of whoever waits for the call.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Unavailable("the connection was closed") from None


def error_of(error: grpc.aio.AioRpcError) -> ArgosyError:
    """A failed call as one of our errors; what is not the hub's own word is `Unavailable`."""
    return error_for(error.code(), error.details() or "")


def error_for(code: grpc.StatusCode, details: str) -> ArgosyError:
    """The same for the status of a call that ended."""
    if details == CORE:
        return Unavailable("the stream broke off")
    return _ERRORS.get(code, Unavailable)(details or code.name)
