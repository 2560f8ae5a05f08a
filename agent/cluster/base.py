"""What the agent needs of a cluster: the contract between its hands and any API server, real or in memory.

It is the Kubernetes API reduced to what one pass over an app uses, with the wire's many ways to fail sorted
into the few that call for different behaviour. An implementation keeps no opinion: no retries of writes, no
cache of objects beyond discovery, no decision about ownership. One suite of promises
(`tests/cluster/cluster_suite.py`) runs against every implementation.

Every call may also raise `argosy.errors.Unavailable` (the server did not answer, or answered nonsense) and
`argosy.errors.Forbidden` (RBAC); both may heal by themselves.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, Protocol

from argosy import errors
from argosy.kinds import Gvk, Kinds
from argosy.objects import Manifest

MANAGER = "argosy"
"""The field manager of everything an app's bundle says."""

PAGE = 500
"""Objects per page of a list."""


class Cause(NamedTuple):
    """One field of an apply that belongs to somebody else. `field` is the API server's path, such as
    `.data.k` or `.spec.template.spec.containers[name="web"].image`."""

    manager: str
    field: str


class ApplyConflict(errors.Conflict):
    """409 with field-manager causes: nothing was written. `causes` has one entry per (manager, field)."""

    def __init__(self, message: str, causes: Sequence[Cause]) -> None:
        super().__init__(message)
        self.causes = tuple(causes)


class Changed(errors.Conflict):
    """409 without causes: another object has that name now (UID), or it changed meanwhile. Look again."""


class Refused(errors.Invalid):
    """The server will never accept this as it is (invalid, immutable, too large, of a wrong type). Do not
    repeat it.

    `reason` is the API's reason where it gave one ("Invalid", "BadRequest", ...), else "".
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class KindMissing(errors.NotFound):
    """The server does not serve this group, version and kind (yet)."""


class NamespaceMissing(errors.NotFound):
    """The object's namespace does not exist."""


class TryLater(errors.Unavailable):
    """The server is alive and asks to wait (429, 503, 504, a namespace that is terminating). Seconds; 0: it
    did not say.
    """

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Expired(errors.Conflict):
    """410: the resourceVersion to watch from is no longer known. List again."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which cluster this is: the UID of its kube-system namespace, and its version such as `v1.37.2`."""

    uid: str
    version: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list. Items carry `apiVersion` and `kind`. `more` continues the list; "" on the last
    page.
    """

    items: tuple[Manifest, ...]
    resource_version: str
    more: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """One event of a watch.

    ADDED, MODIFIED and DELETED carry the object (DELETED: its last state). BOOKMARK carries an empty object
    and the version reached; `listed` is True on the one bookmark that ends the initial objects of a watch
    started without a version.
    """

    type: Literal["ADDED", "MODIFIED", "DELETED", "BOOKMARK"]
    object: Manifest = field(default_factory=dict)
    resource_version: str = ""
    listed: bool = False


Propagation = Literal["Background", "Foreground", "Orphan"]


class ClusterApi(Protocol):
    """One cluster. All calls may run concurrently."""

    def acting(self, account: str) -> ClusterApi:
        """The same cluster, asked in the name of a ServiceAccount ("namespace:name"): what it may not do is
        `Forbidden`. It is closed with the one it comes from.
        """
        ...

    async def identity(self) -> Identity:
        """Asks every time: it is also the check that the cluster is still the same one."""
        ...

    async def kinds(self, *, refresh: bool = False) -> Kinds:
        """All served kinds, from memory unless `refresh`. Subresources are left out."""
        ...

    async def get(self, gvk: Gvk, namespace: str, name: str) -> Manifest | None:
        """The live object with its managedFields, None where there is none. Raises `KindMissing`."""
        ...

    async def list(
        self,
        gvk: Gvk,
        *,
        namespace: str = "",
        selector: str = "",
        limit: int = PAGE,
        more: str = "",
        metadata: bool = False,
    ) -> Page:
        """One page; `namespace` "" means all, `selector` is a label selector. With `metadata` the items have nothing else.
        Raises `KindMissing`, `Expired`.
        """
        ...

    async def apply(
        self,
        manifest: Manifest,
        *,
        force: bool = False,
        dry_run: bool = False,
        manager: str = MANAGER,
        validate: bool = True,
    ) -> Manifest:
        """Server-side apply; answers the merged object with its managedFields. With `validate` a field that the
        kind does not know is refused, without it the server drops it where it can.

        A dry run writes nothing and reports conflicts all the same; its answer has the old resourceVersion,
        or none where it would create. `metadata.uid` in the manifest guards against another object of that
        name (`Changed` or `Refused`). An apply that changes nothing keeps the resourceVersion. Raises
        `ApplyConflict`, `Changed`, `Refused`, `KindMissing`, `NamespaceMissing`, `TryLater`.
        """
        ...

    async def create(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        """Creates the object; answers it as the server keeps it. Raises `Changed` where there is one of that name,
        `Refused`, `KindMissing`, `NamespaceMissing`, `TryLater`.
        """
        ...

    async def update(
        self, manifest: Manifest, *, dry_run: bool = False, manager: str = MANAGER, validate: bool = True
    ) -> Manifest:
        """Puts the object in the place of the live one whose `metadata.resourceVersion` it names; answers it as the
        server keeps it. Status stays as it is. Raises `Changed` where the live one is newer, another or gone,
        `Refused`, `KindMissing`, `TryLater`.
        """
        ...

    async def delete(
        self, gvk: Gvk, namespace: str, name: str, *, uid: str, propagation: Propagation = "Background"
    ) -> bool:
        """Asks to delete exactly the object of that UID; False where there is none of that name.

        True says accepted: an object with finalizers stays, with `deletionTimestamp`. Raises `Changed` where
        the name belongs to another UID, `KindMissing`, `Refused`, `TryLater`.
        """
        ...

    def watch(
        self, gvk: Gvk, *, resource_version: str = "", namespace: str = "", selector: str = ""
    ) -> AsyncIterator[Event]:
        """Events from `resource_version` on, in order and without loss.

        Without a version: first an ADDED for every object there is, then a BOOKMARK with `listed`, then what
        changes. With a selector an object that stops matching is DELETED, one that starts is ADDED. The
        iterator ends when the server ends the watch (a few minutes); go on from the last version seen. Raises
        `Expired` (also in the middle), `KindMissing`.
        """
        ...

    async def close(self) -> None:
        """Ends all watches and connections."""
        ...
