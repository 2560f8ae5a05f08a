"""The tables, by who uses them. SQL that SQLite and PostgreSQL both read, as far as it goes."""

from __future__ import annotations

CORE_TABLES = [
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # Every API object. `owner` is the uid of the controlling ownerReference; `body` the whole JSON, sealed for Secrets.
    """CREATE TABLE objects (
        resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        uid TEXT NOT NULL UNIQUE, rv INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT '', body BLOB NOT NULL,
        PRIMARY KEY (resource, namespace, name)
    )""",
    "CREATE INDEX objects_owner ON objects (owner) WHERE owner <> ''",
    # Where the refs of a repository were when last looked at, kept so that a restart forgets no commit.
    """CREATE TABLE heads (
        repo TEXT NOT NULL, ref TEXT NOT NULL, commit_id TEXT NOT NULL, seen REAL NOT NULL,
        PRIMARY KEY (repo, ref)
    )""",
    # What a render gave: a bundle, or the user's mistake. Same recipe, no render.
    """CREATE TABLE recipes (
        digest TEXT PRIMARY KEY, bundle TEXT NOT NULL DEFAULT '', problem TEXT NOT NULL DEFAULT '', used REAL NOT NULL
    )""",
    # Each Application as the roller sees it: where it goes, its last good render, and what is wrong with a newer one.
    # `rolled` is 0 while a change of the row waits to become part of a release.
    """CREATE TABLE app_states (
        app TEXT PRIMARY KEY, name TEXT NOT NULL, namespace TEXT NOT NULL, project TEXT NOT NULL, owner TEXT NOT NULL,
        cluster TEXT NOT NULL, destination_namespace TEXT NOT NULL, repo TEXT NOT NULL, target TEXT NOT NULL,
        revision TEXT NOT NULL, recipe TEXT NOT NULL, bundle TEXT NOT NULL, policy TEXT NOT NULL, problem TEXT NOT NULL,
        deleting TEXT NOT NULL, rolled INTEGER NOT NULL
    )""",
    "CREATE INDEX app_states_waiting ON app_states (owner) WHERE rolled = 0",
    "CREATE INDEX app_states_cluster ON app_states (cluster)",
    # What each release changed, so that a release of one app in a set of thousands costs one row.
    """CREATE TABLE release_changes (
        release TEXT NOT NULL, app TEXT NOT NULL, cluster TEXT NOT NULL, bundle TEXT NOT NULL, revision TEXT NOT NULL,
        PRIMARY KEY (release, app)
    )""",
    # The state of each ApplicationSet's evaluation: completeness, what it read, which removals wait to be confirmed.
    "CREATE TABLE evaluations (appset TEXT PRIMARY KEY, body BLOB NOT NULL)",
    # Bearer tokens of the API, hashed.
    """CREATE TABLE api_tokens (
        hash TEXT PRIMARY KEY, username TEXT NOT NULL, groups TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL
    )""",
    # One row for each mutation of the API: who, when, what.
    """CREATE TABLE audit (
        id INTEGER PRIMARY KEY, time REAL NOT NULL, username TEXT NOT NULL, verb TEXT NOT NULL, resource TEXT NOT NULL,
        namespace TEXT NOT NULL, name TEXT NOT NULL, code INTEGER NOT NULL, agent TEXT NOT NULL
    )""",
]

LINK_TABLES: list[str] = []
