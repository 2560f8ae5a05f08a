"""The Applications as the renderer's last run left them, and which of them something new concerns. Reads and writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.apps import destinations
from hub.core.apps.destinations import Directory
from hub.loops.apps import entries
from hub.loops.apps.bounds import project_of
from hub.loops.apps.entries import Entry
from hub.loops.apps.reads import SourceKey
from hub.store.apps import AppState

StateOf = Callable[[str, str], tuple[str, bool]]
"""(repository, revision) -> (its commit, whether the repository answers), as `Trees.state` has it."""


class Applications:
    """By uid, by the sources they are rendered from, and by the cluster that their destinations name."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._members: dict[SourceKey, set[str]] = {}
        self._aimed: dict[str, set[str]] = {}
        """The Applications whose destinations name a cluster, or its server, so."""
        self._aims: dict[str, frozenset[str]] = {}
        self._seen: dict[SourceKey, tuple[str, bool]] = {}

    def __contains__(self, uid: str) -> bool:
        return uid in self._entries

    def __getitem__(self, uid: str) -> Entry:
        return self._entries[uid]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def get(self, uid: str) -> Entry | None:
        """None where there is no such Application."""
        return self._entries.get(uid)

    def enter(self, manifest: Manifest, state: AppState | None) -> None:
        """Takes in an Application as its object says it now."""
        uid = manifest["metadata"]["uid"]
        self.leave(uid)
        entry = self._entries[uid] = entries.of(manifest, state)
        for key in entry.keys:
            self._members.setdefault(key, set()).add(uid)
        self._aims[uid] = destinations.aimed_at(manifest["spec"].get("destination") or {})
        for place in self._aims[uid]:
            self._aimed.setdefault(place, set()).add(uid)

    def leave(self, uid: str) -> None:
        """Forgets an Application, and the sources that no other one uses."""
        entry = self._entries.pop(uid, None)
        if entry is None:
            return
        for place in self._aims.pop(uid):
            self._aimed[place].discard(uid)
            if not self._aimed[place]:
                del self._aimed[place]
        for key in dict.fromkeys(entry.keys):
            members = self._members[key]
            members.discard(uid)
            if not members:
                del self._members[key]
                self._seen.pop(key, None)

    # --- whom something concerns ----------------------------------------------------------------------------------

    def using(self, concerns: Callable[[SourceKey], bool]) -> dict[str, Entry]:
        """Those of which a source is one that it `concerns`."""
        keys = [key for key in self._members if concerns(key)]
        return {uid: self._entries[uid] for key in keys for uid in self._members[key]}

    def governed_by(self, projects: Collection[str] | None) -> dict[str, Entry]:
        """Those of these projects; None: all."""
        return {
            uid: entry
            for uid, entry in self._entries.items()
            if projects is None or project_of(entry.manifest) in projects
        }

    def going_to(self, ids: Collection[str], places: Collection[str]) -> dict[str, Entry]:
        """Those on one of these clusters, or whose destination says one of `places` (name or server)."""

        def goes(entry: Entry) -> bool:
            destination = entry.manifest["spec"].get("destination") or {}
            there = entry.state is not None and entry.state.cluster in ids
            return there or destination.get("name") in places or destination.get("server") in places

        return {uid: entry for uid, entry in self._entries.items() if goes(entry)}

    def redirected(self, moved: Iterable[str], directory: Directory) -> dict[str, None]:
        """Those for which the names and servers that `moved` stand for another cluster than the one they are on."""
        found: dict[str, None] = {}
        for uid in sorted(set().union(*(self._aimed.get(place, ()) for place in moved))):
            entry = self._entries[uid]
            try:
                cluster = destinations.resolve(entry.manifest["spec"].get("destination") or {}, directory).id
            except Invalid:
                cluster = ""
            if entry.state is None or entry.state.cluster != cluster:
                found[uid] = None
        return found

    # --- the sources' commits -------------------------------------------------------------------------------------

    def moved_sources(self, state_of: StateOf) -> list[str]:
        """Those with a source that is not what it was when this was last asked."""
        due: list[str] = []
        for key, members in self._members.items():
            state = state_of(*key)
            if key in self._seen and self._seen[key] != state:
                due += sorted(members)
            self._seen[key] = state
        return due

    def behind(self, state_of: StateOf) -> bool:
        """Whether a source moved since."""
        return any(self._seen.get(key) not in (None, state_of(*key)) for key in self._members)

    def seen(self, key: SourceKey) -> str:
        """The commit of a source when it was last looked at, "" where it was not."""
        return self._seen.get(key, ("", True))[0]

    def see(self, key: SourceKey, commit: str, *, answers: bool) -> None:
        """Notes the commit of a source that was looked at for the first time."""
        self._seen[key] = (commit, answers)

    def sharing(self, key: SourceKey) -> list[str]:
        """Those with this source, in the order of their uids."""
        return sorted(self._members.get(key, ()))

    def sources_of(self, uids: Iterable[str]) -> set[SourceKey]:
        """What these are rendered from; of those that are gone, nothing."""
        return {key for uid in uids if uid in self._entries for key in self._entries[uid].keys}
