"""Archives of strangers as trees: unpacked in memory, with bounds on everything, and nothing leaves its root."""

from __future__ import annotations

import hashlib
import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator

from argosy.errors import Invalid
from hub.core.tree import MemoryTree, Tree

MAX_ARCHIVE = 64 * 1024 * 1024
MAX_UNPACKED = 128 * 1024 * 1024
MAX_FILES = 20_000


def tree(archive: bytes, commit: str, what: str, *, strip: bool) -> Tree:
    """The files of a tar archive, gzipped or not. `strip` takes off the one folder that a chart lies in.

    Raises `Invalid`, beginning with `what`, for an archive that is damaged, too large, or leaves its root.
    """
    files, links = _unpacked(_inflated(archive, what), what)
    if strip:
        tops = {path.partition("/")[0] for path in files}
        if len(tops) != 1 or f"{(top := tops.pop())}/Chart.yaml" not in files:
            raise Invalid(f"{what}: no chart: one folder with a Chart.yaml is expected")
        start = len(top) + 1
        files = {path[start:]: data for path, data in files.items() if len(path) > start}
        links = {path[start:] for path in links}
    return MemoryTree(files, commit, frozenset(links))


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _inflated(archive: bytes, what: str) -> bytes:
    """All of it at once and no more than allowed, so that no header inside can ask for more."""
    if not archive.startswith(b"\x1f\x8b"):
        return archive
    inflate = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        data = inflate.decompress(archive, MAX_UNPACKED + 1)
    except zlib.error as error:
        raise Invalid(f"{what}: damaged archive: {error}") from None
    if len(data) > MAX_UNPACKED:
        raise Invalid(f"{what}: the archive holds more than {MAX_UNPACKED} bytes")
    if not inflate.eof:
        raise Invalid(f"{what}: damaged archive: it ends too early")
    return data


def _unpacked(data: bytes, what: str) -> tuple[dict[str, bytes], set[str]]:
    files: dict[str, bytes] = {}
    links: set[str] = set()
    size = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as tar:
            for count, member in enumerate(tar):
                if count >= MAX_FILES:
                    raise Invalid(f"{what}: the archive holds more than {MAX_FILES} files")
                path = _path(member.name, what)
                # A sparse file is as large as it says, whatever there is of it in the archive.
                size += member.size
                if size > MAX_UNPACKED:
                    raise Invalid(f"{what}: the archive holds more than {MAX_UNPACKED} bytes")
                if member.issym():
                    _path(posixpath.join(posixpath.dirname(path), member.linkname), what)
                    links.add(path)
                    files[path] = member.linkname.encode("utf-8", "surrogateescape")
                elif member.islnk():
                    raise Invalid(f"{what}: {path} is a hard link, which is not supported")
                elif member.isfile():
                    content = tar.extractfile(member)
                    links.discard(path)
                    files[path] = content.read() if content else b""
                elif not member.isdir():
                    raise Invalid(f"{what}: {path} is neither a file nor a folder")
    except (tarfile.TarError, EOFError, OSError, ValueError, OverflowError) as error:
        raise Invalid(f"{what}: damaged archive: {error}") from None
    files.pop(".", None)
    for path in files if links else ():
        if through := next((above for above in _above(path) if above in links), ""):
            raise Invalid(f"{what}: the archive writes through the symbolic link {through}")
    return files, links


def _above(path: str) -> Iterator[str]:
    """The folders that a path lies in."""
    while path := path.rpartition("/")[0]:
        yield path


def _path(name: str, what: str) -> str:
    path = posixpath.normpath(name)
    if name.startswith("/") or path == ".." or path.startswith("../") or "\\" in name or "\0" in name:
        raise Invalid(f"{what}: {name!r} leads out of the archive")
    return path
