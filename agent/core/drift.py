"""What differs between a live object and what applying our manifest would make of it.

The comparison is of the API server's own dry run with the live object, so defaults, conversions and other
managers' fields never show up as drift. `ignoreDifferences` (Argo CD's form), of the Application and of an object's
annotation, is taken out of both sides first.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from agent.core import fieldpath, known
from agent.core.known import Known
from agent.core.marks import Seen, Wanted
from argosy import gobwas, stages, yamlio
from argosy.bundle import Policy
from argosy.errors import ArgosyError
from argosy.objects import Manifest, ObjectKey

NOTE = "argocd.argoproj.io/ignore-differences"
"""Argo CD 3.6: on an object in the source, YAML with `jsonPointers`, which are ignored of this object."""
_SHOWN = 5
_NAMES = re.compile(r"(\.[A-Za-z_][A-Za-z0-9_]*)+\Z")
_VOLATILE = ("managedFields", "resourceVersion", "generation", "selfLink", "uid", "creationTimestamp")


@dataclass(frozen=True, slots=True)
class Ignore:
    """One entry of `spec.ignoreDifferences`. Group and kind are globs; name and namespace exact where given.

    `jqPathExpressions` of plain names (`.a.b`) are turned into pointers; `expressions` are those that need jq.
    """

    group: str
    kind: str
    namespace: str
    name: str
    pointers: tuple[str, ...]
    managers: frozenset[str]
    expressions: tuple[str, ...] = ()
    known: tuple[Known, ...] = ()
    """Fields whose type is known: not ignored, but compared in one form."""

    def concerns(self, key: ObjectKey) -> bool:
        return (
            gobwas.match(self.group, key.group)
            and gobwas.match(self.kind, key.kind)
            and self.namespace in ("", key.namespace)
            and self.name in ("", key.name)
        )


def ignores(text: str) -> tuple[Ignore, ...]:
    """Reads `Policy.ignore_differences`; entries of a wrong shape are left out (the hub names them to
    the user).
    """
    try:
        parsed = orjson.loads(text or "[]")
    except orjson.JSONDecodeError:
        return ()
    return (
        tuple(_ignore(entry) for entry in parsed if isinstance(entry, dict))
        if isinstance(parsed, list)
        else ()
    )


def _ignore(entry: dict[str, Any]) -> Ignore:
    said = [text for text in entry.get("jqPathExpressions") or () if isinstance(text, str)]
    return Ignore(
        str(entry.get("group") or ""),
        str(entry.get("kind") or ""),
        str(entry.get("namespace") or ""),
        str(entry.get("name") or ""),
        (*(entry.get("jsonPointers") or ()), *(found for text in said if (found := _pointer_of(text)))),
        frozenset(entry.get("managedFieldsManagers") or ()),
        tuple(text for text in said if not _pointer_of(text)),
        tuple(Known(*pair) for pair in entry.get("knownTypeFields") or ()),
    )


def _pointer_of(expression: str) -> str:
    """`.spec.replicas` -> `/spec/replicas`, "" for anything that is more than plain names."""
    return expression.replace(".", "/") if _NAMES.match(expression) else ""


Delete = Callable[[str, Manifest], Manifest]
"""Evaluates a jq path expression: the manifest without what it names."""


def untouched(expression: str, manifest: Manifest) -> Manifest:
    """Evaluates nothing."""
    return manifest


@dataclass(frozen=True, slots=True)
class Ignored:
    """What is ignored of one object. `delete` evaluates `expressions`."""

    pointers: tuple[str, ...] = ()
    managers: frozenset[str] = frozenset()
    expressions: tuple[str, ...] = ()
    delete: Delete = field(default=untouched, compare=False)
    known: tuple[Known, ...] = ()
    """Fields that are compared in the form of their type."""

    @property
    def fields(self) -> bool:
        """Whether any field is ignored, whoever manages it."""
        return bool(self.pointers or self.expressions)

    def strip(self, manifest: Manifest) -> Manifest:
        """The manifest without what is ignored."""
        out: Any = manifest
        for path in self.pointers:
            out = fieldpath.pointer(out, path)
        for expression in self.expressions:
            out = self.delete(expression, out)
        return out if isinstance(out, dict) else manifest


NOTHING = Ignored()


def ignored(
    rules: Sequence[Ignore], key: ObjectKey, delete: Delete = untouched, manifest: Manifest | None = None
) -> Ignored:
    """The parts of all rules that concern an object, and what its manifest says. `delete` evaluates what needs jq."""
    fitting = [rule for rule in rules if rule.concerns(key)]
    own = noted(manifest) if manifest is not None else ()
    typed = known.of_kind(key, tuple(each for rule in fitting for each in rule.known))
    if not fitting and not own and not typed:
        return NOTHING
    return Ignored(
        (*(path for rule in fitting for path in rule.pointers), *own),
        frozenset(name for rule in fitting for name in rule.managers),
        tuple(text for rule in fitting for text in rule.expressions),
        delete,
        typed,
    )


def ignoring(policy: Policy, delete: Delete) -> Callable[[Wanted], Ignored]:
    """Gives what is ignored of each object of an application with this policy, which is read once."""
    rules = ignores(policy.ignore_differences)
    return lambda wanted: ignored(rules, wanted.key, delete, wanted.manifest)


def respects(policy: Policy) -> bool:
    """Whether a sync keeps what is ignored, too (`RespectIgnoreDifferences=true`)."""
    return "RespectIgnoreDifferences=true" in policy.sync_options


def noted(manifest: Manifest) -> tuple[str, ...]:
    """The pointers of an object's own annotation; none where it has none, or one that cannot be read."""
    if NOTE not in (manifest["metadata"].get("annotations") or ()):
        return ()
    return _pointers(stages.annotations_of(manifest).get(NOTE, ""))


@functools.lru_cache(maxsize=1024)
def _pointers(text: str) -> tuple[str, ...]:
    try:
        said = yamlio.load_first(text, source=NOTE)
    except ArgosyError:
        return ()
    found = said.get("jsonPointers") if isinstance(said, dict) else None
    good = isinstance(found, list) and all(isinstance(path, str) for path in found)
    return tuple(found) if good and found else ()


def differs(live: Seen, merged: Seen, ignore: Ignored = NOTHING, *, ownership: bool = True) -> bool:
    """Whether applying would change anything; without `ownership` who owns a field does not count."""
    if not (ignore.fields or ignore.known) and (ownership or live.mark == merged.mark):
        return live.mark != merged.mark
    return any(True for _ in _paths(content(live.body, ignore), content(merged.body, ignore), ""))


def paths(live: Seen, merged: Seen, ignore: Ignored = NOTHING) -> tuple[str, ...]:
    """The first fields that differ, for people; lists are one field. Empty where only ownership differs."""
    found = _paths(content(live.body, ignore), content(merged.body, ignore), "")
    return tuple(path for _, path in zip(range(_SHOWN), found, strict=False))


def content(manifest: Manifest, ignore: Ignored = NOTHING) -> Manifest:
    """What counts when two states of an object are compared: neither status nor what every write changes."""
    stripped = known.normal(ignore.strip(manifest), ignore.known)
    said = stripped.get("metadata") or {}
    metadata = {name: value for name, value in said.items() if name not in _VOLATILE}
    return {**{name: value for name, value in stripped.items() if name != "status"}, "metadata": metadata}


def _paths(left: Any, right: Any, path: str) -> Iterator[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        for name in sorted(left.keys() | right.keys()):
            if name not in left or name not in right:
                yield f"{path}.{name}"
            else:
                yield from _paths(left[name], right[name], f"{path}.{name}")
    elif left != right:
        yield path
