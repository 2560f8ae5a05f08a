"""Real API servers for benchmarks, as the tests' testbed starts them, and watches of ConfigMaps on them."""

from __future__ import annotations

import contextlib
import http.client
import queue
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from bench.harness import ROOT, Broken, cpu_of

_SUPPORT = str(ROOT / "tests" / "support")
if _SUPPORT not in sys.path:
    sys.path.insert(0, _SUPPORT)

from testbed import binaries, controlplane, credentials  # noqa: E402

if TYPE_CHECKING:
    from testbed.controlplane import ControlPlane


@dataclass(frozen=True, slots=True)
class Seen:
    """A ConfigMap as a watch showed it; `when` is monotonic."""

    namespace: str
    name: str
    value: str
    when: float


@contextlib.contextmanager
def running(*names: str) -> Iterator[Sequence[ControlPlane]]:
    """One kube-apiserver for each name. Raises `Broken` where their programs are missing."""
    if missing := binaries.missing():
        raise Broken(f"no real API server: {missing} (make testbed)")
    with controlplane.running() as bed:
        yield bed.add(*names)


def cpu(planes: Sequence[ControlPlane]) -> float:
    """CPU seconds of their API servers."""
    return sum(cpu_of(plane.pid) for plane in planes)


@contextlib.contextmanager
def watched(plane: ControlPlane, path: str, seen: queue.Queue[Seen]) -> Iterator[None]:
    """Puts what a watch of ConfigMaps shows into `seen`; `path` with query, without `watch`."""
    address = plane.server.removeprefix("https://")
    connection = http.client.HTTPSConnection(address, context=plane.ssl_context(), timeout=300)
    headers = {"Authorization": f"Bearer {credentials.ADMIN.token}"}
    connection.request("GET", f"{path}{'&' if '?' in path else '?'}watch=true", headers=headers)
    link = connection.sock
    answer = connection.getresponse()

    def read() -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := answer.readline():
                found, now = orjson.loads(line)["object"], time.monotonic()
                meta, data = found["metadata"], found.get("data") or {}
                seen.put(Seen(meta["namespace"], meta["name"], data.get("value", ""), now))

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        yield
    finally:
        # Closing would wait for the reader, which waits for the server.
        link.shutdown(socket.SHUT_RDWR)
        reader.join()
        link.close()


def arrivals(seen: queue.Queue[Seen], value: str, count: int, seconds: float) -> list[float]:
    """When each of `count` ConfigMaps got `value`, monotonic. Raises `Broken` where they do not in time."""
    deadline, found = time.monotonic() + seconds, {}
    while len(found) < count:
        try:
            one = seen.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise Broken(f"value {value}: {len(found)} of {count} got live within {seconds:g} s") from None
        if one.value == value:
            found.setdefault((one.namespace, one.name), one.when)
    return list(found.values())
