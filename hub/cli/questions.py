"""Reading the JSON files of the offline commands that answer lists of questions, and printing the answers."""

from __future__ import annotations

import datetime
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from argosy.errors import Invalid

DONE = 0


def answer(file: str, one: Callable[[Mapping[str, Any]], Any]) -> int:
    """Prints the list of `one`'s answers to the list in `file` ("-" is standard input); returns the exit code.

    Raises `Invalid`, which names the file and the entry, for input that cannot be read.
    """
    answers = []
    for at, question in enumerate(_list(file)):
        with _named(f"{file}: [{at}]"):
            if not isinstance(question, dict):
                raise Invalid("an object is expected")
            answers.append(one(question))
    print(json.dumps(answers, ensure_ascii=False))
    return DONE


def mapping(holder: Mapping[str, Any], key: str) -> dict[str, Any]:
    """A member that has to be an object."""
    found: dict[str, Any] = _member(holder, key, dict, "an object")
    return found


def listed(holder: Mapping[str, Any], key: str) -> list[Any]:
    """A member that has to be a list; absent and null are the empty one."""
    return [] if holder.get(key) is None else _member(holder, key, list, "a list")


def time(holder: Mapping[str, Any], key: str) -> datetime.datetime | None:
    """A member that is an RFC 3339 time, None where it is absent."""
    text = holder.get(key)
    if text is None or text == "":
        return None
    try:
        found = datetime.datetime.fromisoformat(text)
    except (TypeError, ValueError):
        raise Invalid(f"{key}: an RFC 3339 time is expected, found {text!r}") from None
    if found.tzinfo is None:
        raise Invalid(f"{key}: {text!r} has no time zone")
    return found.astimezone(datetime.UTC)


def now(holder: Mapping[str, Any]) -> datetime.datetime:
    """The member `now`, which has to be there."""
    found = time(holder, "now")
    if found is None:
        raise Invalid("now: an RFC 3339 time is expected, found none")
    return found


def _member(holder: Mapping[str, Any], key: str, kind: type[Any], words: str) -> Any:
    found = holder.get(key)
    if not isinstance(found, kind):
        raise Invalid(f"{key}: {words} is expected")
    return found


def _list(file: str) -> list[Any]:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Invalid(f"{file}: {error.strerror}") from None
    try:
        found = json.loads(data)
    except ValueError as error:
        raise Invalid(f"{file}: not JSON: {error}") from None
    if not isinstance(found, list):
        raise Invalid(f"{file}: a JSON list is expected")
    return found


@contextmanager
def _named(where: str) -> Iterator[None]:
    try:
        yield
    except Invalid as error:
        raise Invalid(f"{where}: {error.message}") from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Invalid(f"{where}: a field has the wrong form: {error}") from None
