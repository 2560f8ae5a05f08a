"""What a render depends on, as a value with a digest: the same recipe gives the same objects and is rendered
once.

A recipe names content, never commits: it holds the tree ids of the folders that the tool may read, so a
commit that touches none of them gives the recipe that is known already.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from argosy import objects
from argosy.errors import Invalid
from hub.core.apps.finish import Target
from hub.core.apps.sources import Source
from hub.core.tree import Tree

FORMAT = 1
"""Grows when rendering or finishing changes what the same recipe gives."""


@dataclass(frozen=True, slots=True)
class Ingredient:
    """One source, rendered by one version of one tool from folders of known content."""

    tool: str
    version: str
    path: str
    options: str
    """The tool's block of the source, as canonical JSON."""
    trees: tuple[tuple[str, str], ...]
    """(folder or file, its tree id), sorted."""

    @property
    def digest(self) -> str:
        """Identity of what the tool writes, before anything is added for one Application."""
        return objects.digest(objects.canonical([FORMAT, _plain(self)]))


@dataclass(frozen=True, slots=True)
class Recipe:
    """All sources of an Application, and what finishing adds for it."""

    ingredients: tuple[Ingredient, ...]
    target: Target

    @property
    def digest(self) -> str:
        """`sha256:…`; equal for equal bundles-to-be."""
        value: list[Any] = [FORMAT, [_plain(each) for each in self.ingredients], _plain(self.target)]
        return objects.digest(objects.canonical(value))


_INGREDIENT, _TARGET = (tuple(field.name for field in fields(kind)) for kind in (Ingredient, Target))


def _plain(item: Ingredient | Target) -> dict[str, Any]:
    """A record as a JSON object."""
    names = _INGREDIENT if isinstance(item, Ingredient) else _TARGET
    return {name: getattr(item, name) for name in names}


def ingredient(source: Source, tool: str, version: str, tree: Tree, paths: Iterable[str]) -> Ingredient:
    """Raises `Invalid` where the source's folder is not in the tree."""
    trees: list[tuple[str, str]] = []
    for path in sorted(set(paths)):
        found = tree.tree_id(path)
        if found is None:
            raise Invalid(f"{source.where}.path: {path or '.'}: no such folder at {tree.commit}")
        trees.append((path, found))
    options = objects.canonical(source.options).decode()
    return Ingredient(tool, version, source.path, options, tuple(trees))


def recipe(ingredients: Sequence[Ingredient], target: Target) -> Recipe:
    return Recipe(tuple(ingredients), target)
