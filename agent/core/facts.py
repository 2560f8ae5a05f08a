"""What an agent knows of its cluster and tells its hub: pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from argosy import apis


@dataclass(frozen=True)
class Facts:
    """`version` is the API server's; `served` are the APIs (`argosy.apis.of`), empty while they are not known yet."""

    version: str = ""
    served: tuple[str, ...] = ()

    @cached_property
    def named(self) -> dict[str, str]:
        """As they stand in a Hello: the list of APIs by its digest."""
        found = {apis.VERSION: self.version}
        return found | ({apis.FACT: apis.digest(self.served)} if self.served else {})
