"""The marks by which a live object says whose it is and what was last applied to it.

A label in the form of KEP-3659 (ApplySet) lets the server filter lists and watches; an annotation names the
assignment together with the object's own key, so that a copy made by some controller never passes for ours; a
second annotation holds the digest of the content last applied, so that the object itself tells after any
crash what was ours. Nothing here talks to a cluster.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from agent.core.options import PLAIN, How, how
from argosy import objects
from argosy.kinds import Gvk, gvk_of
from argosy.objects import Manifest, ObjectKey

MANAGER = "argosy"
NAMESPACE = "argosy-system"
"""Where the agent keeps its own objects."""
PART_OF = "applyset.kubernetes.io/part-of"
TRACKING = "argosy.dev/tracking"
APPLIED = "argosy.dev/applied"
OPERATION = "argosy.dev/operation"
OWN_PREFIX = "argosy.dev/"
OWN = frozenset({TRACKING, APPLIED, OPERATION})
"""Our annotations; labels where `in_labels`."""


def own(name: str) -> bool:
    """Whether a label or annotation is a mark of ours."""
    return name in OWN or name == PART_OF


_SHORT = 16


def inventory_name(assignment: str) -> str:
    """Name of the object that holds an assignment's inventory."""
    return f"argosy-inventory-{assignment}"


def applyset_id(assignment: str) -> str:
    """KEP-3659's id of an ApplySet: a hash over name, namespace, kind and group of its parent object."""
    parent = f"{inventory_name(assignment)}.{NAMESPACE}.ConfigMap."
    hashed = base64.urlsafe_b64encode(hashlib.sha256(parent.encode()).digest()).rstrip(b"=").decode()
    return f"applyset-{hashed}-v1"


def tracking(assignment: str, key: ObjectKey) -> str:
    """Value of the tracking annotation: whose it is, and which object it was written on."""
    return f"{assignment}:{key}"


def short(data: bytes) -> str:
    """Sixteen hex digits over the bytes: enough to tell two contents of one object apart."""
    return hashlib.sha256(data).hexdigest()[:_SHORT]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One object of a bundle, ready to be applied: namespace settled and marks on it.

    `digest` identifies the content without the marks; `how` says how it is written; `sealed` are the paths whose values
    came encrypted.
    """

    key: ObjectKey
    gvk: Gvk
    manifest: Manifest = field(repr=False)
    digest: str = ""
    how: How = PLAIN
    sealed: tuple[str, ...] = ()


_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?\Z")


def in_labels(gvk: Gvk, assignment: str) -> bool:
    """Whether an object's marks are labels and not annotations.

    The API server counts a Deployment's annotations into its generation, as its controller hands them on to
    ReplicaSets (Kubernetes 1.37, `pkg/registry/apps/deployment/strategy.go`). To take one over, or to give it back,
    must not look like a new version of it.
    """
    return (gvk.group, gvk.kind) == ("apps", "Deployment") and bool(
        _VALUE.match(f"{assignment}.{'0' * _SHORT}")
    )


def tracking_label(assignment: str, key: ObjectKey) -> str:
    """Value of the tracking label: whose it is, and a digest of which object it was written on."""
    return f"{assignment}.{short(str(key).encode())}"


def marked(
    manifest: Manifest, key: ObjectKey, assignment: str, *, operation: str = "", options: tuple[str, ...] = ()
) -> Wanted:
    """The manifest with marks, which must already have its final namespace. The argument is left as it is.
    `options` are the app's sync options.
    """
    content = short(objects.canonical(manifest))
    metadata: dict[str, Any] = dict(manifest["metadata"])
    metadata["labels"] = {**(metadata.get("labels") or {}), PART_OF: applyset_id(assignment)}
    labels = in_labels(gvk_of(manifest), assignment)
    part = "labels" if labels else "annotations"
    metadata[part] = {
        **(metadata.get(part) or {}),
        TRACKING: tracking_label(assignment, key) if labels else tracking(assignment, key),
        APPLIED: content,
        **({OPERATION: operation} if operation else {}),
    }
    written = {**manifest, "metadata": metadata}
    return Wanted(key, gvk_of(manifest), written, content, how(options, manifest, key))


@dataclass(frozen=True, slots=True)
class Seen:
    """A live object as far as decisions need it. `mark` changes with everything but status and versions.

    `owner` is the assignment named by a tracking mark that speaks of this very object, else "".
    """

    key: ObjectKey
    gvk: Gvk
    uid: str
    resource_version: str
    mark: str
    owner: str
    applied: str
    operation: str
    deleting: bool
    body: Manifest = field(repr=False, compare=False)
    slim: bool = field(default=False, compare=False)
    """`body` is not whole: kind, metadata and status only."""


def seen(live: Manifest) -> Seen:
    """What is kept of a live object. managedFields are read once, for the mark, and dropped: they are near
    half of the memory."""
    metadata: dict[str, Any] = live["metadata"]
    key = objects.key_of(live)
    owner, found = _marks(metadata, key)
    slim = {name: value for name, value in metadata.items() if name != "managedFields"}
    return Seen(
        key=key,
        gvk=gvk_of(live),
        uid=metadata.get("uid", ""),
        resource_version=metadata.get("resourceVersion", ""),
        mark=mark(live),
        owner=owner,
        applied=found.get(APPLIED, ""),
        operation=found.get(OPERATION, ""),
        deleting="deletionTimestamp" in metadata,
        body={**live, "metadata": slim},
    )


def owner(live: Manifest) -> str:
    """`Seen.owner`, of an object's metadata alone."""
    return _marks(live["metadata"], objects.key_of(live))[0]


def _marks(metadata: Mapping[str, Any], key: ObjectKey) -> tuple[str, Mapping[str, str]]:
    """(whose it is, the labels or annotations that say so)."""
    found: Mapping[str, str] = metadata.get("labels") or {}
    if TRACKING in found:
        whose = found[TRACKING].rpartition(".")[0]
        return (whose if found[TRACKING] == tracking_label(whose, key) else ""), found
    found = metadata.get("annotations") or {}
    whose, _, written_on = found.get(TRACKING, "").partition(":")
    return (whose if written_on == str(key) else ""), found


def slimmed(item: Seen) -> Seen:
    """Without the content: what is kept of objects whose health needs none of it. Secrets stay out of memory so."""
    kept = ("apiVersion", "kind", "metadata", "status")
    body = {name: item.body[name] for name in kept if name in item.body}
    return replace(item, body=body, slim=True)


_VOLATILE = frozenset({"managedFields", "resourceVersion", "generation", "selfLink"})


def mark(live: Manifest) -> str:
    """A digest that changes when anything changes that an apply could change: the content without status and
    versions, and which fields are ours."""
    metadata: dict[str, Any] = live["metadata"]
    ours = [
        entry.get("fieldsV1")
        for entry in metadata.get("managedFields") or ()
        if entry.get("manager") == MANAGER
        and entry.get("operation") == "Apply"
        and not entry.get("subresource")
    ]
    content = {name: value for name, value in live.items() if name not in ("status", "metadata")}
    rest = {name: value for name, value in metadata.items() if name not in _VOLATILE}
    return short(objects.canonical([content, rest, ours]))
