"""A source's `targetRevision` -> a commit, by a repository's refs, in Argo CD's order of precedence.

Argo CD 3.6 (`util/git/client.go`, `util/versions`): a full commit id stands for itself; a version constraint
that some tag satisfies means the highest such tag; then branches before tags by short or full name; then a
shortened commit id.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from argosy.errors import NotFound

_FULL = re.compile(r"[0-9A-Fa-f]{40}\Z")
_SHORT = re.compile(r"[0-9A-Fa-f]{7,39}\Z")

HighestTag = Callable[[str, Sequence[str]], str | None]
"""(constraint, tags) -> the tag that Argo CD takes; None where the text is no constraint or nothing
satisfies it.
"""


def resolve(
    revision: str,
    refs: Mapping[str, str],
    *,
    highest: HighestTag,
    short: Callable[[str], str | None],
    tag_prefix: str = "",
) -> str:
    """The commit id of `revision`; "" means HEAD. `refs` is a listing with tags peeled; `short` finds the
    full id of a shortened one, or None. Raises `NotFound` where nothing is called so.
    """
    if _FULL.match(revision):
        return revision.lower()
    if ref := _ref(revision, refs, highest, tag_prefix):
        return refs[ref]
    found = short(revision.lower()) if _SHORT.match(revision) else None
    if found is None:
        raise NotFound(f"unable to resolve {revision or 'HEAD'!r} to a commit")
    return found


def tag(revision: str, refs: Mapping[str, str], *, highest: HighestTag, tag_prefix: str = "") -> str:
    """The name of the tag that `resolve` takes a revision for, "" where it takes it for anything else."""
    ref = "" if _FULL.match(revision) else _ref(revision, refs, highest, tag_prefix)
    return ref.removeprefix("refs/tags/") if ref.startswith("refs/tags/") else ""


def _ref(revision: str, refs: Mapping[str, str], highest: HighestTag, prefix: str) -> str:
    """The ref that a revision stands for, "" for none."""
    wanted = revision or "HEAD"
    wanted = _tag(wanted, refs, highest, prefix) or wanted
    for ref in ("HEAD", f"refs/heads/{wanted}", f"refs/tags/{wanted}", f"refs/{wanted}", wanted):
        if ref in refs and (ref != "HEAD" or wanted == "HEAD"):
            return ref
    return ""


def is_shortened(revision: str) -> bool:
    """Whether the text may be the beginning of a commit id."""
    return _SHORT.match(revision) is not None


def _tag(wanted: str, refs: Mapping[str, str], highest: HighestTag, prefix: str) -> str | None:
    if wanted == "HEAD" or wanted.startswith("refs/"):
        return None
    start = f"refs/tags/{prefix}"
    tags = [ref.removeprefix(start) for ref in refs if ref.startswith(start)]
    found = highest(wanted, tags) if tags else None
    return None if found is None else prefix + found


def parse_listing(text: str) -> dict[str, str]:
    """ref -> commit id, from what `git ls-remote` prints. An annotated tag stands for the commit it points
    to.
    """
    refs: dict[str, str] = {}
    peeled: dict[str, str] = {}
    for line in text.splitlines():
        commit, tab, ref = line.partition("\t")
        if not tab or commit.startswith("ref:"):
            continue
        if ref.endswith("^{}"):
            peeled[ref[:-3]] = commit
        else:
            refs[ref] = commit
    return {**refs, **peeled}
