"""YAML as Kubernetes reads and writes it.

kubectl, Helm and Argo CD read YAML through one Go library, whose rules are neither YAML 1.1 nor 1.2 nor those
of any Python loader: `y` and `on` are booleans, a leading zero means octal, `1:30` and dates stay text, keys
become strings. This module has those rules on top of libyaml's event stream, and it bounds what a hostile
document can cost: bytes, nesting depth, and the number of values that aliases unfold to. It reads no files.
"""

from __future__ import annotations

import base64
import binascii
import copy
import functools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import yaml

from argosy import gofloat
from argosy.errors import Invalid

_Parser: Any = getattr(yaml, "CSafeLoader", None) or yaml.SafeLoader
_Dumper: Any = getattr(yaml, "CSafeDumper", None) or yaml.SafeDumper


@dataclass(frozen=True, slots=True)
class Limits:
    """What one stream may cost: bytes, levels of nesting, values in all, values that aliases repeat."""

    size: int = 50 * 1024 * 1024
    depth: int = 200
    values: int = 5_000_000
    repeated: int = 200_000


DEFAULT_LIMITS = Limits()


class Excessive(Invalid):
    """The text goes beyond a limit, so nobody knows what it would have said."""


Duplicates = Literal["refuse", "last"]
"""The same key twice in one mapping: a mistake to report, or (as Go's lenient reader has it) the last wins.
"""

_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"), False),
}  # fmt: skip
_NOT_FINITE = frozenset(
    [".nan", ".NaN", ".NAN"] + [sign + word for sign in ("", "+", "-") for word in (".inf", ".Inf", ".INF")]
)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_INTEGER = re.compile(r"([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|([1-9][0-9]*|0))\Z")
_BASE60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_TIME = re.compile(
    r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2}(\.[0-9]+)?(Z|[-+][0-9:]+)?)?\Z"
)
_TAG = "tag:yaml.org,2002:"


def resolve(text: str) -> Any:
    """The value of an unquoted scalar. Raises ValueError for NaN and infinities, which JSON cannot hold."""
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first == ".":
        if text in _NOT_FINITE:
            raise ValueError(f"{text} has no JSON form")
        return _real(text)
    if not (first.isascii() and (first.isdigit() or first in "+-")):
        return text
    if text in _NOT_FINITE:
        raise ValueError(f"{text} has no JSON form")
    plain = text.replace("_", "")
    whole = _integer(plain)
    if whole is not None:
        return whole
    value = _real(plain)
    return text if isinstance(value, str) else value


def _integer(plain: str) -> int | float | None:
    found = _INTEGER.match(plain)
    if not found:
        return None
    sign, hexa, binary, octal, decimal = found.groups()
    value = int(hexa, 16) if hexa else int(binary, 2) if binary else int(octal, 8) if octal else int(decimal)
    value = -value if sign == "-" else value
    return whole(value) if decimal or -(2**63) <= value < 2**64 else None


def whole(number: int) -> int | float:
    """A whole number as it is kept: beyond 64 bits as a float."""
    return number if -(2**63) <= number < 2**64 else float(number)


def _real(plain: str) -> Any:
    if not _FLOAT.match(plain):
        return plain
    value = float(plain)
    if value in (float("inf"), float("-inf")):
        return plain
    return int(value) if value.is_integer() and abs(value) < 2**63 else value


