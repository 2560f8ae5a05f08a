"""Label and field selectors, as text in a query and as objects in a spec, compiled to callables.

Errors are the API server's `ApiFailure` 400 with its words. Matching is on plain maps of text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from argosy.machinery import failure, names

Labels = Mapping[str, str]
Matches = Callable[[Labels], bool]
Field = Callable[[Mapping[str, Any]], bool]
"""Says whether an object is selected."""


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term: `operator` is one of in, notin, exists, absent, gt, lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        """Whether labels fulfil it. As in Kubernetes, `notin` and `!=` hold where the key is missing."""
        value = labels.get(self.key)
        if self.operator == "exists":
            return value is not None
        if self.operator == "absent":
            return value is None
        if self.operator == "in":
            return value in self.values
        if self.operator == "notin":
            return value is None or value not in self.values
        try:
            number, bound = int(value or ""), int(self.values[0])
        except ValueError:
            return False
        return number > bound if self.operator == "gt" else number < bound


_TOKEN = re.compile(r"\s*(==|!=|=|>|<|\(|\)|,|!|[^\s=!<>(),]+)")


def everything(labels: Labels) -> bool:
    """The empty selector."""
    return True


def requirements(text: str) -> tuple[Requirement, ...]:
    """The terms of `a=b,c!=d,e in (f,g),h,!i`. Raises `ApiFailure` 400."""
    tokens = _tokens(text)
    out: list[Requirement] = []
    at = 0
    while at < len(tokens):
        requirement, at = _term(tokens, at, text)
        out.append(requirement)
        if at < len(tokens):
            if tokens[at] != ",":
                raise _unparsable(text, f"found '{tokens[at]}', expected: ',' or 'end of string'")
            at += 1
            if at == len(tokens):
                raise _unparsable(text, "found '', expected: identifier after ','")
    return tuple(out)


def _tokens(text: str) -> list[str]:
    out = []
    at = 0
    stripped = text.rstrip()
    while at < len(stripped):
        found = _TOKEN.match(stripped, at)
        if found is None:
            raise _unparsable(text, f"found '{stripped[at]}', expected: identifier")
        out.append(found[1])
        at = found.end()
    return out


def _unparsable(text: str, why: str) -> failure.ApiFailure:
    return failure.bad_request(f'unable to parse requirement: {why} (selector "{text}")')


_SIGNS = {"=": "in", "==": "in", "!=": "notin", ">": "gt", "<": "lt"}


def _term(tokens: list[str], at: int, text: str) -> tuple[Requirement, int]:
    absent = tokens[at] == "!"
    at += absent
    if at >= len(tokens) or not _is_word(tokens[at]):
        found = tokens[at] if at < len(tokens) else ""
        raise _unparsable(text, f"found '{found}', expected: identifier")
    key = tokens[at]
    at += 1
    _check("key", key, names.qualified_name(key))
    if absent:
        return Requirement(key, "absent"), at
    if at == len(tokens) or tokens[at] == ",":
        return Requirement(key, "exists"), at
    sign = tokens[at]
    at += 1
    if sign in ("in", "notin"):
        values, at = _values(tokens, at, text)
        return Requirement(key, sign, values), at
    if sign not in _SIGNS:
        raise _unparsable(text, f"found '{sign}', expected: in, notin, =, ==, !=, gt, lt, >, <")
    value = ""
    if at < len(tokens) and _is_word(tokens[at]):
        value = tokens[at]
        at += 1
    _check("value", value, names.label_value(value))
    return Requirement(key, _SIGNS[sign], (value,)), at


def _values(tokens: list[str], at: int, text: str) -> tuple[tuple[str, ...], int]:
    if at >= len(tokens) or tokens[at] != "(":
        found = tokens[at] if at < len(tokens) else ""
        raise _unparsable(text, f"found '{found}' expected: '('")
    at += 1
    out: list[str] = []
    last = "("
    while at < len(tokens):
        word = tokens[at]
        at += 1
        if word == ")":
            return (*out, *(("",) if last in ("(", ",") else ())), at
        if word == ",":
            if last in ("(", ","):
                out.append("")
        elif _is_word(word):
            _check("value", word, names.label_value(word))
            out.append(word)
        else:
            break
        last = word
    raise _unparsable(text, "found '', expected: ',' or ')'")


def _is_word(token: str) -> bool:
    return bool(token) and token[0] not in "=!<>(),"


def _check(what: str, value: str, problems: list[str]) -> None:
    if problems:
        shown = "key" if what == "key" else "values[0][]"
        raise failure.bad_request(
            f'unable to parse requirement: {shown}: Invalid value: "{value}": {problems[0]}'
        )


def parse(text: str) -> Matches:
    """A label selector of a query as a callable. Raises `ApiFailure` 400."""
    if not text.strip():
        return everything
    return _all(requirements(text))


def _all(terms: tuple[Requirement, ...]) -> Matches:
    if len(terms) == 1:
        return terms[0].matches
    return lambda labels: all(term.matches(labels) for term in terms)


def parse_fields(text: str, known: Mapping[str, Callable[[Mapping[str, Any]], str]]) -> Field:
    """A field selector of a query (`metadata.name=x,status.phase!=y`) as a callable on objects.

    `known` says how each selectable field is read. Raises `ApiFailure` 400 for any other field.
    """
    terms = []
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, sign, value = _field_term(part, text)
        if name not in known:
            raise failure.bad_request(f"field label not supported: {name}")
        terms.append((known[name], sign, value))
    return lambda manifest: all((read(manifest) == value) == sign for read, sign, value in terms)


def _field_term(part: str, text: str) -> tuple[str, bool, str]:
    for sign, equal in (("!=", False), ("==", True), ("=", True)):
        name, found, value = part.partition(sign)
        if found:
            return name.strip(), equal, value.strip().replace("\\,", ",").replace("\\=", "=")
    raise failure.bad_request(f"invalid selector: '{text}'; can't understand '{part}'")


def metadata_fields(*, namespaced: bool) -> dict[str, Callable[[Mapping[str, Any]], str]]:
    """The fields every kind can be selected by."""
    out: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "metadata.name": lambda manifest: str(manifest["metadata"].get("name", ""))
    }
    if namespaced:
        out["metadata.namespace"] = lambda manifest: str(manifest["metadata"].get("namespace", ""))
    return out
