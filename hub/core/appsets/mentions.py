"""Which labels and annotations of clusters the texts of a set can tell apart.

A set is evaluated again for a changed label only where its result may depend on it. That is decided on the texts
alone, and carefully: what is not understood for certain counts as depending on every label.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Mentions:
    """Label and annotation keys, or (`everything`) all there may be."""

    keys: frozenset[str] = frozenset()
    everything: bool = False


ALL = Mentions(everything=True)

_MAPS = ("labels", "annotations")
_FLAT = re.compile(r"metadata\.(?:labels|annotations)\.(.+)\Z", re.DOTALL)
_TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_ACTION = re.compile(r"\{\{(?:-\s)?((?:[^\"`'{}]|\"(?:\\.|[^\"\\])*\"|`[^`]*`)*?)(?:\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"\s+|(?P<text>\"(?:\\.|[^\"\\])*\"|`[^`]*`)|(?P<field>\$?(?:\.[A-Za-z_]\w*)+)(?![\w.$])"
    r"|(?P<word>[A-Za-z]\w*)(?![\w.$])|-?\d+(?:\.\d+)?(?![\w.])|[|(),]",
    re.DOTALL,
)
_LOOKUPS = frozenset(("index", "get", "hasKey"))
_OPAQUE = frozenset(("range", "with", "define", "template", "block", "include", "tpl"))
"""Words after which a field's name may stand for something else, or a text may come from somewhere else."""


def of(spec: dict[str, Any]) -> Mentions:
    """What an ApplicationSet's spec mentions."""
    go = bool(spec.get("goTemplate"))
    if _renders_twice(spec["generators"], go):
        return ALL
    keys: set[str] = set()
    for text in _texts(spec):
        if "{{" not in text:
            # A selector over parameters, or a key that children are merged by.
            if found := _FLAT.match(text):
                keys.add(found[1])
            elif text.partition(".")[0] == "metadata":
                return ALL
            continue
        named = _in_go(text) if go else _in_tags(text)
        if named is None:
            return ALL
        keys.update(named)
    return Mentions(frozenset(keys))


def _renders_twice(generators: Iterable[Any], go: bool) -> bool:
    """True where parameters themselves may become templates, or are compared as a whole."""
    for element in generators:
        for kind, spec in element.items():
            if kind == "matrix" and spec is not None:
                children = spec.get("generators") or []
                if not go or any(_has_values(child) for child in children[1:]):
                    return True
            if kind in ("matrix", "merge") and _renders_twice((spec or {}).get("generators") or [], go):
                return True
            if kind == "clusters" and isinstance(spec, dict) and spec.get("flatList"):
                return True
    return False


def _has_values(child: dict[str, Any]) -> bool:
    return any(isinstance(spec, dict) and spec.get("values") for spec in child.values()) or any(
        _has_values(nested)
        for spec in child.values()
        if isinstance(spec, dict)
        for nested in spec.get("generators") or ()
        if isinstance(nested, dict)
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            # `metadata` as a field's name is no mention; as a text it is.
            if key != "metadata":
                yield str(key)
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _in_tags(text: str) -> set[str]:
    return {found[1] for tag in _TAG.findall(text) if (found := _FLAT.match(tag.strip()))}


def _in_go(text: str) -> set[str] | None:
    """None where some action is not understood."""
    keys: set[str] = set()
    rest = _ACTION.sub("", text)
    if "{{" in rest:
        return None
    for action in _ACTION.findall(text):
        named = _in_action(action)
        if named is None:
            return None
        keys |= named
    return keys


def _in_action(action: str) -> set[str] | None:
    if action.strip().startswith("/*"):
        return set()
    tokens: list[tuple[str, str]] = []
    at = 0
    while at < len(action):
        found = _TOKEN.match(action, at)
        if found is None:
            return None
        if found.lastgroup:
            tokens.append((found.lastgroup, found[0]))
        at = found.end()
    keys: set[str] = set()
    for place, (kind, word) in enumerate(tokens):
        if kind == "word" and word in _OPAQUE:
            return None
        if kind != "field":
            continue
        path = word.lstrip("$").split(".")[1:]
        if path[0] == "clusters":
            return None
        if path[0] != "metadata":
            continue
        key = path[2] if len(path) > 2 else _looked_up(tokens, place) if len(path) == 2 else None
        if path[-1] == "metadata" or path[1] not in _MAPS or key is None:
            return None
        keys.add(key)
    return keys


def _looked_up(tokens: list[tuple[str, str]], place: int) -> str | None:
    """The key of `index .metadata.labels "key"`."""
    if place == 0 or place + 1 >= len(tokens):
        return None
    before, (kind, text) = tokens[place - 1], tokens[place + 1]
    if before[0] == "word" and before[1] in _LOOKUPS and kind == "text" and "\\" not in text:
        return text[1:-1]
    return None
