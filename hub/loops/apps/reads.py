"""What a render read of its sources, so that a commit which touches none of it costs its Applications next to nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from argosy.objects import Manifest
from hub.core.apps import sources
from hub.core.tree import Tree
from hub.loops.apps.kitchen import Dish

SourceKey = tuple[str, str]
"""(repository address, target revision)."""


@dataclass(frozen=True, slots=True)
class Reads:
    """The files and folders that the recipe depends on, each with its id then; None for what was not there."""

    recipe: str
    seen: tuple[tuple[SourceKey, str, str | None], ...]

    def same(self, trees: Mapping[SourceKey, Tree], ids: dict[tuple[SourceKey, str], str | None]) -> bool:
        """True where all of it is in `trees` as it was. `ids` keeps what was looked up, for all who ask alike."""
        for key, path, then in self.seen:
            place = (key, path)
            if place not in ids:
                if key not in trees:
                    return False
                ids[place] = trees[key].tree_id(path)
            if ids[place] != then:
                return False
        return True


def of(dish: Dish, app: Manifest, keys: Sequence[SourceKey], trees: Mapping[SourceKey, Tree]) -> Reads | None:
    """None where a recipe depends on more: on the commit's name, on a cluster, on charts or bases from elsewhere."""
    metadata = app["metadata"]
    name = sources.instance_name(metadata["name"], metadata.get("namespace") or "")
    seen: list[tuple[SourceKey, str, str | None]] = []
    if len(keys) != len(dish.prepared):
        return None
    for key, prepared in zip(keys, dish.prepared, strict=True):
        tree, part = trees[key], prepared.ingredient
        if (
            part.tool not in (sources.DIRECTORY, sources.KUSTOMIZE)
            or "$" in part.options
            or prepared.source.ref
        ):
            return None
        if part.tool == sources.DIRECTORY and any(path != part.path for path, _ in part.trees):
            return None
        if any(tree.tree_id(path) != then for path, then in part.trees):
            return None
        seen += [(key, path, then) for path, then in part.trees]
        folders = [f"{path}/" if path else "" for path, _ in part.trees]
        for path in sources.override_paths(prepared.source, name):
            if tree.tree_id(path) is not None:
                return None
            # While a folder has its id, nothing came to be in it.
            if not path.startswith(tuple(folders)):
                seen.append((key, path, None))
    return Reads(dish.digest, tuple(seen))
