"""The schema's history. Migrations only go forward; a database with one we do not know is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import sqlite_utils
from sqlite_utils.migrations import Migrations

from argosy.errors import Invalid
from hub.store import schema

history = Migrations("argosy")


TABLES = {
    "0001_first": (*schema.CORE_TABLES, *schema.LINK_TABLES),
    "0002_rollouts": schema.ROLLOUT_TABLES,
    "0003_freezes": schema.FREEZE_TABLES,
    "0004_deliveries": schema.DELIVERY_TABLES,
    "0005_audit": schema.AUDIT_TABLES,
    "0006_removals": schema.REMOVAL_TABLES,
    "0007_checks": schema.CHECK_TABLES,
    "0008_status": schema.STATUS_TABLES,
    "0009_seats": schema.SEAT_TABLES,
    "0010_causes": schema.CAUSE_TABLES,
    "0011_apis": schema.API_TABLES,
    "0012_detours": schema.DETOUR_TABLES,
    "0013_tokens": schema.TOKEN_TABLES,
    "0014_events": schema.EVENT_TABLES,
    "0015_losses": schema.LOSS_TABLES,
    "0016_prunes": schema.PRUNE_TABLES,
    "0017_handing": schema.HANDING_TABLES,
    "0018_bereft": schema.BEREFT_TABLES,
}
"""What each migration runs, by its name, in their order."""


def _running(statements: Iterable[str]) -> Callable[[sqlite_utils.Database], None]:
    def run(db: sqlite_utils.Database) -> None:
        for statement in statements:
            db.execute(statement)

    return run


for _name, _statements in TABLES.items():
    history(name=_name)(_running(_statements))


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
