"""The ApplicationSets as their last evaluations left them, and whom of them something new concerns. Reads and writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from argosy.objects import Manifest
from hub.core.appsets import increment
from hub.core.appsets.expand import Evaluator
from hub.core.fleet import Move
from hub.core.generators.base import Inputs, ProviderRequest, TreeRequest
from hub.core.types import Answer
from hub.loops.appsets.members import REFRESH, Claim, ClaimsOf, Members


@dataclass
class Known:
    """A set as its last evaluation left it."""

    own: object
    """What of the set itself the evaluation depended on."""
    project: str = ""
    """What its applications' project is called, which may want its sources signed."""
    seen: Manifest | None = None
    """The set as it was last looked at in vain: the same object again has nothing new to say."""
    evaluator: Evaluator | None = None
    """None where the set cannot be evaluated as it is."""
    members: Members = field(default_factory=Members)
    inputs: Inputs = field(default_factory=Inputs)
    versions: object = ()
    states: dict[TreeRequest, tuple[str, bool]] = field(default_factory=dict)
    kept: dict[ProviderRequest, Any] = field(default_factory=dict)
    """Answers of providers and registries, good until `again`."""
    again: float = 0.0
    confirm: bool = False
    """True where the next evaluation decides about removals, and shall read its inputs again."""
    stale: bool = True
    """Something that the last evaluation looked at may answer differently, or there was none."""
    cost: float = float("inf")
    """Seconds that the last evaluation took."""
    busy: bool = False
    """True while an evaluation is under way."""
    patience: float = 0.0
    """Until when the confirmation of removals waits for other sets."""


class Sets:
    """By uid. Whom something concerns is marked stale, and evaluated in the next run."""

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._listed: frozenset[str] = frozenset()

    def __getitem__(self, uid: str) -> Known:
        return self._known[uid]

    def get(self, uid: str) -> Known | None:
        """None where there was no evaluation yet."""
        return self._known.get(uid)

    def keep(self, listed: Iterable[str]) -> None:
        """Takes in which sets there are; the others are forgotten."""
        self._listed = frozenset(listed)
        self._known = {uid: known for uid, known in self._known.items() if uid in self._listed}

    def begin(self, uid: str, own: object) -> Known:
        """A set before its evaluation. One that was edited keeps what was answered to it, and nothing else."""
        known = self._known.get(uid)
        if known is None or known.own != own:
            known = self._known[uid] = Known(own, kept=known.kept if known else {})
        return known

    # --- whom something concerns ----------------------------------------------------------------------------------

    def again(self) -> None:
        """All of them."""
        for known in self._known.values():
            known.stale = True

    def governed(self, projects: Collection[str]) -> None:
        """Those whose project was written."""
        for known in self._known.values() if projects else ():
            known.stale = known.stale or known.project in projects

    def decided(self) -> None:
        """Those whose removals wait: perhaps for what was just decided."""
        for known in self._known.values():
            known.stale = known.stale or known.members.held

    def moved(self, moves: Sequence[Move]) -> None:
        """Those that clusters concern which joined, changed or left."""
        for known in self._known.values() if moves else ():
            known.stale = known.stale or any(increment.concerns(known.inputs, move) for move in moves)

    def wanting(self, name: str) -> None:
        """Those that want an Application of this name: what they waited for may be free, or somebody else's."""
        for known in self._known.values():
            known.stale = known.stale or name in known.members.claims

    def asking(self, concerns: Callable[[ProviderRequest], bool]) -> int:
        """Those that asked hosting services for what it `concerns`, who ask anew; returns how many."""
        found = [known for known in self._known.values() if any(map(concerns, known.inputs.providers))]
        for known in found:
            known.kept.clear()
            known.stale = True
        return len(found)

    def asked(self) -> frozenset[ProviderRequest]:
        """What was asked of hosting services and plugins."""
        return frozenset().union(*(known.inputs.providers for known in self._known.values()))

    def told(self, request: ProviderRequest, answer: Answer[Sequence[Mapping[str, Any]]]) -> int:
        """Those that asked this, who now have its answer; returns how many."""
        found = [known for known in self._known.values() if request in known.inputs.providers]
        for known in found:
            known.kept[request] = answer
            known.stale = True
        return len(found)

    def forgotten(self, uids: Iterable[str]) -> int:
        """Those whose applications others took or gave; returns how many."""
        found = [self._known[uid] for uid in uids if uid in self._known]
        for known in found:
            known.members.forget()
            known.stale = True
        return len(found)

    def claimed(self, members: Members, before: Mapping[str, Claim]) -> int:
        """Those of which a set wants what it did not want `before`; returns how many."""
        told = {claim.owner for name, claim in members.claims.items() if name not in before}
        found = told & self._known.keys()
        for owner in found:
            self._known[owner].stale = True
        return len(found)

    # --- what sets are to each other ------------------------------------------------------------------------------

    def owners(self, uid: str, name: str, said: str) -> Iterable[str]:
        """The sets that have, or had, an Application; `said` is its controlling owner."""
        if said in self._known and self._known[said].members.may_hold(name, uid):
            return (said,)
        had = [owner for owner, known in self._known.items() if known.members.may_hold(name, uid)]
        return {*had, said} if said in self._known else had

    def unsettled_beside(self, mine: Known) -> bool:
        """Whether another set may want what this one lets go, and has not said so yet."""
        unknown = self._listed - self._known.keys()
        return bool(unknown) or any(
            known.stale or known.busy for known in self._known.values() if known is not mine
        )

    def claims_beside(self, mine: Members) -> ClaimsOf:
        """What other sets want of a set's applications."""
        claims: dict[str, Claim] = {}
        for known in self._known.values():
            if known.members is not mine:
                for name, claim in known.members.claims.items():
                    claims.setdefault(name, claim)
        return claims.get


def own(manifest: Manifest) -> object:
    """What of a set itself its evaluation depends on: neither its status nor managedFields, nor what asks to look again."""
    metadata = manifest["metadata"]
    annotations = {k: v for k, v in (metadata.get("annotations") or {}).items() if k != REFRESH}
    return (
        metadata.get("generation"),
        metadata.get("deletionTimestamp"),
        annotations,
        metadata.get("labels"),
    )
