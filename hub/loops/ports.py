"""What the loops need of the layers below, in their own words, and the names of the resources they work on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from argosy.objects import Manifest
from hub.store.base import Tx

APPSETS = "argoproj.io/applicationsets"
APPS = "argoproj.io/applications"
CLUSTERS = "argosy.dev/clusters"
RELEASES = "argosy.dev/releases"
SECRETS = "/secrets"
CONFIGMAPS = "/configmaps"


class Objects(Protocol):
    """API objects inside a transaction. Every write goes the API's own way: admission, ownership, versions, changes.

    Writes raise `argosy.machinery.failure.ApiFailure`; equal content writes nothing. `now` is Unix seconds.
    """

    def get(self, tx: Tx, resource: str, namespace: str, name: str) -> Manifest | None: ...

    def every(self, tx: Tx, resource: str, namespace: str | None = None) -> list[Manifest]: ...

    def owned(self, tx: Tx, uid: str) -> list[Manifest]:
        """Objects whose controlling owner has this uid, in name order."""

    def by_uid(self, tx: Tx, uid: str) -> Manifest | None: ...

    def create(self, tx: Tx, resource: str, manifest: Manifest, *, manager: str, now: float) -> Manifest: ...

    def update(self, tx: Tx, resource: str, manifest: Manifest, *, manager: str, now: float) -> Manifest:
        """Replaces the object by `manifest`, which is a changed version of what was read."""

    def set_status(
        self, tx: Tx, resource: str, live: Manifest, status: Mapping[str, Any], *, manager: str, now: float
    ) -> None: ...

    def delete(self, tx: Tx, resource: str, live: Manifest, *, now: float) -> None: ...
