"""What a plan changes of what governs applications: their projects, the settings in `argocd-cm`, the policy of users."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core import settings
from hub.core.access import rbac
from hub.core.settings import Settings

PROJECT, CONFIG_MAP = "AppProject", "ConfigMap"
Written = Sequence[tuple[Manifest | None, Manifest | None]]
"""Of each object what there is and what there would be, None for nothing."""


@dataclass(frozen=True)
class Governed:
    """`projects` are those that would be otherwise (None: deleted), by name; `settings` those that would hold, None where
    they stay. `remarks` say what becomes of what no application depends on, `problems` what would not work.
    """

    projects: Mapping[str, Manifest | None] = field(default_factory=dict)
    settings: Settings | None = None
    remarks: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def anything(self) -> bool:
        """Whether applications may be looked at otherwise."""
        return bool(self.projects) or self.settings is not None


NOTHING = Governed()


def of(written: Written, now: Settings, projects: Sequence[Manifest]) -> Governed:
    """What these objects govern; `now` are the settings as they are, `projects` those that there are."""
    found = NOTHING
    for live, wanted in written:
        either = wanted or live
        assert either is not None
        name = either["metadata"]["name"]
        if either["kind"] == PROJECT:
            found = replace(found, projects={**found.projects, name: wanted})
        elif name == settings.CONFIG_MAP:
            found = _of_settings(found, now, settings.of(_data(wanted)))
        else:
            found = _of_policy(found, wanted, projects)
    return found


def told(governed: Governed, concerned: int, changed: int) -> tuple[str, ...]:
    """The remarks of a plan: how many applications were looked at because of it, and whether any of them changes."""
    if not governed.anything:
        return governed.remarks
    names = ", ".join(
        [
            *(f"AppProject {name}" for name in governed.projects),
            *([settings.CONFIG_MAP] if governed.settings else []),
        ]
    )
    outcome = f"{changed} of them change" if changed else "none of them changes"
    return (*governed.remarks, f"{names}: {concerned} applications depend on it, {outcome}")


def _of_settings(found: Governed, now: Settings, then: Settings) -> Governed:
    problems = (*found.problems, f"{settings.CONFIG_MAP}: {then.wrong}") if then.wrong else found.problems
    remarks = list(found.remarks)
    if then.checks != now.checks:
        remarks.append(f"{settings.CONFIG_MAP}: agents judge health by other checks, at once")
    if then.comparing != now.comparing:
        remarks.append(f"{settings.CONFIG_MAP}: agents compare live objects otherwise, at once")
    same = replace(then, checks=now.checks, comparing=now.comparing, wrong=now.wrong) == now
    if same and len(remarks) == len(found.remarks):
        remarks.append(f"{settings.CONFIG_MAP}: nothing of it that applications depend on changes")
    return replace(found, settings=None if same else then, remarks=tuple(remarks), problems=problems)


def _of_policy(found: Governed, wanted: Manifest | None, projects: Sequence[Manifest]) -> Governed:
    remark = f"{rbac.CONFIG_MAP}: it says who may do what, no application depends on it"
    try:
        rbac.of_config(_data(wanted), projects)
    except Invalid as error:
        problem = f"{rbac.CONFIG_MAP}: {error.message}; the policy before would stay in force"
        return replace(found, remarks=(*found.remarks, remark), problems=(*found.problems, problem))
    return replace(found, remarks=(*found.remarks, remark))


def _data(manifest: Manifest | None) -> Mapping[str, str]:
    found: Mapping[str, str] = (manifest or {}).get("data") or {}
    return found
