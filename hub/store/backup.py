"""A hub's life in one file: the database as of one moment, and the keys without which it is worth little.

A backup is a tar archive (mode 0600) of `hub.db` and the key files. A restore puts it in place of what is there, which
is set aside and not deleted, and mints a new epoch, so that every agent sees that its hub has become another one and
keeps what it runs until a person confirms. Keys that the data folder already has stay, so that certificates and
kubeconfigs issued since the backup remain valid; the sealing key belongs to the database and comes with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import sqlite3
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import sqlite_utils

from argosy.errors import Conflict, Invalid, Unavailable
from hub.store import migrations
from hub.store.sqlite import connect, new_epoch

DATABASE = "hub.db"
LOCK = "lock"
WITH_DATABASE = ("seal.key",)
"""Files that are useless without the database and it without them."""

KEYS = (*WITH_DATABASE, "ca/ca.key", "ca/ca.crt")
"""What a backup takes along, where it exists."""

RV_LEAP = 1 << 24
"""A restore moves the resourceVersion further than the lost life can have, so that no watcher confuses the two."""


@contextlib.contextmanager
def exclusive(data: Path) -> Iterator[None]:
    """Holds the data folder for one process. Raises `Conflict` where another one has it."""
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (data / LOCK).open("a") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Conflict(f"{data} is in use by another argosy-hub; stop it first") from None
        yield


def write(data: Path, target: Path, keys: list[str]) -> int:
    """Writes a backup of the hub in `data`, live or stopped, to `target`; returns its size in bytes.

    `keys` are paths below `data` to take along where they exist. Raises `Unavailable` where there is no database.
    """
    if not (data / DATABASE).is_file():
        raise Unavailable(f"{data}: no {DATABASE} there, so no hub to back up")
    with tempfile.TemporaryDirectory(dir=target.resolve().parent, prefix=".backup-") as folder:
        copy = Path(folder) / DATABASE
        source = connect(data / DATABASE, readonly=True)
        try:
            source.execute("VACUUM INTO ?", (str(copy),))
        except sqlite3.Error as error:
            raise Unavailable(f"{data / DATABASE}: {error}") from None
        finally:
            source.close()
        archive = Path(folder) / "backup.tar"
        with tarfile.open(archive, "w") as tar:
            tar.add(copy, DATABASE)
            for name in keys:
                if (data / name).is_file():
                    tar.add(data / name, name)
        archive.chmod(0o600)
        with archive.open("rb") as written:
            os.fsync(written.fileno())
        archive.replace(target)
    return target.stat().st_size


def restore(data: Path, source: Path) -> str:
    """Replaces the database in `data` by the backup's and returns the new epoch. The hub must be stopped.

    Raises `Invalid` for a file that is no backup or comes from a newer Argosy, `Conflict` while a hub runs on `data`.
    """
    with exclusive(data), tempfile.TemporaryDirectory(dir=data, prefix=".restore-") as folder:
        files = _unpack(source)
        incoming = Path(folder) / DATABASE
        incoming.write_bytes(files.pop(DATABASE))
        epoch = _begin_life(incoming, source)
        aside = data / time.strftime("replaced-%Y%m%dT%H%M%SZ", time.gmtime())
        while aside.exists():
            aside = aside.with_name(aside.name + "+")
        for name in (DATABASE, DATABASE + "-wal", DATABASE + "-shm", *WITH_DATABASE):
            if (data / name).exists():
                aside.mkdir(exist_ok=True, mode=0o700)
                (data / name).replace(aside / name)
        for name, content in files.items():
            if not (data / name).exists():
                _write_private(data / name, content)
        incoming.chmod(0o600)
        incoming.replace(data / DATABASE)
    return epoch


def check(path: Path) -> tuple[str, int]:
    """(newest schema step, number of objects) of a sound database. Raises `Unavailable` for a damaged one."""
    try:
        connection = connect(path, readonly=True)
        try:
            verdict = connection.execute("PRAGMA quick_check").fetchone()[0]
            if verdict != "ok":
                raise Unavailable(f"damaged: {verdict}")
            schema = connection.execute("SELECT max(name) FROM _sqlite_migrations").fetchone()[0]
            return schema, connection.execute("SELECT count(*) FROM objects").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Unavailable(f"cannot be read: {error}") from None


def _begin_life(path: Path, source: Path) -> str:
    """Checks an unpacked database, brings its schema up to date and gives it a new epoch."""
    epoch = new_epoch()
    try:
        connection = connect(path)
        try:
            verdict = connection.execute("PRAGMA integrity_check").fetchone()[0]
            if verdict != "ok":
                raise Invalid(f"{source}: the database in it is damaged: {verdict}")
            migrations.apply(sqlite_utils.Database(connection))
            connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (epoch,))
            # Which runs of agents were there then says nothing of those that come now.
            connection.execute("UPDATE agents SET holder = '', refused = '[]'")
            connection.execute(
                "UPDATE meta SET value = CAST(value AS INTEGER) + ? WHERE key = 'rv'", (RV_LEAP,)
            )
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise Invalid(f"{source}: the database in it cannot be used: {error}") from None
    return epoch


def _unpack(source: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(source) as tar:
            for member in tar:
                path = Path(member.name)
                content = tar.extractfile(member) if member.isfile() else None
                if content is None or path.is_absolute() or ".." in path.parts:
                    raise Invalid(f"{source}: {member.name}: a backup holds plain files only")
                files[member.name] = content.read()
    except (tarfile.TarError, OSError) as error:
        raise Invalid(f"{source}: not readable as a backup of argosy-hub: {error}") from None
    if DATABASE not in files:
        raise Invalid(f"{source}: no {DATABASE} in it, so it is no backup of argosy-hub")
    return files


def _write_private(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with io.FileIO(descriptor, "w") as file:
        file.write(content)
