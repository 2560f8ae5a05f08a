"""One Application as the renderer knows it, and what one look at it gave. Nothing here reads or writes."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from argosy import bundle as bundle_format
from argosy import objects as manifests
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.apps import hooks, operations, policy, sources
from hub.core.apps.sources import Source
from hub.core.appsets import generated
from hub.core.releases import releases
from hub.core.tree import Tree
from hub.loops.apps import detours
from hub.loops.apps.kitchen import Packed
from hub.loops.apps.reads import Reads, SourceKey
from hub.store.apps import AppState

REFRESH = "argocd.argoproj.io/refresh"


@dataclass
class Entry:
    """One Application as this loop knows it. `wrong` says why its sources cannot be used, "" where they can."""

    manifest: Manifest
    sources: tuple[Source, ...]
    wrong: str
    state: AppState | None
    reads: Reads | None = None
    """What its last render read, where that can be told from its sources' trees alone."""
    ending: str = ""
    """The running sync that a user wants ended, "" where there is none."""

    @functools.cached_property
    def keys(self) -> list[SourceKey]:
        """What the sources' trees are looked up by."""
        return keys(self.sources)

    @property
    def sound(self) -> bool:
        """True where what was rendered last is what is wanted, with nothing to complain of."""
        state = self.state
        return (
            state is not None and bool(state.bundle) and not state.problem and state.recipe == self.rendered
        )

    @property
    def rendered(self) -> str:
        return self.reads.recipe if self.reads else ""


@dataclass
class Outcome:
    """What one look at an Application gave: its new state, and a bundle that was not there before."""

    entry: Entry
    state: AppState
    recipe: str = ""
    fresh: Packed | None = None
    authors: Mapping[str, str] = field(default_factory=dict)
    """Of the commits that it was rendered from."""
    live: Manifest | None = None
    """The Application as this run wrote it."""
    shared: str = ""
    """Which of its objects other Applications want too, in words."""
    again: bool = False
    """True where something could not be had that may be there in the next run."""
    refused: str = ""
    """Why the sync that was asked for is not begun."""
    detour: Outcome | None = None
    """The render of what was asked for, where that is something else."""

    def refuse(self, problem: str) -> None:
        """Keeps what was there before, whatever was rendered now."""
        old = self.entry.state
        self.recipe = ""
        self.state = self.state._replace(
            recipe=old.recipe if old else "",
            bundle=old.bundle if old else "",
            revision=old.revision if old else "",
            sources=old.sources if old else "",
            origin=old.origin if old else "",
            problem=problem,
        )


def of(manifest: Manifest, state: AppState | None) -> Entry:
    """An Application as its object and its stored state have it."""
    found, wrong = _sources(manifest)
    return Entry(manifest, found, wrong or _misspelt(manifest), state)


def commits(found: Sequence[Source], trees: Mapping[SourceKey, Tree]) -> str:
    """What the sources were rendered from, as `AppState.sources` has it; "" for a single one."""
    if len(found) < 2:
        return ""
    return orjson.dumps([[*key, trees[key].commit] for key in keys(found)]).decode()


def origin(entry: Entry, tools: Sequence[str]) -> str:
    """What a render is of, as `AppState.origin` has it. `tools` are those of the sources that render anything."""
    rest = iter(tools)
    kinds = [next(rest).capitalize() if source.renders else "" for source in entry.sources]
    spec = entry.manifest["spec"]
    name = "sources" if spec.get("sources") else "source"
    return orjson.dumps({"kinds": kinds, name: spec[name]}).decode()


def keys(found: Sequence[Source]) -> list[SourceKey]:
    """What the sources' trees are looked up by."""
    return [(source.address, source.target) for source in found]


def _sources(manifest: Manifest) -> tuple[tuple[Source, ...], str]:
    """(the Application's sources, why they cannot be used)."""
    try:
        found = sources.of(manifest)
    except Invalid as error:
        return (), error.message
    return found, "" if found else "spec.source: required field is missing"


def kept(entry: Entry, problem: str, *, again: bool = False) -> Outcome:
    """What its project refuses changes nothing but what is shown: not even the cluster it would go to."""
    state = entry.state or described(entry)
    return Outcome(entry, state._replace(problem=problem), again=again)


