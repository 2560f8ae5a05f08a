"""What the hub wants of a cluster: bundles of objects, and the assignments and removals that refer to them.

A bundle is known by the digest of its objects, so equal content is stored, sent and applied once. A removal is the
only thing in Argosy that deletes (docs/architecture.md, law 1): it is a written value that names what goes, why, by whom
and until when. The absence of an assignment from a `Desired` removes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import orjson
import zstandard

from argosy import objects
from argosy.errors import Invalid
from argosy.objects import Manifest

MAX_BUNDLE_BYTES = 256 * 1024 * 1024
"""Upper bound of an unpacked bundle; a hostile one must not exhaust an agent."""
MAX_DIFFERENCE_BYTES = 32 * 1024 * 1024
"""Unpacked bytes of both bundles up to which a difference is made; it takes about as much memory."""
MIN_WINDOW, MIN_TABLE = 18, 16
"""Of zstd, as powers of two."""


NAMESPACE_METADATA = "ManagedNamespaceMetadata"
STAGE_TIMEOUT = "StageTimeout"
EXCLUSIONS = "ResourceExclusions"
ORPHANS = "OrphanedResources"
OUTSIDE = "OutsideNamespaces"
MIGRATION_MANAGER = "ClientSideApplyMigrationManager"
"""Names of sync options that the hub writes beside the user's: what only newer agents know travels in them."""
HUBS_ALONE = frozenset((NAMESPACE_METADATA, EXCLUSIONS, ORPHANS, OUTSIDE, MIGRATION_MANAGER))
"""Those that count for nothing where a user writes them: they are what others decided."""


def users(sync_options: Iterable[str]) -> tuple[str, ...]:
    """The sync options that a user may say."""
    return tuple(option for option in sync_options if option.partition("=")[0] not in HUBS_ALONE)


@dataclass(frozen=True, slots=True)
class Policy:
    """How an agent treats one app, in Argo CD's words (`spec.syncPolicy`). `managedNamespaceMetadata` is the sync
    option `NAMESPACE_METADATA=` with canonical JSON: agents that do not know it pass it over.
    """

    automated: bool = True
    prune: bool = False
    self_heal: bool = False
    allow_empty: bool = False
    sync_options: tuple[str, ...] = ()
    ignore_differences: str = "[]"
    """`spec.ignoreDifferences` as canonical JSON: opaque to the link, read by the agent's drift rules."""
    sync_request: str = ""
    """Id of the newest `operation` asked for by a user; a new id means one sync now, automated or not."""
    operation: str = ""
    """That operation as canonical JSON, in Argo CD's form; durations of its `retry` are seconds."""
    retry: str = ""
    """`spec.syncPolicy.retry` as canonical JSON, its durations in seconds; "" where the user said nothing."""
    terminate: str = ""
    """`AppStatus.token` of a running sync that a user ended."""
    deletion_approved: float = 0.0
    """Unix seconds of the annotation `argocd.argoproj.io/deletion-approved`."""
    mode: str = ""
    """`observe`, `adopt`, `manage` or `release`: how far the agent's hand reaches; "" where the user said nothing."""
    account: str = ""
    """The ServiceAccount ("namespace:name") the project writes its objects as; "" for the agent itself."""


@dataclass(frozen=True, slots=True)
class Removal:
    """A tombstone: `key` (or the whole app, where `key` is "") of one assignment may be deleted from one cluster.

    `cascade` False removes the app from Argosy's care and leaves its objects in the cluster. Times are Unix seconds;
    an agent refuses a removal after `expires`. `approved`: a person approved what asks for it (`Delete=confirm`).
    Of a whole app, `bundle` has the hooks of its removal ("" for none), `hooks` are the phases that still count
    ("PreDelete,PostDelete"), `namespace` is the app's destination.
    """

    id: str
    assignment: str
    key: str
    cascade: bool
    reason: str
    by: str
    created: float
    expires: float
    approved: bool = False
    bundle: str = ""
    hooks: str = ""
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Assignment:
    """One app on one cluster: which bundle, from which release, under which policy. `id` is the Application's uid."""

    id: str
    app: str
    namespace: str
    project: str
    destination_namespace: str
    bundle: str
    release: str
    revision: str
    policy: Policy = Policy()


FREEZE, OVERRIDE = "freeze", "override"


@dataclass(frozen=True, slots=True)
class Restraint:
    """When what a cluster has may not be changed: a freeze, an override of freezes and windows, or a sync window.

    `kind` is `FREEZE`, `OVERRIDE`, or a window's `allow` or `deny`; `apps` are the assignments it concerns, none for all
    of the cluster. Freezes and overrides count until `until` (Unix seconds) and say why in `reason`; `heal`: drift is
    corrected all the same. The other fields are a window's (`argosy.windows.Window`).
    """

    id: str
    kind: str
    apps: tuple[str, ...] = ()
    reason: str = ""
    until: float = 0.0
    heal: bool = False
    schedule: str = ""
    duration: str = ""
    time_zone: str = ""
    manual_sync: bool = False
    sync_overrun: bool = False


@dataclass(frozen=True, slots=True)
class Desired:
    """All that one cluster should have, at one generation of one life (`epoch`) of the hub's database."""

    epoch: str
    generation: int
    assignments: tuple[Assignment, ...]
    removals: tuple[Removal, ...] = ()
    restraints: tuple[Restraint, ...] = ()
    checks: str = ""
    """Digest of the bundle with the users' own health checks (`argosy.health.user.carried`), "" for none."""


