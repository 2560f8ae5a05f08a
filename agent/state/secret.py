"""The agent's identity and small state in a Secret of its cluster, for a pod whose folder does not outlive it.

The folder stays where everything is read and written; this brings it back into an empty one and carries what changed over to
the Secret. Bundles are not kept there: they are fetched again. Where the desired set is too large for a Secret only what the
agent knows of its hub is kept, by which it tells another life of it; the set then comes from the hub.
"""

from __future__ import annotations

import asyncio
import base64
import zlib
from dataclasses import replace
from pathlib import Path

import structlog

from agent.cluster import base
from agent.cluster.base import ClusterApi
from agent.state import cache, identity, notes, standing
from agent.state.cache import Cache, State
from argosy import tls
from argosy.bundle import Desired
from argosy.errors import ArgosyError, Conflict, Forbidden, Invalid
from argosy.kinds import Gvk
from argosy.objects import Manifest

log = structlog.get_logger("state")

SECRET = Gvk("", "v1", "Secret")
PAIR = (identity.KEY, identity.IDENTITY)
"""These are worth something together only."""
KEPT = (*PAIR, standing.NAME, notes.NAME, cache.STATE)
MOST = 900 * 1024
"""Bytes of all content: an API server takes 1 MiB."""
UNPACKED = 64 * 1024 * 1024
TRIES = 5


def parse(text: str) -> tuple[str, str]:
    """`NAMESPACE/NAME`. Raises `Invalid`."""
    namespace, slash, name = text.partition("/")
    if not (namespace and slash and name) or "/" in name:
        raise Invalid(f"--state-secret: found {text!r}, expected NAMESPACE/NAME")
    return namespace, name


class StateSecret:
    """The Secret `namespace/name` beside the state folder. `api` is asked with the agent's own rights."""

    def __init__(self, api: ClusterApi, folder: Path, namespace: str, name: str) -> None:
        self._api = api
        self._folder = folder
        self._namespace = namespace
        self._name = name
        self._saved: dict[str, bytes] = {}

    async def restore(self) -> None:
        """Fills what lacks in the folder. Raises `Invalid` where the Secret cannot be read or made, `Unavailable` where the
        cluster does not answer.
        """
        found = _content(await self._live())
        await asyncio.to_thread(self._fill, found)
        self._saved = found

    async def save(self) -> bool:
        """Carries over what changed; True where something did. Raises as the cluster does."""
        wanted = await asyncio.to_thread(self._read)
        changed = {name: data for name, data in wanted.items() if self._saved.get(name) != data}
        if not changed:
            return False
        for _ in range(TRIES):
            live = await self._live()
            data = {name: base64.b64encode(content).decode() for name, content in changed.items()}
            try:
                await self._api.update({**live, "data": {**(live.get("data") or {}), **data}})
            except base.Changed:
                continue
            except (base.Refused, Forbidden) as error:
                raise self._unusable(error) from None
            self._saved = wanted
            return True
        raise Conflict(f"Secret {self._namespace}/{self._name} is changed by others all the time")

    async def _live(self) -> Manifest:
        try:
            live = await self._api.get(SECRET, self._namespace, self._name)
            if live is None:
                metadata = {"name": self._name, "namespace": self._namespace}
                made = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
                live = await self._api.create(made)
        except base.Changed:
            return await self._live()
        except (base.Refused, base.NamespaceMissing, Forbidden) as error:
            raise self._unusable(error) from None
        return live

    def _unusable(self, error: ArgosyError) -> Invalid:
        where = f"Secret {self._namespace}/{self._name}"
        return Invalid(f"{where}, where the agent's state is to be kept: {error.message}")

    def _fill(self, found: dict[str, bytes]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        whole = all((self._folder / name).exists() for name in PAIR)
        for name, data in found.items():
            path = self._folder / name
            if name in PAIR:
                if not whole and all(each in found for each in PAIR):
                    tls.write_private(path, data)
            elif not path.exists():
                cache.replace_file(path, _unpacked(data) if name == cache.STATE else data)

    def _read(self) -> dict[str, bytes]:
        found = {name: path.read_bytes() for name in KEPT if (path := self._folder / name).exists()}
        if (state := found.get(cache.STATE)) is not None:
            found[cache.STATE] = packed = zlib.compress(state)
            if sum(map(len, found.values())) > MOST:
                log.warning(
                    "the desired set is too large for a Secret and comes from the hub", bytes=len(packed)
                )
                found[cache.STATE] = zlib.compress(cache.written(self._bare()))
        return found

    def _bare(self) -> State:
        """What is known of the hub, without the set."""
        return replace(Cache(self._folder).read(), desired=Desired("", 0, ()))


def _content(live: Manifest) -> dict[str, bytes]:
    data = live.get("data") or {}
    return {name: base64.b64decode(data[name]) for name in KEPT if data.get(name)}


def _unpacked(data: bytes) -> bytes:
    """Empty for what is damaged, which then counts as nothing kept."""
    try:
        return zlib.decompressobj().decompress(data, UNPACKED)
    except zlib.error:
        return b""


async def carry(secret: StateSecret, seconds: float) -> None:
    """Runs until cancelled; what could not be carried over is tried again."""
    while True:
        await asyncio.sleep(seconds)
        try:
            await secret.save()
        except ArgosyError as error:
            log.warning("state not kept in the Secret", error=error.message)
