"""What all passes over the apps of one cluster work with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from agent.cluster.base import ClusterApi
from agent.cluster.reflector import Watcher
from agent.core import drift
from agent.core.inventory import Inventory
from agent.sync.memory import Memory
from argosy.objects import Manifest, ObjectKey


@dataclass
class Surroundings:
    """`holder(owner, key)`: does that other assignment still want the object."""

    api: ClusterApi
    watcher: Watcher
    slots: asyncio.Semaphore
    clock: Callable[[], float]
    sleep: Callable[[float], Awaitable[None]]
    holder: Callable[[str, ObjectKey], Awaitable[bool]]
    before: Callable[[str, Inventory, ObjectKey], Callable[[str], Manifest | None]]
    delete: drift.Delete
    """Evaluates a jq path expression."""
    write: Callable[[Memory, Inventory], Awaitable[None]]
    """Makes an inventory durable."""
    unchecked: str = ""
    """Why the users' own health checks are not in use yet, "" where they are."""
