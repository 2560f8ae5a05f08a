"""Objects encrypted with SOPS on their way through the hub, which holds no key: carried as they are, with their file.

The MAC of a SOPS file speaks of the file's own order and of all its documents, which a rendered object no longer shows.
So the text of the file goes along, in the object's `sops` mapping, and the agent checks the one before it opens the
other. Which file it is tells the MAC, which no two files share.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from argosy import sealed
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.tree import Tree
from hub.render import files

_SUFFIXES = (".yaml", ".yml", ".json")
_FOR_US = ("apiVersion", "kind")


def attached(found: Sequence[Manifest], tree: Tree, paths: Collection[str]) -> list[Manifest]:
    """The objects, each encrypted one with its file beside it where it is among `paths` (files and folders).

    Raises `Invalid` for an object whose kind or name is encrypted: nobody but its agent could tell what it is.
    """
    wanted = {sealed.mac_of(item) for item in found if sealed.is_sealed(item)} - {""}
    texts = dict(_texts(tree, paths, wanted)) if wanted else {}
    out: list[Manifest] = []
    given: set[str] = set()
    for item in found:
        if not sealed.is_sealed(item):
            out.append(item)
            continue
        file, text = texts.get(sealed.mac_of(item), ("", ""))
        _readable(item, file)
        if file:
            out.append(sealed.carrying(item, file, "" if file in given else text))
            given.add(file)
        else:
            out.append(item)
    return out


def _texts(
    tree: Tree, paths: Collection[str], macs: Collection[str]
) -> Iterator[tuple[str, tuple[str, str]]]:
    left = set(macs)
    for path in _files(tree, paths):
        if not left:
            return
        data = files.content(tree, path)
        hits = {mac for mac in left if mac.encode() in data}
        if hits:
            left -= hits
            try:
                text = data.decode()
            except UnicodeDecodeError:
                raise Invalid(f"{path}: not UTF-8") from None
            yield from ((mac, (path, text)) for mac in hits)


def _files(tree: Tree, paths: Collection[str]) -> Iterator[str]:
    for path in sorted(paths):
        below = [path] if files.is_file(tree, path) else files.below(tree, path)
        yield from (each for each in below if each.endswith(_SUFFIXES))


def _readable(item: Manifest, file: str) -> None:
    values = [item.get(name) for name in _FOR_US] + [(item.get("metadata") or {}).get("name")]
    if any(isinstance(value, str) and value.startswith("ENC[") for value in values):
        raise Invalid(
            f"{file or 'an object'}: apiVersion, kind and metadata must not be encrypted: use SOPS with "
            "--encrypted-regex '^(data|stringData)$'"
        )
