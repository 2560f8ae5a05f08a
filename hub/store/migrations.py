"""The schema's history. Migrations only go forward; a database with one we do not know is refused."""

from __future__ import annotations

import sqlite_utils
from sqlite_utils.migrations import Migrations

from argosy.errors import Invalid
from hub.store import schema

history = Migrations("argosy")


@history(name="0001_first")
def _first(db: sqlite_utils.Database) -> None:
    for statement in (*schema.CORE_TABLES, *schema.LINK_TABLES):
        db.execute(statement)


@history(name="0002_rollouts")
def _rollouts(db: sqlite_utils.Database) -> None:
    for statement in schema.ROLLOUT_TABLES:
        db.execute(statement)


@history(name="0003_freezes")
def _freezes(db: sqlite_utils.Database) -> None:
    for statement in schema.FREEZE_TABLES:
        db.execute(statement)


@history(name="0004_deliveries")
def _deliveries(db: sqlite_utils.Database) -> None:
    for statement in schema.DELIVERY_TABLES:
        db.execute(statement)


@history(name="0005_audit")
def _audit(db: sqlite_utils.Database) -> None:
    for statement in schema.AUDIT_TABLES:
        db.execute(statement)


@history(name="0006_removals")
def _removals(db: sqlite_utils.Database) -> None:
    for statement in schema.REMOVAL_TABLES:
        db.execute(statement)


@history(name="0007_checks")
def _checks(db: sqlite_utils.Database) -> None:
    for statement in schema.CHECK_TABLES:
        db.execute(statement)


def apply(db: sqlite_utils.Database) -> None:
    """Brings the schema up to date. Raises `Invalid` where a newer Argosy wrote the database."""
    known = {migration.name for migration in history._migrations}
    newer = sorted(row.name for row in history.applied(db) if row.name not in known)
    if newer:
        raise Invalid(
            f"the database was written by a newer Argosy (it has {', '.join(newer)}, the newest known here is "
            f"{max(known)}): start that version, or restore a backup made by this one"
        )
    history.apply(db)
