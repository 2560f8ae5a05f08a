"""The few errors that cross a border inside Argosy.

Adapters catch their library's exceptions and raise one of these; the core and the loops know nothing else. Each
code maps once per transport (an HTTP status, a gRPC status, an exit code), in that transport's own table. A user's
mistake that concerns one object is not an exception but a `Problem` value where the work can go on without it.
"""

from __future__ import annotations

from dataclasses import dataclass


class ArgosyError(Exception):
    """Base of all errors raised across module borders. `message` is safe to show to the user concerned."""

    code = "internal"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Invalid(ArgosyError):
    """The input is wrong and stays wrong until somebody changes it."""

    code = "invalid"


class NotFound(ArgosyError):
    """The named thing does not exist."""

    code = "not_found"


class Conflict(ArgosyError):
    """The thing changed meanwhile, or belongs to somebody else."""

    code = "conflict"


class Forbidden(ArgosyError):
    """The caller is known and may not do this."""

    code = "forbidden"


class Unavailable(ArgosyError):
    """A remote party did not answer, or answered nonsense. Trying again later may help."""

    code = "unavailable"


class Internal(ArgosyError):
    """A promise of our own was broken."""


@dataclass(frozen=True, slots=True)
class Problem:
    """A user's mistake as data: where it is, what was found, what was expected."""

    where: str
    message: str

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message