class _Build:
    """One pass over the events of a stream; the explicit stack makes depth a number and not a crash."""

    def __init__(
        self, source: str, limits: Limits, duplicates: Duplicates, notes: list[str] | None = None
    ) -> None:
        self.source, self.limits, self.duplicates, self.notes = source, limits, duplicates, notes
        self.values = 0
        self.repeated = 0

    def fail(self, event: Any, message: str) -> Invalid:
        line = event.start_mark.line + 1 if event.start_mark else 0
        return Invalid(f"{self.source}:{line}: {message}")

    def beyond(self, event: Any, message: str) -> Excessive:
        return Excessive(self.fail(event, message).message)

    def count(self, event: Any, amount: int) -> None:
        self.values += amount
        if self.values > self.limits.values:
            raise self.beyond(event, f"more than {self.limits.values} values")

    def documents(self, parser: Any) -> Iterator[Any]:
        while True:
            event = parser.get_event()
            if event is None or isinstance(event, yaml.StreamEndEvent):
                return
            if isinstance(event, yaml.DocumentStartEvent):
                yield self.document(parser)

    def document(self, parser: Any) -> Any:
        anchors: dict[str, tuple[Any, int]] = {}
        stack: list[_Open] = []
        while True:
            event = parser.get_event()
            if isinstance(event, (yaml.SequenceStartEvent, yaml.MappingStartEvent)):
                if len(stack) >= self.limits.depth:
                    raise self.beyond(event, f"nested more than {self.limits.depth} levels deep")
                self.count(event, 1)
                is_map = isinstance(event, yaml.MappingStartEvent)
                stack.append(_Open(event, {} if is_map else [], self.values))
                continue
            if isinstance(event, (yaml.SequenceEndEvent, yaml.MappingEndEvent)):
                done = stack.pop()
                value, anchor, size = done.value, done.event.anchor, self.values - done.began + 1
            elif isinstance(event, yaml.AliasEvent):
                value, anchor, size = self.repeat(event, anchors), None, 1
            else:
                self.count(event, 1)
                value, anchor, size = self.scalar(event), event.anchor, 1
            if anchor:
                anchors[anchor] = (value, size)
            if not stack:
                parser.get_event()
                return value
            self.put(stack[-1], event, value)

    def repeat(self, event: Any, anchors: dict[str, tuple[Any, int]]) -> Any:
        if event.anchor not in anchors:
            raise self.fail(event, f"unknown anchor {event.anchor!r}")
        value, size = anchors[event.anchor]
        self.count(event, size)
        self.repeated += size
        if self.repeated > self.limits.repeated:
            raise self.beyond(event, f"aliases unfold to more than {self.limits.repeated} values")
        return copy.deepcopy(value)

    def scalar(self, event: Any) -> Any:
        text, tag = event.value, event.tag
        try:
            if tag is None or tag == "!":
                return resolve(text) if event.implicit[0] and tag is None else text
            return _tagged(tag, text)
        except ValueError as error:
            raise self.fail(event, str(error)) from None

    def put(self, into: _Open, event: Any, value: Any) -> None:
        if isinstance(into.value, list):
            into.value.append(value)
        elif not into.has_key:
            into.merging = isinstance(event, yaml.ScalarEvent) and value == "<<" and event.implicit[0]
            into.key, into.has_key = "<<" if into.merging else self.key(event, value), True
        else:
            into.has_key = False
            if into.merging:
                self.merge(into, event, value)
            else:
                if into.key in into.own:
                    self.twice(event, into.key)
                into.own.add(into.key)
                into.value[into.key] = value

    def twice(self, event: Any, key: str) -> None:
        found = self.fail(event, f"the key {key!r} stands twice in one mapping")
        if self.duplicates == "refuse":
            raise found
        if self.notes is not None:
            self.notes.append(f"{found.message}; the last one counts")

    def key(self, event: Any, value: Any) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, (int, float)):
            return str(value)
        what = "null" if value is None else "a list" if isinstance(value, list) else "a mapping"
        raise self.fail(event, f"a key must be a scalar, found {what}")

    def merge(self, into: _Open, event: Any, value: Any) -> None:
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise self.fail(event, "<< takes a mapping or a list of mappings")
        for part in reversed(parts):
            into.value.update(part)


class _Open:
    """A list or mapping whose end has not been read yet."""

    __slots__ = ("began", "event", "has_key", "key", "merging", "own", "value")

    def __init__(self, event: Any, value: Any, began: int) -> None:
        self.event, self.value, self.began = event, value, began
        self.key, self.has_key, self.merging = "", False, False
        self.own: set[str] = set()


def _tagged(tag: str, text: str) -> Any:
    if tag == _TAG + "str":
        return text
    if tag == _TAG + "binary":
        try:
            return base64.b64decode("".join(text.split()), validate=True).decode("utf-8")
        except (binascii.Error, UnicodeDecodeError):
            raise ValueError("!!binary does not hold base64 of text") from None
    kinds: dict[str, tuple[type, ...]] = {
        _TAG + "int": (int,),
        _TAG + "float": (int, float),
        _TAG + "bool": (bool,),
        _TAG + "null": (type(None),),
    }
    wanted = kinds.get(tag)
    if wanted is None:
        return text
    value = resolve(text)
    if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
        raise ValueError(f"{text!r} is no {tag.removeprefix(_TAG)}")
    return value


def _events(data: bytes | str, source: str, limits: Limits) -> Any:
    if len(data) > limits.size:
        raise Excessive(f"{source}: {len(data)} bytes, at most {limits.size} are read")
    if isinstance(data, bytes):
        try:
            data = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise Invalid(f"{source}:{line}: not UTF-8: byte 0x{error.object[error.start]:02x}") from None
    return _Parser(data)


