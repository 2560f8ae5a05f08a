"""The two errors that only a command knows; each has an exit code of its own."""

from __future__ import annotations

from argosy.errors import ArgosyError


class Usage(ArgosyError):
    """The command line cannot be understood."""

    code = "usage"


class Late(ArgosyError):
    """The deadline came first."""

    code = "timeout"
