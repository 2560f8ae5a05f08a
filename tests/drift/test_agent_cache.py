"""What the agent keeps on disk survives crashes, full disks and damage, and is never believed unchecked."""

from __future__ import annotations

import errno
import os
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from agent.core.epoch import Held
from agent.state import cache
from agent.state.cache import Cache, State
from argosy import bundle, objects
from argosy.bundle import Assignment, Desired, Policy, Removal
from argosy.errors import Invalid, Unavailable

STATE = State(
    Desired(
        "epoch-1",
        7,
        (
            Assignment(
                "id", "a", "argocd", "default", "ns", "sha256:0", "r", "c", Policy(sync_options=("A=b",))
            ),
        ),
        (Removal("rm", "id", "/ConfigMap/ns/x", True, "why", "who", 1.0, 2.0),),
        checks="sha256:1",
    ),
    Held("epoch-1", 7),
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    Cache(tmp_path).write(STATE)
    assert Cache(tmp_path).read() == STATE


def test_a_state_is_written_as_it_always_was() -> None:
    """Agents of other versions read it."""
    raw = objects.canonical(asdict(STATE))
    assert cache.written(STATE) == objects.digest(raw).encode() + b"\n" + raw


def test_an_assignment_that_stays_is_not_encoded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[str] = []
    body_of = bundle.body_of

    def counted(item: Assignment) -> bytes:
        encoded.append(item.id)
        return body_of(item)

    monkeypatch.setattr(bundle, "body_of", counted)
    bodies = bundle.Bodies()
    first = [Assignment(one, one, "argocd", "default", "ns", "b", "r", "c") for one in "abc"]
    assert bodies.of(first) == [body_of(one) for one in first]
    second = [first[0], replace(first[1], revision="d"), replace(first[2])]
    encoded.clear()
    assert bodies.of(second) == [body_of(one) for one in second]
    assert encoded == ["b", "c"], "an equal one may be written otherwise: 1 and 1.0"


def test_an_empty_folder_is_an_empty_state(tmp_path: Path) -> None:
    assert Cache(tmp_path).read() == State()


@pytest.mark.parametrize("damage", [b"", b"garbage", b"sha256:00\n{}"])
def test_a_damaged_state_is_not_believed(tmp_path: Path, damage: bytes) -> None:
    Cache(tmp_path).write(STATE)
    (tmp_path / "state.json").write_bytes(damage)
    assert Cache(tmp_path).read() == State()


def test_a_full_disk_keeps_the_old_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    cache.write(STATE)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Unavailable, match="No space left"):
        cache.write(State())
    monkeypatch.undo()
    assert Cache(tmp_path).read() == STATE
    assert list(tmp_path.glob("*.new")) == []


def test_leftovers_of_a_crash_are_cleared(tmp_path: Path) -> None:
    (tmp_path / "bundles").mkdir()
    (tmp_path / "bundles" / "x.zst.new").write_bytes(b"half")
    Cache(tmp_path)
    assert list((tmp_path / "bundles").iterdir()) == []


def test_bundles_are_verified_going_in_and_coming_out(tmp_path: Path) -> None:
    cache = Cache(tmp_path)
    digest, blob = bundle.pack([{"kind": "A"}])
    with pytest.raises(Invalid):
        cache.put(digest, bundle.pack([{"kind": "B"}])[1])
    assert cache.missing([digest]) == [digest]
    cache.put(digest, blob)
    assert Cache(tmp_path).load(digest) == [{"kind": "A"}]
    (path,) = (tmp_path / "bundles").iterdir()
    path.write_bytes(blob[:-3])

    assert Cache(tmp_path).load(digest) is None
    assert Cache(tmp_path).missing([digest]) == [digest]


def test_a_digest_is_no_way_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(Invalid):
        Cache(tmp_path).load("sha256:../../etc/passwd")


def test_old_bundles_go_when_the_room_is_full(tmp_path: Path) -> None:
    cache = Cache(tmp_path, spare_bytes=0)
    kept, gone = (bundle.pack([{"kind": kind}]) for kind in "AB")
    for digest, blob in (kept, gone):
        cache.put(digest, blob)

    assert cache.sweep([kept[0]]) == 1

    assert cache.has(kept[0])
    assert not cache.has(gone[0])