_POLICY, _REMOVAL, _ASSIGNMENT, _RESTRAINT = (
    tuple(field.name for field in fields(kind)) for kind in (Policy, Removal, Assignment, Restraint)
)


def set_digest(
    assignments: Iterable[Assignment],
    removals: Iterable[Removal],
    restraints: Iterable[Restraint] = (),
    checks: str = "",
) -> str:
    """The digest by which hub and agent check that they mean the same set, whatever order they hold it in."""
    return digest_of_bodies(
        map(body_of, assignments), map(body_of, removals), (body_of(item) for item in restraints), checks
    )


def body_of(item: Assignment | Removal | Restraint) -> bytes:
    """The canonical JSON of one member of a set."""
    if isinstance(item, Restraint):
        return objects.canonical({name: getattr(item, name) for name in _RESTRAINT})
    if isinstance(item, Removal):
        return objects.canonical({name: getattr(item, name) for name in _REMOVAL})
    record: dict[str, Any] = {name: getattr(item, name) for name in _ASSIGNMENT}
    record["policy"] = plain(item.policy)
    return objects.canonical(record)


class Bodies:
    """`body_of` of the assignments of a set that changes in parts, made anew only of those that came or changed."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Assignment, bytes]] = {}

    def of(self, assignments: Iterable[Assignment]) -> list[bytes]:
        """In the order of `assignments`, whose ids differ. Values that are equal may differ in their JSON (1 and 1.0), so
        only the very same one is known.
        """
        known = self._known
        self._known = {
            item.id: found
            if (found := known.get(item.id)) is not None and found[0] is item
            else (item, body_of(item))
            for item in assignments
        }
        return [body for _, body in self._known.values()]


def plain(policy: Policy) -> dict[str, Any]:
    """A policy as a JSON object."""
    return {name: getattr(policy, name) for name in _POLICY}


def digest_of_bodies(
    assignments: Iterable[bytes],
    removals: Iterable[bytes],
    restraints: Iterable[bytes] = (),
    checks: str = "",
) -> str:
    """`set_digest` of members that lie there as canonical JSON already. Where there are no restraints and no checks it
    is as it was before there were any."""
    held = [*sorted(restraints), *([f"checks {checks}".encode()] if checks else [])]
    last = [b"--", *held] if held else []
    return objects.digest(b"\n".join([*sorted(assignments), b"--", *sorted(removals), *last]))


def restraint_of(value: dict[str, Any]) -> Restraint:
    """A restraint of its JSON."""
    return Restraint(**{**value, "apps": tuple(value.get("apps") or ())})


def pack(manifests: Sequence[Manifest]) -> tuple[str, bytes]:
    """Objects -> (digest of their canonical JSON array, zstd blob of it). Order is kept and is part of the identity."""
    raw = objects.canonical(list(manifests))
    return objects.digest(raw), zstandard.compress(raw, 3)


def unpack(blob: bytes, digest: str) -> list[Manifest]:
    """The inverse of `pack`. Raises `Invalid` where the blob is damaged, too large or not what the digest names."""
    value: Any = orjson.loads(raw_of(blob, digest))
    return list(value)


def raw_of(blob: bytes, digest: str) -> bytes:
    """The canonical JSON in a blob. Raises as `unpack`."""
    return _unzipped(zstandard.ZstdDecompressor(), blob, digest)


def difference(base: bytes, raw: bytes) -> bytes | None:
    """What makes `raw` of `base`, both canonical JSON: a zstd frame that has the base for its dictionary, as large as
    what changed. None where they are too large to be compared.
    """
    if len(base) + len(raw) > MAX_DIFFERENCE_BYTES:
        return None
    # The window reaches back over all of the base from the end of the new content, and the tables have room for the
    # places of the base: with smaller ones a difference of 5 MB is as large as the whole (measured).
    bits = len(base).bit_length()
    parameters = zstandard.ZstdCompressionParameters.from_level(
        3,
        window_log=max(MIN_WINDOW, (len(base) + len(raw)).bit_length()),
        hash_log=max(MIN_TABLE, bits - 2),
        chain_log=max(MIN_TABLE, bits - 3),
    )
    dictionary = zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    return zstandard.ZstdCompressor(dict_data=dictionary, compression_params=parameters).compress(raw)


def patched(base: bytes, changes: bytes, digest: str) -> bytes:
    """The blob of the bundle that a `difference` to `base` (canonical JSON) makes. Raises as `unpack`."""
    dictionary = zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
    raw = _unzipped(zstandard.ZstdDecompressor(dict_data=dictionary), changes, digest)
    return zstandard.compress(raw, 3)


def _unzipped(tool: zstandard.ZstdDecompressor, blob: bytes, digest: str) -> bytes:
    try:
        # The frame says how large it unpacks; a frame that does not is none of ours.
        size = zstandard.frame_content_size(blob)
        if not 0 <= size <= MAX_BUNDLE_BYTES:
            raise Invalid(f"bundle {digest}: {size} bytes unpacked, at most {MAX_BUNDLE_BYTES} are accepted")
        raw = tool.decompress(blob)
    except zstandard.ZstdError as error:
        raise Invalid(f"bundle {digest}: not readable: {error}") from None
    if objects.digest(raw) != digest:
        raise Invalid(f"bundle {digest}: the content has digest {objects.digest(raw)}")
    return raw
