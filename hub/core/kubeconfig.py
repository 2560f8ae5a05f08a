"""The kubeconfig of a hub's API: kubectl and every other client find their way with it."""

from __future__ import annotations

import base64

from argosy import yamlio
from hub.core.types import NAMESPACE


def text(server: str, ca: bytes, certificate: bytes, key: bytes) -> str:
    """A kubeconfig with one context. `server` is an https URL; the rest is PEM."""
    return yamlio.dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "argosy",
            "clusters": [
                {"name": "argosy", "cluster": {"server": server, "certificate-authority-data": _data(ca)}}
            ],
            "contexts": [
                {"name": "argosy", "context": {"cluster": "argosy", "user": "admin", "namespace": NAMESPACE}}
            ],
            "users": [
                {
                    "name": "admin",
                    "user": {"client-certificate-data": _data(certificate), "client-key-data": _data(key)},
                }
            ],
        }
    )


def _data(pem: bytes) -> str:
    return base64.b64encode(pem).decode()
