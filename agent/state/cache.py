"""The last verified desired set and its bundles on disk: an agent restarted without a hub heals from here.

Every write goes to a new file, is made durable and then takes the old one's place, so a crash or a full disk leaves
the old state. Every read is checked by its digest; what does not match is as good as absent. Knows no network.
"""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
import structlog

from agent.core.epoch import Held
from argosy import bundle, objects
from argosy.bundle import Assignment, Desired, Policy, Removal
from argosy.errors import Invalid, Unavailable
from argosy.objects import Manifest

log = structlog.get_logger("cache")

STATE = "state.json"
SPARE_BYTES = 256 * 1024 * 1024
"""How much of bundles that are no longer assigned is kept: what was applied before is known by them."""
UNPACKED = 4
"""Bundles kept unpacked in memory."""


@dataclass(frozen=True, slots=True)
class State:
    """All that is remembered besides the bundles."""

    desired: Desired = field(default_factory=lambda: Desired("", 0, ()))
    held: Held = field(default_factory=Held)


class Cache:
    """The folder `--state DIR` (parts `state.json` and `bundles/`). Calls block; they are short, but for large bundles
    use a thread."""

    def __init__(self, folder: Path, *, spare_bytes: int = SPARE_BYTES) -> None:
        self._state = folder / STATE
        self._bundles = folder / "bundles"
        self._spare = spare_bytes
        self._unpacked: OrderedDict[str, list[Manifest]] = OrderedDict()
        self._bodies = bundle.Bodies()
        self._bundles.mkdir(parents=True, exist_ok=True)
        for stray in (*folder.glob("*.new"), *self._bundles.glob("*.new")):
            stray.unlink(missing_ok=True)

    def read(self) -> State:
        """The last state that was stored whole; an empty one where there is none or it is damaged."""
        try:
            check, _, raw = self._state.read_bytes().partition(b"\n")
        except FileNotFoundError:
            return State()
        except OSError as error:
            raise Unavailable(f"state {self._state}: {error.strerror}") from None
        if objects.digest(raw).encode() != check:
            log.warning("the state on disk is damaged and not used", file=str(self._state))
            return State()
        return _state_of(orjson.loads(raw))

    def write(self, state: State) -> None:
        """Makes the state durable. Raises `Unavailable` where that fails (disk full); then the old one still holds."""
        replace_file(self._state, written(state, self._bodies))

    def has(self, digest: str) -> bool:
        """Whether a bundle is here (it may still prove damaged when it is loaded)."""
        return self._path(digest).exists()

    def missing(self, wanted: Iterable[str]) -> list[str]:
        """Those of the digests that are to be fetched."""
        return [digest for digest in dict.fromkeys(wanted) if not self.has(digest)]

    def put(self, digest: str, blob: bytes) -> None:
        """Verifies and keeps a bundle's zstd blob. Raises `Invalid` for a wrong one, `Unavailable` for a full disk."""
        bundle.unpack(blob, digest)
        replace_file(self._path(digest), blob)

    def load(self, digest: str) -> list[Manifest] | None:
        """A bundle's objects, None where it is not here or damaged (then it is dropped, to be fetched again).

        The list is shared: do not change it.
        """
        known = self._unpacked.get(digest)
        if known is not None:
            self._unpacked.move_to_end(digest)
            return known
        path = self._path(digest)
        try:
            manifests = bundle.unpack(path.read_bytes(), digest)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise Unavailable(f"bundle {path}: {error.strerror}") from None
        except Invalid as error:
            log.warning("a bundle on disk is damaged and dropped", error=error.message)
            path.unlink(missing_ok=True)
            return None
        self._unpacked[digest] = manifests
        while len(self._unpacked) > UNPACKED:
            self._unpacked.popitem(last=False)
        return manifests

    def raw(self, digest: str) -> bytes | None:
        """A bundle's canonical JSON, None where it is not here whole."""
        try:
            return bundle.raw_of(self._path(digest).read_bytes(), digest)
        except (OSError, Invalid):
            return None

    def sweep(self, assigned: Iterable[str]) -> int:
        """Drops bundles that are not assigned, oldest first, until the spare room holds the rest; how many went."""
        kept = {self._path(digest).name for digest in assigned}
        spare = []
        for path in self._bundles.iterdir():
            if path.name not in kept:
                found = path.stat()
                spare.append((found.st_mtime, found.st_size, path))
        spare.sort(reverse=True)
        room, dropped = self._spare, 0
        for _, size, path in spare:
            room -= size
            if room < 0:
                path.unlink(missing_ok=True)
                dropped += 1
        return dropped

    def _path(self, digest: str) -> Path:
        kind, _, digits = digest.partition(":")
        if kind != "sha256" or not digits.isalnum():
            raise Invalid(f"{digest!r} is no digest of a bundle")
        return self._bundles / f"{digits}.zst"


def written(state: State, bodies: bundle.Bodies | None = None) -> bytes:
    """A state as it is on disk. `bodies` knows the assignments that were in the state before."""
    desired = state.desired
    members = {
        "assignments": (bodies or bundle.Bodies()).of(desired.assignments),
        "removals": map(bundle.body_of, desired.removals),
        "restraints": map(bundle.body_of, desired.restraints),
    }
    kept = {name: [orjson.Fragment(body) for body in found] for name, found in members.items()}
    whole = {"epoch": desired.epoch, "generation": desired.generation, "checks": desired.checks, **kept}
    raw = objects.canonical({"desired": whole, "held": asdict(state.held)})
    return objects.digest(raw).encode() + b"\n" + raw


def replace_file(path: Path, data: bytes) -> None:
    """Writes a new file, makes it durable, then lets it take the old one's place. Raises `Unavailable`."""
    new = path.with_name(path.name + ".new")
    try:
        with new.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise Unavailable(f"{path} could not be written: {error.strerror}") from None


def _state_of(value: dict[str, Any]) -> State:
    desired = value["desired"]
    assignments = tuple(
        Assignment(**{**item, "policy": _policy(item["policy"])}) for item in desired["assignments"]
    )
    listed = tuple(Removal(**item) for item in desired["removals"])
    restraints = tuple(bundle.restraint_of(item) for item in desired.get("restraints") or ())
    checks = desired.get("checks") or ""
    kept = Desired(desired["epoch"], desired["generation"], assignments, listed, restraints, checks)
    return State(kept, Held(**value["held"]))


def _policy(value: dict[str, Any]) -> Policy:
    return Policy(**{**value, "sync_options": tuple(value["sync_options"])})
