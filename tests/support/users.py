"""Writes of a user through the hub's API, as kubectl and `argosy` make them: they leave audit records."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from hub.assembly import Hub
from hub.cli import kubeconfig
from hub.cli.client import Client

T = TypeVar("T")


async def asks(hub: Hub, job: Callable[[Client], T], token: str = "") -> T:
    """What the user of a token is answered, "" for the user `admin`."""
    choice = kubeconfig.Choice(kubeconfig=str(hub.settings.kubeconfig))

    def call() -> T:
        access = kubeconfig.resolve(choice, {}, Path("/"))
        if token:
            access = dataclasses.replace(access, token=token, certificate=b"", key=b"")
        with contextlib.closing(Client(access)) as client:
            return job(client)

    return await asyncio.to_thread(call)