def _reading(source: str, read: Callable[[], Any]) -> Any:
    try:
        return read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        raise Invalid(f"{source}:{line}: {error.problem or error.context}") from None
    except yaml.reader.ReaderError as error:
        raise Invalid(f"{source}: character #x{error.character:04x} is not allowed: {error.reason}") from None
    except yaml.YAMLError as error:
        raise Invalid(f"{source}: {error}") from None


def load_all(
    data: bytes | str,
    *,
    source: str,
    limits: Limits = DEFAULT_LIMITS,
    duplicates: Duplicates = "refuse",
    notes: list[str] | None = None,
) -> list[Any]:
    """Every document of a stream that is not empty. Whole numbers are int, others float, all keys text.

    Raises `errors.Invalid` with `source`, line and reason for text that is not YAML or goes beyond `limits`.
    With `duplicates="last"` a key that stands twice is only put down in `notes`.
    """
    build = _Build(source, limits, duplicates, notes)
    found = _reading(source, lambda: list(build.documents(_events(data, source, limits))))
    return [document for document in found if document is not None]


def load_first(
    data: bytes | str, *, source: str, limits: Limits = DEFAULT_LIMITS, duplicates: Duplicates = "last"
) -> Any:
    """The first document only, None for an empty text: what Go's `yaml.Unmarshal` makes of it."""
    build = _Build(source, limits, duplicates)
    return _reading(source, lambda: next(build.documents(_events(data, source, limits)), None))


def _compare(left: str, right: str) -> int:
    """Go's order of keys in YAML it writes: runs of digits by their number, letters after everything else."""
    for at, (one, two) in enumerate(zip(left, right, strict=False)):
        if one == two:
            continue
        if one.isalpha() or two.isalpha():
            before = one < two if one.isalpha() and two.isalpha() else two.isalpha()
            return -1 if before else 1
        lead = 1 if "0" in (one, two) and _follows_number(left, at) else 0
        number, end = _number(left, at, lead)
        other, other_end = _number(right, at, lead)
        return -1 if (number, end, one) < (other, other_end, two) else 1
    return len(left) - len(right)


def _follows_number(text: str, at: int) -> bool:
    while at > 0 and text[at - 1].isdigit():
        at -= 1
        if text[at] != "0":
            return True
    return False


def _number(text: str, at: int, value: int) -> tuple[int, int]:
    while at < len(text) and text[at].isdecimal():
        value = value * 10 + int(text[at])
        at += 1
    return value, at


key_order = functools.cmp_to_key(_compare)
"""Sort key for mapping keys, as Go's YAML writer orders them."""


class _Writer(_Dumper):  # type: ignore[misc]
    """libyaml's emitter with Go's choice of quotes: every scalar is written as decided in `_scalar`."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[Any]]] = {}

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _must_quote(text: str) -> bool:
    try:
        if not isinstance(resolve(text), str):
            return True
    except ValueError:
        return True
    return text == "<<" or bool(_BASE60.match(text) or _TIME.match(text))


def _scalar(text: str, style: str | None) -> yaml.ScalarNode:
    return yaml.ScalarNode(_TAG + "str", text, style=style)


def _node(value: Any) -> yaml.Node:
    if value is None:
        return _scalar("null", None)
    if isinstance(value, bool):
        return _scalar("true" if value else "false", None)
    if isinstance(value, int):
        return _scalar(str(value), None)
    if isinstance(value, float):
        return _scalar(_written_float(value), None)
    if isinstance(value, str):
        return _scalar(value, "|" if "\n" in value else '"' if _must_quote(value) else None)
    if isinstance(value, dict):
        pairs = [(_node(str(key)), _node(value[key])) for key in sorted(value, key=key_order)]
        return yaml.MappingNode(_TAG + "map", pairs, flow_style=not pairs)
    if isinstance(value, Sequence):
        return yaml.SequenceNode(_TAG + "seq", [_node(item) for item in value], flow_style=not value)
    raise TypeError(f"{type(value).__name__} has no YAML form")


def _written_float(value: float) -> str:
    if value.is_integer() and -(2**63) <= value < 2**64:
        return str(int(value))
    return gofloat.print_form(value)


def dump(value: Any) -> str:
    """One value as block YAML with sorted keys, as `kubectl -o yaml` writes it. Text is read back as text."""
    text = str(yaml.serialize(_node(value), Dumper=_Writer, allow_unicode=True, width=80))
    return text.removesuffix("...\n") if text.endswith("\n...\n") else text


def dump_all(values: Sequence[Any]) -> str:
    """Several documents, separated by `---` lines."""
    return "---\n".join(dump(value) for value in values)
