"""What one evaluation of a set leaves for the next: values by what they were made of.

What an evaluation does not use again is forgotten when it ends, so that a memo never holds more than two
evaluations' worth.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Table(Generic[K, V]):
    """One kind of values. `old` are those of the evaluation before, `new` those of the one under way."""

    __slots__ = ("new", "old")

    def __init__(self) -> None:
        self.old: dict[K, V] = {}
        self.new: dict[K, V] = {}

    def of(self, key: K, make: Callable[[], V]) -> V:
        """The value of a key, made where the last two evaluations did not use it."""
        value = self.new.get(key)
        if value is None:
            value = self.old.get(key)
            if value is None:
                value = make()
            self.new[key] = value
        return value


class Memo:
    """The tables of one set, by what names them."""

    def __init__(self) -> None:
        self._tables: dict[Hashable, Table[object, object]] = {}

    def table(self, name: Hashable) -> Table[object, object]:
        found = self._tables.get(name)
        if found is None:
            found = self._tables[name] = Table()
        return found

    def turn(self) -> None:
        """Ends an evaluation."""
        for name, table in tuple(self._tables.items()):
            if table.new:
                table.old, table.new = table.new, {}
            else:
                del self._tables[name]
