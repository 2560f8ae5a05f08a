"""The Applications of one set, and what one evaluation writes of them.

What was written last is kept in memory, so that an evaluation reads and writes only what differs from it. Every write
looks at the object itself first; whoever else writes one is heard of by its change, and the set is looked at again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace

from argosy.errors import Invalid
from argosy.machinery.failure import ApiFailure
from argosy.objects import Manifest
from hub.core.appsets import generated
from hub.core.appsets.expand import Evaluation
from hub.core.removals import caps, grace, handover, judging, removals
from hub.core.served import table
from hub.core.types import NAMESPACE, VALIDATION_FAILED, Answer, SetProblem
from hub.core.views import conditions
from hub.loops.releases import causing
from hub.loops.releases.causing import NO_TRIGGER, Trigger
from hub.store import evaluations, plans, returning
from hub.store.base import Tx
from hub.store.objects import Row
from hub.store.resources import Resources

MANAGER = "argosy-applicationset"
REFRESH = "argocd.argoproj.io/application-set-refresh"
FINALIZER = removals.FINALIZER


@dataclass
class Member:
    """One Application that exists. `made` is what it was written from, None where that is not known."""

    uid: str
    cluster: str
    """The destination that it names."""
    leaving: bool
    made: Manifest | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """An Application that a set wants and cannot have yet: `owner` (uid) has it, or it is on its way out."""

    app: Manifest
    appset: Manifest
    owner: str


ClaimsOf = Callable[[str], Claim | None]
"""An Application's name -> who else wants it, None where nobody does."""


@dataclass
class Members:
    """All of one set by name; None until they are read."""

    by_name: dict[str, Member] | None = None
    held: bool = False
    """Whether some may not go before a person decides."""
    later: bool = False
    """Whether these wait for no more than that others went just now."""
    claims: dict[str, Claim] = field(default_factory=dict)
    """By name what it wants and another set has."""

    def forget(self) -> None:
        """Lets the next evaluation compare every Application with the store."""
        self.by_name = None

    def may_hold(self, name: str, uid: str) -> bool:
        if self.by_name is None:
            return True
        return (member := self.by_name.get(name)) is not None and member.uid == uid

    def unmoved(self, row: Row | None, name: str, appset: Manifest, resources: Resources) -> bool:
        """Takes in that somebody wrote, or deleted, an Application; True where the set has nothing to set right."""
        known = self.by_name
        if known is None:
            return False
        if row is None or row.owner != appset["metadata"]["uid"]:
            known.pop(name, None)
            return False
        member = known.get(row.name)
        if member is None or member.uid != row.uid:
            self.forget()
            return False
        live = resources.read(row)
        member.leaving = bool(live["metadata"].get("deletionTimestamp"))
        if member.made is not None and not _differs(live, member.made, appset):
            return True
        member.made = None
        return False


def _differs(live: Manifest, made: Manifest, appset: Manifest) -> bool:
    return generated.may(appset["spec"]).update and generated.merge(live, made, appset) != live


def _nobody(name: str) -> Claim | None:
    return None