def refreshes(manifest: Manifest) -> bool:
    return REFRESH in (manifest["metadata"].get("annotations") or {})


def anew(manifest: Manifest) -> Manifest:
    """The Application with a refresh asked for: its revisions are looked up at the remote, not in what was listed last."""
    metadata = manifest["metadata"]
    return {**manifest, "metadata": {**metadata, "annotations": {**_notes(manifest), REFRESH: "normal"}}}


def described(entry: Entry) -> AppState:
    """The state as the object itself says it; what was rendered last stays."""
    manifest, before = entry.manifest, entry.state
    metadata, spec = manifest["metadata"], manifest["spec"]
    first = entry.sources[0] if entry.sources else None
    state = before or AppState(metadata["uid"], metadata["name"], metadata["namespace"])
    deleting = ""
    if metadata.get("deletionTimestamp"):
        deleting = "cascade" if hooks.cascades(metadata.get("finalizers") or ()) else "release"
    return state._replace(
        project=spec.get("project") or "default",
        owner=generated.controller_of(manifest),
        destination_namespace=(spec.get("destination") or {}).get("namespace") or "",
        repo=first.address if first else "",
        target=first.target if first else "",
        policy=state.policy if entry.wrong else _told(policy.of(spec, asked_for(before), _notes(manifest))),
        deleting=deleting,
    )


def _misspelt(manifest: Manifest) -> str:
    """Why the policy cannot be read, "" where it can."""
    try:
        policy.of(manifest["spec"], policy.Asked(), _notes(manifest))
    except Invalid as error:
        return error.message
    return ""


def _notes(manifest: Manifest) -> dict[str, str]:
    found: dict[str, str] = manifest["metadata"].get("annotations") or {}
    return found


def _told(what: bundle_format.Policy) -> str:
    return manifests.canonical(bundle_format.plain(what)).decode()


def asked_for(state: AppState | None) -> policy.Asked:
    """The newest sync that was asked for, which stays until another is; and the one that was ended."""
    if state is None:
        return policy.Asked()
    told = releases.policy(state.policy)
    return policy.Asked(told.sync_request, told.operation, told.terminate)


def take_up(outcome: Outcome) -> None:
    """Passes on what a user asks for beside the spec: a sync, or the end of one."""
    entry, state = outcome.entry, outcome.state
    operation = operations.of(entry.manifest)
    changes = {"terminate": entry.ending} if entry.ending else {}
    if operation is not None:
        wrong = state.problem if state.problem.startswith("InvalidSpecError") else ""
        outcome.refused = wrong or outcome.refused
        if not outcome.refused:
            metadata = entry.manifest["metadata"]
            request = f"{metadata['uid']}.{metadata.get('resourceVersion', '')}"
            changes["sync_request"], changes["operation"] = request, operations.text(operation)
            other = outcome.detour
            state = state._replace(
                detour=detours.made(entry.manifest, state, other.state, request) if other is not None else ""
            )
    if changes:
        told = dataclasses.replace(releases.policy(state.policy), **changes)  # type: ignore[arg-type]
        outcome.state = state._replace(policy=_told(told))


def ends(manifest: Manifest) -> bool:
    """Whether a user ended the running sync, as `argocd app terminate-op` does."""
    state = (manifest.get("status") or {}).get("operationState") or {}
    return bool(state.get("phase") == operations.TERMINATING)


def operation_state(outcome: Outcome, before: dict[str, Any], stamp: str) -> dict[str, Any] | None:
    """What the hub itself has to say of operations: that one was not begun. The rest is the agent's to say."""
    operation = operations.of(outcome.entry.manifest)
    if operation is not None:
        return operations.refused(operation, outcome.refused, stamp) if outcome.refused else None
    stored: dict[str, Any] | None = before.get("operationState")
    return None if ends(outcome.entry.manifest) else stored


def rolls(state: AppState) -> tuple[object, ...]:
    """The part of a state that a cluster is told of."""
    return (
        state.cluster,
        state.bundle,
        state.policy,
        state.project,
        state.destination_namespace,
        state.deleting,
        state.owner,
    )
