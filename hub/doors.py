"""The hub's two doors: where they listen, by which names they are reached, with which certificates; and who is let in first."""

from __future__ import annotations

import socket
from importlib.metadata import version
from pathlib import Path

from argosy import tls
from hub.api import server
from hub.ca.authority import Authority
from hub.config import HubConfig
from hub.core import kubeconfig
from hub.core.access import access
from hub.link.server import LinkConfig

EVERY_INTERFACE = ("", "0.0.0.0", "::")  # noqa: S104  # compared with, not bound

API_CERTIFICATE_LIFE = 825 * 86400.0
"""Seconds. A new one is made at every start."""


def host(settings: HubConfig) -> str:
    """How agents and clients on other machines reach this hub."""
    if settings.names:
        return settings.names[0]
    return reachable(tls.split_address(settings.link)[0])


def reachable(listens: str) -> str:
    """Where one reaches what listens there: for every interface, the address of the default route."""
    if listens not in EVERY_INTERFACE:
        return listens
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # Connecting a datagram socket sends nothing; it only chooses the route.
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return "127.0.0.1"


def api(settings: HubConfig, ca: Authority, now: float) -> server.Config:
    """Where the API listens, with a certificate for every name by which it is reached."""
    listens, port = tls.split_address(settings.api)
    names = [
        "localhost",
        "127.0.0.1",
        "::1",
        socket.gethostname(),
        reachable(listens),
        host(settings),
        *settings.names,
    ]
    pair = ca.server(names, now, lifetime=API_CERTIFICATE_LIFE)
    folder = settings.data / "api"
    folder.mkdir(exist_ok=True, mode=0o700)
    for name, content in (("tls.crt", pair.certificate), ("tls.key", pair.key), ("ca.crt", ca.bundle)):
        tls.write_private(folder / name, content)
    return server.Config(listens, port, folder / "tls.crt", folder / "tls.key", folder / "ca.crt")


def link(settings: HubConfig) -> LinkConfig:
    """Where agents connect and enrol."""
    listens, port = tls.split_address(settings.link)
    return LinkConfig(
        link=settings.link,
        enroll=settings.enroll or tls.join_address(listens, port + 1 if port else 0),
        names=(host(settings), *settings.names),
        lifetime=settings.lifetime,
        beat=settings.beat,
        grace=settings.grace,
        version=version("argosy"),
    )


def write_access(file: Path, ca: Authority, address: str, user: str, now: float) -> None:
    """The API's address and an administrator's client certificate, good for a year from this start."""
    pair = ca.user(user, [access.ADMINS], now)
    text = kubeconfig.text(f"https://{address}", ca.bundle, pair.certificate, pair.key)
    tls.write_private(file, text.encode())
