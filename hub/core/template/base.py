"""What both template engines have in common. Everything above this package speaks only of these."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

from hub.core.template.params import Params


class TemplateFailed(Exception):
    """A text could not be rendered. `missing` is True when the only trouble is a key that is not there."""

    def __init__(self, message: str, *, missing: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.missing = missing


class Scope:
    """One parameter set, with the form that an engine made of it, so that it is made once for all texts."""

    __slots__ = ("params", "prepared")

    def __init__(self, params: Params) -> None:
        self.params = params
        self.prepared: Any = None


Quick: TypeAlias = Callable[[Params], str | None]
"""The text of a parameter set, None where `Template.render` has to be asked."""


class Template(Protocol):
    """One compiled text."""

    @property
    def quick(self) -> Quick | None:
        """A cheaper way for what nearly all parameter sets are like, where there is one."""
        ...

    def render(self, scope: Scope) -> str:
        """Raises `TemplateFailed`."""
        ...


class Engine(Protocol):
    """Compiles texts; equal texts are compiled once."""

    go: bool

    def compile(self, text: str) -> Template | None:
        """None for a text that every parameter set leaves as it is. Raises `TemplateFailed` for a bad one."""
        ...

    def check(self) -> None:
        """Raises `TemplateFailed` for options that the engine does not know."""
        ...

    def deferring(self) -> Engine:
        """The same, but absent keys are errors that say so: for `values` of a matrix's second child."""
        ...
