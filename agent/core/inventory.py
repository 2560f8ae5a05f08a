"""Which objects an assignment has in the cluster: the only ones it may ever delete.

Written (as the union of old and new) before the first apply and shrunk last, so that no crash leaves an
object that nobody remembers. Kept in the cluster as the parent object of an ApplySet (KEP-3659), so that a
lost state folder loses nothing. Pure: records, and their form as a ConfigMap.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import zstandard

from agent.core import marks
from agent.core.marks import Seen, Wanted
from argosy import objects
from argosy.errors import Invalid
from argosy.kinds import Gvk
from argosy.objects import Manifest, ObjectKey

FORMAT = 1
KEPT_BUNDLES = 10
"""So many bundles back it is known what was last applied to an object, and so which of its fields are ours."""
_PLAIN_BYTES = 512 * 1024
"""Above this the document is compressed: a ConfigMap holds at most 1 MiB."""
_UNPACKED_BYTES = 64 * 1024 * 1024
ID = "applyset.kubernetes.io/id"
TOOLING = "applyset.kubernetes.io/tooling"
GROUP_KINDS = "applyset.kubernetes.io/contains-group-kinds"
NAMESPACES = "applyset.kubernetes.io/additional-namespaces"


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of ours. `uid` is "" until its first apply is known to have succeeded; `mark` is the live
    object's when it was last known to be as wanted, "" before."""

    key: ObjectKey
    version: str
    uid: str = ""
    mark: str = ""
    hook: bool = False

    @property
    def gvk(self) -> Gvk:
        return Gvk(self.key.group, self.version, self.key.kind)


@dataclass(frozen=True, slots=True)
class Operation:
    """The last sync of an app: `id` says of what, `attempt` counts its tries. Times are Unix seconds.

    `hooks` maps finished hooks ("<phase>/<key>") to True where they succeeded. `request` is the newest sync of a user
    that was taken up, `asked` what it asked for while this is that sync ("" for an automatic one). `content` is what
    this sync is of, `settled` the content of the last sync of the whole app that came to an end.
    """

    id: str = ""
    phase: str = ""
    message: str = ""
    started: float = 0.0
    finished: float = 0.0
    request: str = ""
    attempt: int = 1
    hooks: Mapping[str, bool] = field(default_factory=dict)
    asked: str = ""
    content: str = ""
    settled: str = ""

    @property
    def token(self) -> str:
        """What tells this run of a sync from all others: a user ends exactly this one by it."""
        return f"{self.id}.{int(self.started * 1000)}" if self.id else ""

    @property
    def succeeded(self) -> bool:
        return self.phase == "Succeeded"


@dataclass(frozen=True, slots=True)
class Inventory:
    """Of one assignment. `bundles` are digests of those last applied, the newest first. What the assignment said and
    must hold when it is gone: `options` (the app's sync options) protect its objects, `account` is the ServiceAccount
    they are deleted as, and an app that was only adopted (`adoption`) is given back and not deleted.
    """

    assignment: str
    app: str = ""
    entries: Mapping[ObjectKey, Entry] = field(default_factory=dict)
    bundles: tuple[str, ...] = ()
    operation: Operation = Operation()
    options: tuple[str, ...] = ()
    account: str = ""
    adoption: str = ""

    def union(self, wanted: Iterable[Wanted], bundle: str, *, hooks: frozenset[ObjectKey]) -> Inventory:
        """With all wanted objects in it and the bundle remembered; nothing leaves."""
        entries = dict(self.entries)
        for item in wanted:
            old = entries.get(item.key)
            version, hook = item.gvk.version, item.key in hooks
            if old is None:
                entries[item.key] = Entry(item.key, version, hook=hook)
            elif (old.version, old.hook) != (version, hook):
                entries[item.key] = replace(old, version=version, hook=hook)
        rest = tuple(digest for digest in self.bundles if digest != bundle)
        return replace(self, entries=entries, bundles=(bundle, *rest)[:KEPT_BUNDLES])

    def learned(self, live: Iterable[Seen]) -> Inventory:
        """With UIDs and marks of objects that are as wanted."""
        entries = dict(self.entries)
        for item in live:
            old = entries.get(item.key)
            if old is not None and (old.uid, old.mark) != (item.uid, item.mark):
                entries[item.key] = replace(old, uid=item.uid, mark=item.mark)
        return replace(self, entries=entries)

    def unsure(self, keys: Iterable[ObjectKey]) -> Inventory:
        """With the UIDs of objects open that are about to be made anew: whichever is found then is ours if it says so
        itself, also where the answer that tells its UID is lost."""
        fresh = {key: replace(self.entries[key], uid="", mark="") for key in keys if self.entries[key].uid}
        return replace(self, entries={**self.entries, **fresh}) if fresh else self

    def without(self, keys: Iterable[ObjectKey]) -> Inventory:
        """What is left after these are gone."""
        gone = frozenset(keys)
        return replace(self, entries={key: entry for key, entry in self.entries.items() if key not in gone})


