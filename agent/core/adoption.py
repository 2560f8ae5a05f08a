"""How far an agent's hand reaches: the words of the adopt modes, and which of two counts. Pure.

The cluster's owner says one for all apps (`spec.mode` of the local policy), the Application says one for itself
(annotation `argosy.dev/mode`); the more careful one counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Adoption(StrEnum):
    """From the most careful on.

    `OBSERVE` writes nothing whatever. `RELEASE` takes the marks of our ownership off and does nothing else. `ADOPT` takes
    over objects that are as wanted already, and changes, makes and deletes none. `MANAGE` does what the app says.
    """

    OBSERVE = "observe"
    RELEASE = "release"
    ADOPT = "adopt"
    MANAGE = "manage"


def careful(modes: Iterable[Adoption]) -> Adoption:
    """The most careful of them."""
    return min(modes, key=list(Adoption).index)


def of(text: str) -> Adoption:
    """The mode an assignment names; under an unknown word (of a newer hub) nothing is written."""
    if not text:
        return Adoption.MANAGE
    try:
        return Adoption(text)
    except ValueError:
        return Adoption.OBSERVE
