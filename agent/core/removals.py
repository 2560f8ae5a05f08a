"""Whether one object may be deleted. The only code that ever says yes; pure.

An object is deleted only where a written removal lists it, the inventory holds it, its UID is the one we know (or it
bears our own mark), the bundle does not want it, nothing protects it, and the removal has not expired.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from agent.core.inventory import Entry
from agent.core.marks import Seen
from agent.core.plan import Reason, Why
from argosy import stages
from argosy.bundle import Removal
from argosy.objects import Manifest

HELM_POLICY = "helm.sh/resource-policy"
PROTECT = "argosy.dev/protect"


def refused(removal: Removal, *, holding: str, now: float) -> Reason | None:
    """Why a removal is not carried out at all, None where it may be."""
    if holding:
        return Reason(Why.HOLDING, f"removals are refused: {holding}")
    if now >= removal.expires:
        return Reason(Why.EXPIRED, f"removal {removal.id} expired")
    return None


def protected(live: Manifest, option: str, app_options: Iterable[str] = ()) -> str:
    """What protects a live object from `Prune` or from `Delete` (the option's name), "" where nothing does.

    The object's own option wins over the app's. `confirm` protects as well: nobody confirms to an agent.
    """
    notes = stages.annotations_of(live)
    if notes.get(PROTECT) == "true":
        return f"annotation {PROTECT}"
    if notes.get(HELM_POLICY) == "keep":
        return f"annotation {HELM_POLICY}: keep"
    own = _option(stages.listed(notes.get(stages.SYNC_OPTIONS, "")), option)
    value = own or _option(app_options, option)
    return f"sync option {option}={value}" if value in ("false", "confirm") else ""


def _option(options: Iterable[str], name: str) -> str:
    return next((item.partition("=")[2] for item in options if item.partition("=")[0] == name), "")


def judge(
    entry: Entry, live: Seen, assignment: str, option: str, app_options: Iterable[str] = ()
) -> Reason | None:
    """Why this live object is not deleted, None where it may be. `NOT_OURS` means: forget it, it is another one."""
    if live.owner not in ("", assignment):
        return Reason(Why.NOT_OURS, f"belongs to {live.owner} now")
    if entry.uid and entry.uid != live.uid:
        return Reason(Why.NOT_OURS, "another object has that name now")
    if not entry.uid and live.owner != assignment:
        return Reason(Why.NOT_OURS, "it bears no mark of ours")
    if option == "Delete" and (live.key.group, live.key.kind) == (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
    ):
        return Reason(Why.PROTECTED, "CustomResourceDefinitions stay when an app is deleted")
    shield = protected(live.body, option, app_options)
    return Reason(Why.PROTECTED, shield) if shield else None


def ordered(live: Mapping[object, Seen]) -> list[tuple[Seen, ...]]:
    """The objects to delete, stage after stage: the highest wave first."""
    by_body = {id(item.body): item for item in live.values()}
    groups = stages.removal_stages(item.body for item in live.values())
    return [tuple(by_body[id(body)] for body in group) for group in groups]
