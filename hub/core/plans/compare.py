"""What an evaluation would make of a set's applications: those that come, change and go, nothing written.

The same rules as when the expander writes (`hub.core.appsets.generated`, `hub.core.removals.removals`), so that a plan shows what
happens and not something like it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from argosy import differences
from argosy.differences import Difference
from argosy.objects import Manifest
from hub.core.appsets import generated
from hub.core.appsets.expand import Evaluation
from hub.core.removals import caps, judging
from hub.core.types import NAMESPACE, Failed, Partial


@dataclass(frozen=True, slots=True)
class Pair:
    """One application before and after: None where there is, or will be, none. `live` equal to `wanted`: unchanged."""

    appset: str
    live: Manifest | None
    wanted: Manifest | None
    giver: str = ""
    """The set that it is handed over by, "" for none."""

    @property
    def manifest(self) -> Manifest:
        found = self.wanted or self.live
        assert found is not None
        return found

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self.manifest["metadata"].get("namespace") or NAMESPACE)

    @property
    def key(self) -> tuple[str, str]:
        return self.namespace, self.name

    @property
    def changed(self) -> bool:
        """Whether it is another one afterwards, or another set's."""
        if self.live is None or self.wanted is None or self.giver:
            return True
        return content(self.live) != content(self.wanted)


def content(app: Manifest) -> dict[str, Any]:
    """What of an Application its set or its user decides; of a ConfigMap its data."""
    metadata = app["metadata"]
    out: dict[str, Any] = {"metadata": {}}
    out |= (
        {"data": app.get("data") or {}} if app.get("kind") == "ConfigMap" else {"spec": app.get("spec") or {}}
    )
    for name in ("labels", "annotations"):
        if metadata.get(name):
            out["metadata"][name] = metadata[name]
    finalizers = [name for name in metadata.get("finalizers") or () if name != generated.OURS]
    if finalizers:
        out["metadata"]["finalizers"] = finalizers
    return out


def described(pair: Pair) -> Difference:
    """What of the Application itself differs; nothing where it comes or goes as a whole."""
    if pair.live is None or pair.wanted is None:
        return Difference(())
    return differences.between(content(pair.live), content(pair.wanted))


@dataclass(frozen=True, slots=True)
class SetOutcome:
    """A set evaluated as it would be. `held` says why applications that it no longer generates would stay for now, `crowded`
    why they would as long as what went just now counts."""

    name: str
    pairs: tuple[Pair, ...]
    problems: tuple[str, ...] = ()
    held: str = ""
    losing: tuple[str, ...] = ()
    """Names of the applications that would go."""
    clusters: int = 0
    """Clusters that would lose an application."""
    crowded: str = ""


def of_set(
    appset: Manifest,
    evaluation: Evaluation,
    existing: Mapping[str, Manifest],
    foreign: Mapping[str, str],
    *,
    givers: Mapping[str, str] | None = None,
    deleting: bool = False,
    limits: caps.Caps = caps.NO_CAPS,
    absent: Collection[str] = (),
    lately: int = 0,
) -> SetOutcome:
    """`existing` are the set's applications by name; `foreign` those of others: name -> the uid of the set that has it;
    `givers` are the sets that some of the existing come from; `limits` are the hub's caps; `absent` and `lately` as in
    `judging.judge`.

    A set that is not evaluated completely loses nothing, and one that fails changes nothing.
    """
    problems = [str(problem) for problem in evaluation.problems]
    if isinstance(evaluation.completeness, Failed | Partial):
        reason = evaluation.completeness.reason
        problems += [] if any(reason in text for text in problems) else [reason]
    permitted = generated.may(appset["spec"])
    pairs: list[Pair] = []
    name = appset["metadata"]["name"]
    for app in evaluation.applications:
        mine = app["metadata"]["name"]
        live = existing.get(mine)
        if live is None and mine in foreign:
            problems.append(
                f"application {mine}: an Application of this name belongs to another ApplicationSet"
            )
            continue
        kept = live is not None and not permitted.update and mine not in (givers or {})
        wanted = live if kept else _merged(live, app, appset)
        pairs.append(Pair(name, live, wanted, (givers or {}).get(mine, "")))
    wanted_names = evaluation.wanted
    members = [
        judging.member(app) for app in existing.values() if not app["metadata"].get("deletionTimestamp")
    ]
    losing = [member for member in members if member.name not in wanted_names]
    if not evaluation.whole or not losing or not (deleting or permitted.delete):
        return SetOutcome(name, tuple(pairs), tuple(problems))
    pairs += [Pair(name, existing[member.name], None) for member in losing]
    annotations = appset["metadata"].get("annotations") or {}
    return SetOutcome(
        name,
        tuple(pairs),
        tuple(problems),
        _empty(appset, wanted_names, deleting=deleting)
        or judging.over_cap(losing, members, annotations, limits, absent),
        tuple(sorted(member.name for member in losing)),
        len({member.cluster for member in losing}),
        judging.over_cap(losing, members, annotations, limits, absent, lately),
    )


def _empty(appset: Manifest, wanted: Collection[str], *, deleting: bool) -> str:
    annotations = appset["metadata"].get("annotations") or {}
    if wanted or deleting or annotations.get(judging.ALLOW_EMPTY_ANNOTATION) == "true":
        return ""
    return (
        "the set would generate no application at all, and an empty result removes nothing; to allow it, annotate "
        f"the set with {judging.ALLOW_EMPTY_ANNOTATION}=true"
    )


def _merged(live: Manifest | None, app: Manifest, appset: Manifest) -> Manifest:
    """As it would be written; a set that is not stored yet has no uid."""
    metadata = {"uid": "", **appset["metadata"]}
    owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", **appset, "metadata": metadata}
    return generated.merge(live, app, owner)