@dataclass
class Writer:
    """The writes of one evaluation of one set in one transaction. `written` takes up the versions of what it writes,
    `trigger` is what made it look.
    """

    tx: Tx
    resources: Resources
    now: float
    appset: Manifest
    members: Members
    written: set[int]
    trigger: Trigger = NO_TRIGGER
    claims: ClaimsOf = _nobody
    wrote: bool = False
    until: float = 0.0
    """Until when the applications of a deleted set stay, Unix seconds."""
    kept: str = ""
    """What the set says of that where it is longer than usual."""
    moved: set[str] = field(default_factory=set)
    """Uids of the other sets from which Applications came, or to which they went."""
    _lives: dict[str, Manifest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._uid: str = self.appset["metadata"]["uid"]
        if self.members.by_name is None:
            owned = self.resources.owned(self.tx, table.APPLICATION, self._uid)
            self._lives = {item["metadata"]["name"]: item for item in owned}
            self.members.by_name = {name: _member(item, None) for name, item in self._lives.items()}
        self._known = self.members.by_name

    def put(self, evaluation: Evaluation) -> list[SetProblem]:
        """Creates and updates. An application that cannot be written is a problem of its own and stops no other."""
        problems = []
        known = self._known
        self.members.claims = {}
        for app in evaluation.applications:
            name = app["metadata"]["name"]
            member = known.get(name)
            same = member is not None and member.made is not None
            if member is not None and same and (member.made is app or member.made == app):
                member.made = app
                if not member.leaving:
                    continue
            try:
                self._put(name, app)
            except (ApiFailure, Invalid) as error:
                problems.append(SetProblem(VALIDATION_FAILED, "", str(error), name))
        return problems

    def _put(self, name: str, app: Manifest) -> None:
        namespace = app["metadata"]["namespace"]
        live = self._lives.get(name) or self.resources.get(self.tx, table.APPLICATION, namespace, name)
        returned = live is not None and returning.may(self.tx, self.resources, live)
        if live is not None and returned:
            live = returning.back(self.tx, self.resources, live, self.now)
            self._wrote(live)
        owner = generated.controller_of(live) if live else ""
        if live is not None and owner and owner != self._uid:
            # Whose Application was about to go has let it go.
            if not returned and not handover.takes(live, self.resources.by_uid(self.tx, owner)):
                self.members.claims[name] = Claim(app, self.appset, owner)
                raise Invalid("an Application of this name belongs to another ApplicationSet")
            self.moved.add(owner)
            owner = ""
        if live is not None and owner and not generated.may(self.appset["spec"]).update:
            self._known[name] = _member(live, app)
            return
        wanted = generated.merge(live, app, self.appset)
        if live is None:
            live = self.resources.create(self.tx, table.APPLICATION, wanted, manager=MANAGER, now=self.now)
            self._wrote(live)
        elif wanted != live:
            live = self.resources.update(self.tx, table.APPLICATION, wanted, manager=MANAGER, now=self.now)
            self._wrote(live)
        self._known[name] = _member(live, app)

    def _wrote(self, made: Manifest) -> None:
        self.wrote = True
        self.written.add(int(made["metadata"]["resourceVersion"]))

    def remove(self, evaluation: Evaluation, *, reread: bool) -> judging.Verdict:
        """Deletes what may go, by inputs that were `reread` for it.

        A set under deletion wants none of its applications, and that is no empty reading.
        """
        metadata = self.appset["metadata"]
        deleting = bool(metadata.get("deletionTimestamp"))
        wanted = evaluation.wanted
        self.members.later = False
        before = evaluations.pending(self.tx, self._uid)
        if before is None and not deleting and not self._known.keys() - wanted:
            return judging.Verdict()
        complete = evaluation.whole
        if complete:
            self._hand_over(self._known.keys() - wanted)
        plan = self._plan(wanted)
        wrong = self._keep_for_a_while() if deleting and plan.losses else ""
        limits = plans.limits(self.tx, self.resources) if plan.losses else caps.NO_CAPS
        lately = plans.before(self.tx, plan, limits, self.now)
        verdict = judging.judge(
            [
                judging.Member(name, one.cluster, one.uid)
                for name, one in self._known.items()
                if not one.leaving
            ],
            wanted,
            complete=complete,
            deleting=deleting,
            annotations=metadata.get("annotations") or {},
            before=before,
            reread=reread,
            now=self.now,
            approved=plans.decided(self.tx, self.resources, plan, self.now),
            elsewhere=wrong or lately.elsewhere,
            limits=limits,
            absent=plan.absent,
            lately=lately.own,
            until=self.until,
        )
        by = self._by(plan, before, verdict.pending, deleting=deleting)
        pending = replace(verdict.pending, by=by) if verdict.pending else None
        evaluations.remember(self.tx, self._uid, pending)
        self.members.held, self.members.later = bool(verdict.blocked), verdict.later
        may = deleting or generated.may(self.appset["spec"]).delete
        cause = plans.Cause(plans.SET_DELETED if deleting else plans.NOT_GENERATED, by)
        verdict = self._show(plan, verdict, cause, may=may)
        for name in verdict.remove if may else ():
            self._delete(name)
        if deleting and not self.resources.owned(self.tx, table.APPLICATION, self._uid):
            self._finish()
        return verdict

    def _keep_for_a_while(self) -> str:
        """Finds out until when a deleted set keeps what it has; returns why that cannot be told, "" where it can."""
        try:
            seconds = plans.kept_for(self.tx, self.resources, self.appset)
        except Invalid as error:
            return error.message
        self.until = grace.ends(self.appset, seconds)
        if seconds > grace.DEFAULT and self.now < self.until:
            self.kept = grace.told(self.until)
        return ""

    def _hand_over(self, names: Collection[str]) -> None:
        """Gives what another set wants to that one, in one step: for the cluster nothing changes."""
        for name in sorted(names):
            claim = self.claims(name)
            live = self.resources.get(self.tx, table.APPLICATION, NAMESPACE, name) if claim else None
            if claim is None or live is None:
                continue
            taker = self.resources.by_uid(self.tx, claim.appset["metadata"]["uid"])
            if not handover.gives(live, self._uid, taker):
                continue
            try:
                wanted = generated.merge(live, claim.app, claim.appset)
                self.resources.update(self.tx, table.APPLICATION, wanted, manager=MANAGER, now=self.now)
            except (ApiFailure, Invalid):
                # It says so itself, and this set keeps what it has.
                continue
            self._known.pop(name, None)
            self.moved.add(claim.appset["metadata"]["uid"])
            self.wrote = True

    def _plan(self, wanted: Collection[str]) -> removals.Plan:
        losing = [one.uid for name, one in self._known.items() if name not in wanted and not one.leaving]
        return plans.plan(self.tx, self.resources, self.appset, losing)

    def _by(
        self,
        plan: removals.Plan,
        before: judging.Pending | None,
        pending: judging.Pending | None,
        *,
        deleting: bool,
    ) -> str:
        """Who made them go: known by the evaluation that first misses them, and kept until they are gone."""
        if not plan.losses or (
            not deleting and before is not None and (pending is None or before.names == pending.names)
        ):
            return before.by if before else ""
        return causing.of_removal(self.tx, self.appset, plan, self.trigger, self.now)

    def _show(
        self, plan: removals.Plan, verdict: judging.Verdict, cause: plans.Cause, *, may: bool
    ) -> judging.Verdict:
        """The plan as a Removal: where it waits, is carried out, or is none any more. Says how to decide what waits."""
        if verdict.blocked and may:
            plans.wait(self.tx, self.resources, plan, verdict.blocked, cause, self.now)
            return replace(verdict, blocked=removals.undecided(plan, verdict.blocked))
        if verdict.remove and may:
            plans.begin(self.tx, self.resources, plan, cause, self.now)
        elif not verdict.pending and not plan.losses:
            plans.withdraw(self.tx, self.resources, self._uid, self.now)
        return verdict

    def _delete(self, name: str) -> None:
        live = self.resources.get(self.tx, table.APPLICATION, NAMESPACE, name)
        if live is None or generated.controller_of(live) != self._uid:
            # Somebody else was first; the next evaluation sees what there is.
            self.members.forget()
            return
        self.resources.delete(self.tx, table.APPLICATION, NAMESPACE, name, now=self.now)
        self._known[name].leaving = True
        self.wrote = True

    def _finish(self) -> None:
        """The last application of a deleted set is gone: let the set go."""
        metadata = dict(self.appset["metadata"])
        metadata["finalizers"] = [name for name in metadata.get("finalizers") or () if name != FINALIZER]
        self.resources.update(
            self.tx,
            table.APPLICATION_SET,
            {**self.appset, "metadata": metadata},
            manager=MANAGER,
            now=self.now,
        )

    def status(self, problems: Sequence[SetProblem], completeness: Answer[None], blocked: str) -> None:
        """The set's status, its answered refresh annotation and its finalizer. Writes nothing where nothing differs."""
        metadata = self.appset["metadata"]
        live = self.resources.get(self.tx, table.APPLICATION_SET, metadata["namespace"], metadata["name"])
        if live is None:
            return
        wanted = dict(live["metadata"])
        if refresh_asked(live):
            wanted["annotations"] = {k: v for k, v in wanted["annotations"].items() if k != REFRESH}
        if not wanted.get("deletionTimestamp") and FINALIZER not in (wanted.get("finalizers") or ()):
            wanted["finalizers"] = [*(wanted.get("finalizers") or ()), FINALIZER]
        if wanted != live["metadata"]:
            live = self.resources.update(
                self.tx, table.APPLICATION_SET, {**live, "metadata": wanted}, manager=MANAGER, now=self.now
            )
        before = live.get("status") or {}
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now))
        found = conditions.of_set(problems, completeness, blocked, before.get("conditions") or (), stamp)
        if found == before.get("conditions"):
            return
        self.resources.set_status(
            self.tx,
            table.APPLICATION_SET,
            metadata["namespace"],
            metadata["name"],
            {**before, "conditions": found},
            manager=MANAGER,
            now=self.now,
        )


def _member(live: Manifest, made: Manifest | None) -> Member:
    metadata = live["metadata"]
    leaving = bool(metadata.get("deletionTimestamp"))
    return Member(metadata["uid"], judging.member(live).cluster, leaving, made)


def refresh_asked(manifest: Manifest) -> bool:
    return REFRESH in (manifest["metadata"].get("annotations") or {})