def recovered(assignment: str, live: Iterable[Seen]) -> Inventory:
    """The inventory of an assignment whose parent object was lost, from the marks on the objects
    themselves.
    """
    entries = {
        item.key: Entry(item.key, item.gvk.version, item.uid, hook=bool(item.operation))
        for item in live
        if item.owner == assignment
    }
    return Inventory(assignment, entries=entries)


def substance(inventory: Inventory) -> tuple[Any, ...]:
    """What must be written when it changes. Marks alone need not be: without them one dry run more is
    made.
    """
    known = tuple((entry.key, entry.version, entry.uid, entry.hook) for entry in inventory.entries.values())
    return (
        known,
        inventory.bundles,
        inventory.operation,
        inventory.app,
        inventory.options,
        inventory.account,
        inventory.adoption,
    )


def to_manifest(inventory: Inventory) -> Manifest:
    """The parent object, ready to be applied."""
    ordered = sorted(inventory.entries.values(), key=lambda entry: entry.key)
    operation = inventory.operation
    raw = objects.canonical(
        {
            "format": FORMAT,
            "app": inventory.app,
            "bundles": inventory.bundles,
            "options": inventory.options,
            "account": inventory.account,
            "adoption": inventory.adoption,
            "operation": {name: getattr(operation, name) for name in Operation.__slots__},
            "entries": [
                [str(entry.key), entry.version, entry.uid, _kept(entry), entry.hook] for entry in ordered
            ],
        }
    )
    content: dict[str, Any] = {"data": {"inventory": raw.decode()}}
    if len(raw) > _PLAIN_BYTES:
        packed = base64.b64encode(zstandard.compress(raw, 9)).decode()
        content = {"binaryData": {"inventory.zst": packed}}
    kinds = sorted({f"{key.kind}.{key.group}".rstrip(".") for key in inventory.entries})
    namespaces = sorted({key.namespace for key in inventory.entries} - {"", marks.NAMESPACE})
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": marks.inventory_name(inventory.assignment),
            "namespace": marks.NAMESPACE,
            "labels": {ID: marks.applyset_id(inventory.assignment)},
            "annotations": {
                TOOLING: "argosy/v1",
                GROUP_KINDS: ",".join(kinds),
                NAMESPACES: ",".join(namespaces),
                "argosy.dev/app": inventory.app,
            },
        },
        **content,
    }


def _kept(entry: Entry) -> str:
    """The mark of an object as it is kept. That of a Secret is a digest of what nobody shall be able to try out: without
    it a restarted agent makes one dry run more.
    """
    return "" if (entry.key.group, entry.key.kind) == ("", "Secret") else entry.mark


def from_manifest(assignment: str, manifest: Manifest) -> Inventory:
    """The inverse of `to_manifest`. Raises `Invalid` where it is not readable; then nothing may be
    deleted by it.
    """
    name = marks.inventory_name(assignment)
    try:
        plain = (manifest.get("data") or {}).get("inventory")
        if plain is None:
            packed = base64.b64decode(manifest["binaryData"]["inventory.zst"])
            plain = zstandard.ZstdDecompressor().decompress(packed, max_output_size=_UNPACKED_BYTES)
        value = orjson.loads(plain)
        entries = [
            Entry(objects.parse_key(key), version, uid, mark, hook)
            for key, version, uid, mark, hook in value["entries"]
        ]
        return Inventory(
            assignment,
            value["app"],
            {entry.key: entry for entry in entries},
            tuple(value["bundles"]),
            Operation(**value["operation"]),
            tuple(value["options"]),
            str(value.get("account") or ""),
            str(value.get("adoption") or ""),
        )
    except (KeyError, ValueError, TypeError, zstandard.ZstdError) as error:
        raise Invalid(f"inventory {marks.NAMESPACE}/{name} is not readable: {error}") from None
