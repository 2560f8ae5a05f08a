"""Writes of a user through the hub's API, as kubectl and `argosy` make them: they leave audit records."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hub.assembly import Hub
from hub.cli import kubeconfig
from hub.cli.client import Client

T = TypeVar("T")


async def asks(hub: Hub, job: Callable[[Client], T]) -> T:
    """What the user `admin` is answered."""
    choice = kubeconfig.Choice(kubeconfig=str(hub.settings.kubeconfig))

    def call() -> T:
        with contextlib.closing(Client(kubeconfig.resolve(choice, {}, Path("/")))) as client:
            return job(client)

    return await asyncio.to_thread(call)
