"""Printing: aligned plain text in a pipe, colours on a terminal, JSON and YAML as the API has it.

`rich` costs a tenth of a second to import, so it comes in only where somebody looks at a terminal.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

import orjson

from argosy import yamlio
from argosy.objects import Manifest


class Output(StrEnum):
    """What `-o` takes."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"
    NAME = "name"


_COLOURS = {
    "green": {"Synced", "Healthy", "Succeeded", "done", "runs it", "Ready", "Completed", "Passed", "Done"},
    "yellow": {
        "OutOfSync",
        "Progressing",
        "Running",
        "Suspended",
        "on its way",
        "waiting",
        "Unknown",
        "stale",
        "Rolling",
        "Paused",
        "Moving",
        "Soaking",
        "Deferred",
        "Superseded",
    },
    "red": {
        "Degraded",
        "Missing",
        "Failed",
        "Error",
        "failed",
        "still on another",
        "offline",
        "revoked",
        "Halted",
        "RollingBack",
        "RolledBack",
        "Aborted",
    },
}


_GOOD_WHEN_TRUE = ("READY", "UP TO DATE")
"""Columns of True and False in which True is what one wants to see."""


def colour(word: str, column: str = "") -> str:
    """The colour of a state word (in a column), "" for all other text."""
    if column in _GOOD_WHEN_TRUE:
        return {"True": "green", "False": "red"}.get(word, "")
    return next((name for name, words in _COLOURS.items() if word in words), "")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Columns under capital headings, two blanks apart, as kubectl prints them."""
    body = [list(row) for row in rows]
    if sys.stdout.isatty():
        _rich_table(columns, body)
        return
    widths = [max(map(len, column)) for column in zip(columns, *body, strict=True)]
    for row in [list(columns), *body]:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        print("   ".join(cells).rstrip())


def _rich_table(columns: Sequence[str], body: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        shown.add_column(column, no_wrap=column in ("NAME", "CLUSTER", "AGE"), overflow="fold")
    for row in body:
        cells = zip(row, columns, strict=True)
        shown.add_row(*(Text(cell, style=colour(cell, column)) for cell, column in cells))
    Console(highlight=False).print(shown)


def facts(pairs: Iterable[tuple[str, str]]) -> None:
    """`Label:  value` lines; a pair without a value is left out."""
    shown = [(label, value) for label, value in pairs if value]
    width = max((len(label) for label, _ in shown), default=0) + 1
    for label, value in shown:
        print(f"{label + ':':<{width}}  {painted(value)}")


def painted(word: str) -> str:
    """The word in its colour where standard output is a terminal."""
    codes = {"green": "32", "yellow": "33", "red": "31"}
    code = codes.get(colour(word))
    return f"\x1b[{code}m{word}\x1b[0m" if code and sys.stdout.isatty() else word


def signed(line: str) -> str:
    """A line of a difference in the colour of its sign, where standard output is a terminal."""
    code = {"+": "32", "~": "33", "-": "31", ">": "36", "!": "1;31"}.get(line.lstrip()[:1])
    return f"\x1b[{code}m{line}\x1b[0m" if code and sys.stdout.isatty() else line


def document(value: Any, form: Output) -> None:
    """A value as JSON or YAML."""
    if form is Output.YAML:
        sys.stdout.write(yamlio.dump(value))
    else:
        text = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        sys.stdout.write(text.decode())


def server_table(page: Manifest, *, wide: bool) -> None:
    """A Table as the API answers it; columns of lower priority only where `wide`."""
    definitions = page.get("columnDefinitions") or []
    shown = [index for index, column in enumerate(definitions) if wide or not column.get("priority")]
    columns = [str(definitions[index]["name"]).upper() for index in shown]
    rows = [[_cell(row["cells"][index]) for index in shown] for row in page.get("rows") or []]
    if rows:
        table(columns, rows)


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
