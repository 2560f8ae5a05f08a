"""Post-selectors: a label selector over flattened parameters, on any generator at any depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.errors import Invalid
from hub.core.generators.base import GeneratorFailed
from hub.core.matching import labels
from hub.core.template import params
from hub.core.template.params import Params


class PostSelector:
    """Compiled once; none, or an empty one, keeps everything. Values may be any text, keys are qualified
    names.
    """

    def __init__(self, spec: Mapping[str, Any] | None, path: str) -> None:
        try:
            self._selector = labels.compile_selector(spec, any_value=True)
        except Invalid as error:
            raise GeneratorFailed(f"error parsing label selector: {error.message}", path) from None

    def kept(self, found: list[Params]) -> list[Params]:
        """Those of the parameter sets that match, in their order."""
        if not self._selector.requirements:
            return found
        return [one for one in found if self.matches(one)]

    def matches(self, found: Params) -> bool:
        if not self._selector.requirements:
            return True
        return self._selector.matches(params.flatten(found))
