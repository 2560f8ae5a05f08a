"""What a renderer is: the folders it would read, and the objects that its tool makes of them.

`inputs` is pure over the tree, so it can be asked for every commit; `render` may start processes and happens
once per recipe. Both raise `errors.Invalid` naming file and field for what the user must change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from enum import IntEnum

from argosy.objects import Manifest
from hub.core.apps.sources import Source
from hub.core.tree import Tree
from hub.render.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Kube:
    """What a chart may know of its cluster: the version (`v1.37.2`), and what it serves (`argosy.apis.of`), None where
    nobody knows that yet. `digest` names the list where it has one.
    """

    version: str = ""
    apis: tuple[str, ...] | None = ()
    digest: str = ""


class Asks(IntEnum):
    """What of its cluster a render depends on."""

    NOTHING = 0
    VERSION = 1
    APIS = 2
    """The version as well."""


Inputs = Callable[[Source, Tree], Collection[str]]
"""The folders (or files) whose content decides what is rendered. Refuses what must not be rendered at all."""

Render = Callable[[Source, Tree, Sandbox], Awaitable[list[Manifest]]]
"""The objects as the tool gives them, lists flattened. `Sandbox` is where processes run."""

Version = Callable[[Sandbox], Awaitable[str]]
"""The tool's version: part of every recipe."""


@dataclass(frozen=True, slots=True)
class Renderer:
    """One row of the table."""

    name: str
    inputs: Inputs
    render: Render
    version: Version
