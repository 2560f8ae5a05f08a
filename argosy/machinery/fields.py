"""Sets of field paths, kept in the very form the API shows them: FieldsV1.

A set is a dictionary tree. Keys are path elements as FieldsV1 spells them: `f:<name>` a map key or struct field,
`k:<json>` an item of an associative list by its keys, `v:<json>` an item of a set by its value, `i:<n>` an index. A
node that is empty, or has the key `.`, is itself a member of the set; the root is never one. So nothing is encoded
or decoded on the way between an object's `managedFields` and the arithmetic here.

The arithmetic is that of structured-merge-diff v6 (`fieldpath.Set`). Sets are values: no function here changes an
argument, and results may share parts with arguments, so nobody may change a set in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

Fields = dict[str, Any]
Path = tuple[str, ...]

EMPTY: Fields = {}
_SELF = "."


def is_member(node: Fields) -> bool:
    """Whether a node below the root stands for a path of its own, not only for paths under it."""
    return not node or _SELF in node


def _joined(member: bool, children: Fields) -> Fields | None:
    """A node from its two halves; None where neither says anything."""
    if not member:
        return children or None
    return {_SELF: {}, **children} if children else {}


def union(left: Fields, right: Fields) -> Fields:
    """What is in either set."""
    if not left or left is right:
        return right
    if not right:
        return left
    out = dict(left)
    for element, node in right.items():
        if element in out:
            mine = out[element]
            if mine is not node:
                out[element] = _union_nodes(mine, node)
        else:
            out[element] = node
    return out


def _union_nodes(left: Fields, right: Fields) -> Fields:
    out = {_SELF: {}, **left} if is_member(left) or is_member(right) else dict(left)
    for element, node in right.items():
        if element == _SELF:
            continue
        out[element] = _union_nodes(out[element], node) if element in out else node
    return {} if len(out) == 1 and _SELF in out else out


def difference(left: Fields, right: Fields) -> Fields:
    """What is in `left` and not in `right`; a parent does not take its children with it."""
    if not left or not right:
        return left
    return _difference(left, right, member=False, recursive=False) or {}


def without_below(left: Fields, right: Fields) -> Fields:
    """`left` without the members of `right` and without everything below them."""
    if not left or not right:
        return left
    return _difference(left, right, member=False, recursive=True) or {}


def _difference(left: Fields, right: Fields, *, member: bool, recursive: bool) -> Fields | None:
    children: Fields = {}
    for element, node in left.items():
        if element == _SELF:
            continue
        other = right.get(element)
        if other is None:
            children[element] = node
            continue
        taken = is_member(other)
        if recursive and taken:
            continue
        rest = _difference(node, other, member=is_member(node) and not taken, recursive=recursive)
        if rest is not None:
            children[element] = rest
    return _joined(member, children)


def intersection(left: Fields, right: Fields) -> Fields:
    """What is in both sets."""
    if not left or not right:
        return {}
    return _intersection(left, right, member=False) or {}


def _intersection(left: Fields, right: Fields, *, member: bool) -> Fields | None:
    children: Fields = {}
    for element, node in left.items():
        if element == _SELF:
            continue
        other = right.get(element)
        if other is None:
            continue
        both = _intersection(node, other, member=is_member(node) and is_member(other))
        if both is not None:
            children[element] = both
    return _joined(member, children)


def has(fields: Fields, path: Path) -> bool:
    """Whether the path itself is a member."""
    node = fields
    for element in path:
        found = node.get(element)
        if found is None:
            return False
        node = found
    return bool(path) and is_member(node)


def insert(fields: Fields, path: Path) -> Fields:
    """The set with one more member."""
    if not path:
        return fields
    node: Fields = {}
    for element in reversed(path):
        node = {element: node}
    return union(fields, node)


def paths(fields: Fields) -> Iterator[Path]:
    """All members, parents before what is below them, members of one node before deeper ones (as Go's Iterate)."""
    yield from _paths(fields, ())


def _paths(fields: Fields, prefix: Path) -> Iterator[Path]:
    elements = sorted(element for element in fields if element != _SELF)
    for element in elements:
        if is_member(fields[element]):
            yield (*prefix, element)
    for element in elements:
        if fields[element]:
            yield from _paths(fields[element], (*prefix, element))


def path_text(path: Path) -> str:
    """A path as conflicts show it: `.spec.containers[name="web"].image`."""
    return "".join(_element_text(element) for element in path)


def _element_text(element: str) -> str:
    tag, text = element[:2], element[2:]
    if tag == "f:":
        return "." + text
    if tag == "k:":
        keys = orjson.loads(text)
        return "[" + ",".join(f"{name}={_value_text(keys[name])}" for name in sorted(keys)) + "]"
    if tag == "v:":
        return f"[={_value_text(orjson.loads(text))}]"
    return f"[{text}]"


def _value_text(value: Any) -> str:
    return orjson.dumps(value).decode()


def key_element(keys: dict[str, Any]) -> str:
    """The element of an associative list's item, from its key fields."""
    return "k:" + _json(keys)


def value_element(value: Any) -> str:
    """The element of a set's item."""
    return "v:" + _json(value)


def _json(value: Any) -> str:
    """JSON as Go's encoder writes it inside FieldsV1: sorted keys, no blanks, `<`, `>` and `&` escaped."""
    text = orjson.dumps(_whole(value), option=orjson.OPT_SORT_KEYS).decode()
    if "<" in text or ">" in text or "&" in text:
        text = text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return text


def _whole(value: Any) -> Any:
    """Numbers that are equal are the same key: 80.0 is written as 80."""
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def decode(raw: Any) -> Fields:
    """A set from FieldsV1 that came from outside. Raises `ValueError` for what is not one; keys become canonical."""
    if not isinstance(raw, dict):
        raise ValueError("fieldsV1 must be an object")
    return {element: node for element, node in _decoded(raw).items() if element != _SELF}


def _decoded(raw: dict[str, Any]) -> Fields:
    out: Fields = {}
    for element, node in raw.items():
        if not isinstance(node, dict):
            raise ValueError(f"parsing field path: {element!r} does not hold an object")
        if element == _SELF:
            out[_SELF] = {}
            continue
        out[_decoded_element(element)] = _decoded(node)
    return {} if len(out) == 1 and _SELF in out else out


def _decoded_element(element: str) -> str:
    tag, text = element[:2], element[2:]
    if tag == "f:":
        return element
    if tag not in ("k:", "v:", "i:"):
        raise ValueError(f"unexpected field path element {element!r}")
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"invalid field path element {element!r}: {error}") from error
    if tag == "k:":
        if not isinstance(value, dict):
            raise ValueError(f"field path element {element!r} does not hold an object")
        return key_element(value)
    return value_element(value) if tag == "v:" else f"i:{int(value)}"
