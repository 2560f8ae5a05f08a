"""A backup is one file of a live hub; a restore begins another life and loses nothing that was there."""

from __future__ import annotations

import tarfile
from pathlib import Path

import pytest
from store_suite import row, stamp

from argosy.errors import Conflict, Invalid, Unavailable
from hub.store import backup, objects, sqlite


async def test_a_live_hub_is_backed_up_and_restored_as_another_life(tmp_path: Path) -> None:
    data = tmp_path / "data"
    store = sqlite.open_store(data / backup.DATABASE)
    (data / "seal.key").write_bytes(b"then")
    await store.write(lambda tx: objects.put(tx, row("a"), expected_rv=None, stamp=stamp))
    size = backup.write(data, tmp_path / "one", ["seal.key", "ca/ca.key"])
    assert size == (tmp_path / "one").stat().st_size
    assert (tmp_path / "one").stat().st_mode & 0o777 == 0o600
    await store.write(lambda tx: objects.put(tx, row("b"), expected_rv=None, stamp=stamp))
    last = await store.read(objects.newest_rv)
    old_epoch = store.epoch
    await store.close()
    (data / "seal.key").write_bytes(b"now")

    new_epoch = backup.restore(data, tmp_path / "one")

    again = sqlite.open_store(data / backup.DATABASE)
    assert again.epoch == new_epoch != old_epoch
    assert await again.read(lambda tx: objects.count(tx, "argoproj.io/applications")) == 1
    assert await again.read(objects.newest_rv) > last
    await again.close()
    assert (data / "seal.key").read_bytes() == b"then"
    (aside,) = data.glob("replaced-*")
    kept = sqlite.open_store(aside / backup.DATABASE)
    assert await kept.read(lambda tx: objects.count(tx, "argoproj.io/applications")) == 2
    await kept.close()


def test_a_running_hub_is_not_restored_over(tmp_path: Path) -> None:
    with backup.exclusive(tmp_path), pytest.raises(Conflict, match="in use"):
        backup.restore(tmp_path, tmp_path / "any")


def test_what_is_no_backup_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / backup.DATABASE).write_bytes(b"precious")
    (tmp_path / "noise").write_bytes(b"noise" * 1000)
    with pytest.raises(Invalid, match="noise"):
        backup.restore(data, tmp_path / "noise")
    with tarfile.open(tmp_path / "sly", "w") as tar:
        tar.add(tmp_path / "noise", "../outside")
    with pytest.raises(Invalid, match="outside"):
        backup.restore(data, tmp_path / "sly")
    with tarfile.open(tmp_path / "wrong", "w") as tar:
        tar.add(tmp_path / "noise", backup.DATABASE)
    with pytest.raises(Invalid, match="wrong"):
        backup.restore(data, tmp_path / "wrong")
    assert (data / backup.DATABASE).read_bytes() == b"precious"


def test_a_folder_without_a_hub_has_no_backup(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no hub to back up"):
        backup.write(tmp_path, tmp_path / "one", [])
