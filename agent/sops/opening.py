"""Opens the encrypted objects of one bundle: the MAC of each file first, then the objects made of it.

The hub carries encrypted objects as they are and puts beside them the text of the file they come from (`carried`), for
the MAC speaks of the file: of its order, and of all of its documents. What the hub or kustomize changed in clear
fields (labels, namespaces) is theirs to change; every encrypted value must be one of the verified file's.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from agent.core.marks import Wanted
from agent.sops import files, tree
from agent.sops.keys import KeyRing
from agent.sops.tree import Leaf
from argosy import sealed, yamlio
from argosy.errors import Invalid, Unavailable
from argosy.objects import Manifest


@dataclass(frozen=True, slots=True)
class _File:
    """A verified file: its data key and its encrypted leaves."""

    key: bytes
    leaves: frozenset[Leaf]

    def __repr__(self) -> str:
        return "_File(…)"


class Opener:
    """For one bundle's objects. Calls block: they compute, and may run gpg."""

    def __init__(self, ring: KeyRing, manifests: Iterable[Manifest]) -> None:
        self._ring = ring
        self._texts: dict[str, str] = {}
        """By MAC, which no two files share: sources may have files of one name."""
        self._bare: dict[str, Manifest] = {}
        """By MAC: objects whose file did not come with them; their own content is all there is to check."""
        self._files: dict[str, _File] = {}
        for manifest in manifests:
            if sealed.is_sealed(manifest):
                carried = sealed.carried(manifest)
                if carried is None:
                    self._bare[sealed.mac_of(manifest)] = manifest
                elif carried.text:
                    self._texts[sealed.mac_of(manifest)] = carried.text

    def opened(self, wanted: Wanted) -> Wanted:
        """The object in clear, under the digest of its encrypted form. Raises `Invalid` naming file and keys."""
        manifest = wanted.manifest
        if not sealed.is_sealed(manifest):
            return self._with_files(wanted)
        carried = sealed.carried(manifest)
        name = carried.file if carried is not None else str(wanted.key)
        try:
            file = self._verified(name, sealed.mac_of(manifest))
            clear: Manifest = tree.opened(tree.content(manifest), file.key, file.leaves)
        except Invalid as error:
            raise Invalid(f"{name}: cannot be decrypted: {error.message}") from None
        except Unavailable as error:
            raise Unavailable(f"{name}: cannot be decrypted: {error.message}") from None
        places = {place for place, value in tree.leaves(tree.content(manifest)) if tree.encrypted(value)}
        return replace(wanted, manifest=clear, sealed=tuple(sorted(map(_path, places))))

    def _with_files(self, wanted: Wanted) -> Wanted:
        """A Secret with the files in it in clear. Where the agent was given no folder for keys they stay as they are, as in
        Argo CD: somebody else may open them."""
        found = list(sealed.files_in(wanted.manifest)) if self._ring.given else []
        if not found:
            return wanted
        out = dict(wanted.manifest)
        for field, name, content in found:
            try:
                clear = files.opened(name, content, self._ring)
            except Invalid as error:
                raise Invalid(f"{wanted.key}: {field}.{name} cannot be decrypted: {error.message}") from None
            except Unavailable as error:
                raise Unavailable(
                    f"{wanted.key}: {field}.{name} cannot be decrypted: {error.message}"
                ) from None
            # Always `data`: what is in clear need not be text.
            kept = {key: value for key, value in (out.get(field) or {}).items() if key != name}
            out[field] = kept
            out["data"] = {**(out.get("data") or {}), name: base64.b64encode(clear).decode()}
        if not out.get("stringData", True):
            del out["stringData"]
        return replace(wanted, manifest=out)

    def _verified(self, name: str, mac: str) -> _File:
        found = self._files.get(mac)
        if found is not None:
            return found
        text, bare = self._texts.get(mac), self._bare.get(mac)
        documents = _documents(name, text) if text is not None else [bare] if bare is not None else []
        metadata = documents[0].get(tree.FIELD) if documents else None
        if not mac or not isinstance(metadata, dict) or metadata.get("mac") != mac:
            raise Invalid("it has no MAC, or not that of its file")
        key = self._ring.data_key(metadata)
        modified = str(metadata.get("lastmodified") or "")
        only_encrypted = metadata.get("mac_only_encrypted") is True
        tree.verify(documents, key, mac, modified, only_encrypted=only_encrypted)
        leaves = frozenset(
            (place, value)
            for document in documents
            for place, value in tree.leaves(tree.content(document))
            if tree.encrypted(value)
        )
        self._files[mac] = _File(key, leaves)
        return self._files[mac]


def _path(place: str) -> str:
    """`data:key:` -> `.data.key`."""
    return f".{place.rstrip(':').replace(':', '.')}"


def _documents(name: str, text: str) -> list[dict[str, Any]]:
    if name.endswith(".json"):
        try:
            parsed = [json.loads(text)]
        except ValueError as error:
            raise Invalid(f"it is no JSON: {error}") from None
    else:
        parsed = yamlio.load_all(text, source=name)
    if not parsed or not all(isinstance(document, dict) for document in parsed):
        raise Invalid("a mapping is expected in every document")
    return parsed
