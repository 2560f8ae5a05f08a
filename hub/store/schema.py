"""The tables, by who uses them. SQL that SQLite and PostgreSQL both read, as far as it goes."""

from __future__ import annotations

CORE_TABLES = [
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL)",
    # Every API object. `owner` is the uid of the controlling ownerReference; `body` the whole JSON, sealed for Secrets.
    """CREATE TABLE objects (
        resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        uid TEXT NOT NULL UNIQUE, rv INTEGER NOT NULL, owner TEXT NOT NULL DEFAULT '',
        body BLOB NOT NULL, PRIMARY KEY (resource, namespace, name)
    )""",
    "CREATE INDEX objects_owner ON objects (owner) WHERE owner <> ''",
    # Where the refs of a repository were when last looked at, kept so that a restart forgets no commit.
    """CREATE TABLE heads (
        repo TEXT NOT NULL, ref TEXT NOT NULL, commit_id TEXT NOT NULL, seen REAL NOT NULL,
        PRIMARY KEY (repo, ref)
    )""",
    # What a render gave: a bundle, or the user's mistake. Same recipe, no render.
    """CREATE TABLE recipes (
        digest TEXT PRIMARY KEY, bundle TEXT NOT NULL DEFAULT '', problem TEXT NOT NULL DEFAULT '',
        used REAL NOT NULL
    )""",
    # Each Application as the roller sees it: where it goes, its last good render, and what is wrong with a newer one.
    # `rolled` is 0 while a change of the row waits to become part of a release, 2 where something holds that up.
    """CREATE TABLE app_states (
        app TEXT PRIMARY KEY, name TEXT NOT NULL, namespace TEXT NOT NULL, project TEXT NOT NULL,
        owner TEXT NOT NULL, cluster TEXT NOT NULL, destination_namespace TEXT NOT NULL,
        repo TEXT NOT NULL, target TEXT NOT NULL, revision TEXT NOT NULL, recipe TEXT NOT NULL,
        bundle TEXT NOT NULL, policy TEXT NOT NULL, problem TEXT NOT NULL, deleting TEXT NOT NULL,
        rolled INTEGER NOT NULL
    )""",
    "CREATE INDEX app_states_waiting ON app_states (owner) WHERE rolled = 0",
    "CREATE INDEX app_states_leaving ON app_states (app) WHERE deleting <> ''",
    # The newest commit of each source that all renders are right for.
    """CREATE TABLE source_commits (
        repo TEXT NOT NULL, target TEXT NOT NULL, commit_id TEXT NOT NULL, PRIMARY KEY (repo, target)
    )""",
    # One row for each release of a set or a lone Application; its object in the API has the same name.
    """CREATE TABLE releases (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, number INTEGER NOT NULL, namespace TEXT NOT NULL,
        name TEXT NOT NULL, created REAL NOT NULL
    )""",
    "CREATE UNIQUE INDEX releases_owner ON releases (owner, number)",
    # What each release changed, so that a release of one app in a set of thousands costs one row.
    """CREATE TABLE release_changes (
        release TEXT NOT NULL, app TEXT NOT NULL, cluster TEXT NOT NULL, bundle TEXT NOT NULL,
        revision TEXT NOT NULL, PRIMARY KEY (release, app)
    )""",
    # Whether a cluster had a bundle, so that it may be sent the difference to it.
    "CREATE INDEX release_changes_bundle ON release_changes (bundle, cluster)",
    # The state of each ApplicationSet's evaluation: completeness, what it read, which removals wait to be confirmed.
    "CREATE TABLE evaluations (appset TEXT PRIMARY KEY, body BLOB NOT NULL)",
    # Bearer tokens of the API, hashed.
    """CREATE TABLE api_tokens (
        hash TEXT PRIMARY KEY, username TEXT NOT NULL, groups TEXT NOT NULL, created REAL NOT NULL,
        expires REAL NOT NULL
    )""",
    # One row for each mutation of the API: who, when, what.
    """CREATE TABLE audit (
        id INTEGER PRIMARY KEY, time REAL NOT NULL, username TEXT NOT NULL, verb TEXT NOT NULL,
        resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL, code INTEGER NOT NULL,
        agent TEXT NOT NULL
    )""",
]

FREEZE_TABLES = [
    # Why an Application is not moved now, and until when; an empty reason is a hold that has ended. Composed into what
    # the API shows, so it has a resourceVersion.
    """CREATE TABLE holds (
        app TEXT PRIMARY KEY, reason TEXT NOT NULL, until REAL NOT NULL, since REAL NOT NULL, rv INTEGER NOT NULL
    )""",
    # What restrains changes in each cluster, as its agent is told.
    "CREATE TABLE restraints (cluster TEXT NOT NULL, body BLOB NOT NULL)",
    "CREATE INDEX restraints_cluster ON restraints (cluster)",
]

REMOVAL_TABLES = [
    # All Applications of each Removal, whose object names only the first of them.
    """CREATE TABLE removal_apps (
        removal TEXT NOT NULL, app TEXT NOT NULL, PRIMARY KEY (removal, app)
    ) WITHOUT ROWID""",
]

LINK_TABLES = [
    # What the hub knows of each cluster's agent. `key` is the fingerprint of the public key that holds the identity,
    # `cluster_uid` the uid of the kube-system namespace it was bound to. Times are Unix seconds, 0 where there is none.
    """CREATE TABLE agents (
        cluster TEXT PRIMARY KEY, cluster_uid TEXT NOT NULL DEFAULT '',
        key TEXT NOT NULL DEFAULT '', version TEXT NOT NULL DEFAULT '',
        epoch TEXT NOT NULL DEFAULT '', generation INTEGER NOT NULL DEFAULT 0,
        set_digest TEXT NOT NULL DEFAULT '', holding TEXT NOT NULL DEFAULT '',
        held_since REAL NOT NULL DEFAULT 0, connected INTEGER NOT NULL DEFAULT 0,
        since REAL NOT NULL DEFAULT 0, seen REAL NOT NULL DEFAULT 0,
        facts TEXT NOT NULL DEFAULT '{}', quarantine TEXT NOT NULL DEFAULT '',
        revoked REAL NOT NULL DEFAULT 0, confirmed_epoch TEXT NOT NULL DEFAULT '',
        expires REAL NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX agents_key ON agents (key)",
    "CREATE INDEX agents_cluster_uid ON agents (cluster_uid) WHERE cluster_uid <> ''",
    # Join tokens by the hash of their secret. `used_by` is the fingerprint of the key that joined with it.
    """CREATE TABLE join_tokens (
        hash TEXT PRIMARY KEY, cluster TEXT NOT NULL, created REAL NOT NULL, expires REAL NOT NULL,
        used REAL NOT NULL DEFAULT 0, used_by TEXT NOT NULL DEFAULT ''
    )""",
    "CREATE INDEX join_tokens_cluster ON join_tokens (cluster)",
    # Every certificate given to an agent, for audit; expired ones are swept.
    """CREATE TABLE certificates (
        fingerprint TEXT PRIMARY KEY, cluster TEXT NOT NULL, key TEXT NOT NULL,
        serial TEXT NOT NULL, issued REAL NOT NULL, expires REAL NOT NULL
    )""",
    # What each cluster shall have. `generation` is when the row last changed, `body` canonical JSON.
    """CREATE TABLE assignments (
        cluster TEXT NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL, bundle TEXT NOT NULL,
        body BLOB NOT NULL, PRIMARY KEY (cluster, id)
    ) WITHOUT ROWID""",
    "CREATE INDEX assignments_changed ON assignments (cluster, generation)",
    "CREATE INDEX assignments_bundle ON assignments (bundle, cluster)",
    "CREATE INDEX assignments_id ON assignments (id)",
    # Ids that left a cluster's set, and when; forgotten below `desired.floor`.
    """CREATE TABLE drops (
        cluster TEXT NOT NULL, id TEXT NOT NULL, generation INTEGER NOT NULL,
        PRIMARY KEY (cluster, id)
    ) WITHOUT ROWID""",
    # Open written removals.
    """CREATE TABLE removals (
        cluster TEXT NOT NULL, id TEXT NOT NULL, assignment TEXT NOT NULL, body BLOB NOT NULL,
        PRIMARY KEY (cluster, id)
    ) WITHOUT ROWID""",
    # The head of each cluster's set. Differences exist against generations from `floor` on.
    """CREATE TABLE desired (
        cluster TEXT PRIMARY KEY, generation INTEGER NOT NULL, floor INTEGER NOT NULL,
        set_digest TEXT NOT NULL
    )""",
    # The newest state of each application as its agent reported it. `digest` is over `detail`, `removed` a JSON array.
    """CREATE TABLE reports (
        cluster TEXT NOT NULL, app TEXT NOT NULL, release TEXT NOT NULL, bundle TEXT NOT NULL,
        sync TEXT NOT NULL, health TEXT NOT NULL, removed TEXT NOT NULL, gone INTEGER NOT NULL,
        digest TEXT NOT NULL, detail BLOB NOT NULL, rv INTEGER NOT NULL, time REAL NOT NULL,
        PRIMARY KEY (cluster, app)
    )""",
    "CREATE INDEX reports_app ON reports (app)",
    "CREATE INDEX reports_removed ON reports (cluster) WHERE removed <> '[]'",
    # Rendered objects by digest, zstd.
    "CREATE TABLE bundles (digest TEXT PRIMARY KEY, blob BLOB NOT NULL, created REAL NOT NULL)",
]

ROLLOUT_TABLES = [
    # A release on its way. `source` is what its strategy was made from, `body` what was decided last, `shown` the status
    # of its object; both JSON. `waits` is what members wait for whose turn has not come.
    """CREATE TABLE rollouts (
        id TEXT PRIMARY KEY, owner TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
        created REAL NOT NULL, version INTEGER NOT NULL, under_way INTEGER NOT NULL,
        source BLOB NOT NULL, body BLOB NOT NULL, shown BLOB NOT NULL, waits TEXT NOT NULL
    )""",
    "CREATE UNIQUE INDEX rollouts_name ON rollouts (namespace, name)",
    "CREATE UNIQUE INDEX rollouts_under_way ON rollouts (owner) WHERE under_way = 1",
    "CREATE INDEX rollouts_owner ON rollouts (owner, created)",
    # Each Application that a rollout moves; see hub.core.rollout.model.Member.
    """CREATE TABLE rollout_members (
        rollout TEXT NOT NULL, app TEXT NOT NULL, name TEXT NOT NULL, cluster TEXT NOT NULL,
        stage INTEGER NOT NULL, to_release TEXT NOT NULL, to_bundle TEXT NOT NULL, to_revision TEXT NOT NULL,
        before_release TEXT NOT NULL, before_bundle TEXT NOT NULL, before_revision TEXT NOT NULL,
        state TEXT NOT NULL, since REAL NOT NULL, started REAL NOT NULL, healthy REAL NOT NULL,
        deadline REAL NOT NULL, blocker TEXT NOT NULL, rank TEXT NOT NULL, PRIMARY KEY (rollout, app)
    ) WITHOUT ROWID""",
    "CREATE INDEX rollout_members_app ON rollout_members (app)",
    # What an app is not given: its release was rolled back, or given up before it got there. Until its render gives
    # another bundle, or somebody clears it.
    """CREATE TABLE refused (
        app TEXT PRIMARY KEY, bundle TEXT NOT NULL, release TEXT NOT NULL, reason TEXT NOT NULL, since REAL NOT NULL
    )""",
    "CREATE INDEX refused_release ON refused (release)",
    "CREATE INDEX app_states_held ON app_states (owner) WHERE rolled = 2",
    "CREATE INDEX app_states_owner ON app_states (owner)",
    # The commits of all sources where there are several.
    "ALTER TABLE app_states ADD COLUMN sources TEXT NOT NULL DEFAULT ''",
    # What an app had before a release changed it.
    "ALTER TABLE release_changes ADD COLUMN before_bundle TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE release_changes ADD COLUMN before_revision TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE release_changes ADD COLUMN name TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX release_changes_app ON release_changes (app)",
]

DELIVERY_TABLES = [
    # What each release brought to each application, kept longer than the release: one row for every application that it
    # changed. Times are Unix seconds, 0 while there is none: `committed` is the commit's own, `done` when it was first
    # Synced and Healthy with it, `failed` when it first was not well with it, `restored` when it was well again after
    # that, whatever with. `settled` is 1 once nothing of it can change any more.
    """CREATE TABLE deliveries (
        release TEXT NOT NULL, app TEXT NOT NULL, owner TEXT NOT NULL, name TEXT NOT NULL, cluster TEXT NOT NULL,
        repo TEXT NOT NULL, bundle TEXT NOT NULL, revision TEXT NOT NULL, created REAL NOT NULL,
        committed REAL NOT NULL DEFAULT 0, done REAL NOT NULL DEFAULT 0, failed REAL NOT NULL DEFAULT 0,
        restored REAL NOT NULL DEFAULT 0, settled INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (release, app)
    ) WITHOUT ROWID""",
    "CREATE INDEX deliveries_created ON deliveries (created)",
    "CREATE INDEX deliveries_revision ON deliveries (revision)",
    "CREATE INDEX deliveries_open ON deliveries (cluster, app) WHERE settled = 0",
    "CREATE INDEX deliveries_undated ON deliveries (repo, revision) WHERE committed = 0",
    # What each application was last well with on its cluster.
    """CREATE TABLE deployed (
        cluster TEXT NOT NULL, app TEXT NOT NULL, release TEXT NOT NULL, bundle TEXT NOT NULL, revision TEXT NOT NULL,
        since REAL NOT NULL, PRIMARY KEY (cluster, app)
    ) WITHOUT ROWID""",
]

AUDIT_TABLES = [
    # Where a mutation came from, and what differs after it: see hub.store.audit.
    "ALTER TABLE audit ADD COLUMN address TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE audit ADD COLUMN change BLOB NOT NULL DEFAULT '[]'",
    "CREATE INDEX audit_name ON audit (name, namespace)",
]

DETOUR_TABLES = [
    # What somebody had synced to an app's cluster in the place of its last good render, as JSON.
    "ALTER TABLE app_states ADD COLUMN detour TEXT NOT NULL DEFAULT ''",
]

SEAT_TABLES = [
    # Which run of the agent acts for the cluster, which runs came second (a JSON array), and what is said of the last one.
    "ALTER TABLE agents ADD COLUMN holder TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE agents ADD COLUMN refused TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE agents ADD COLUMN second TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE agents ADD COLUMN second_since REAL NOT NULL DEFAULT 0",
    "CREATE INDEX agents_second ON agents (cluster) WHERE second <> ''",
]

CHECK_TABLES = [
    # Digest of the users' own health checks that each cluster is to use; those of new clusters are in `meta`.
    "ALTER TABLE desired ADD COLUMN checks TEXT NOT NULL DEFAULT ''",
]

STATUS_TABLES = [
    # What the last good render of an app was of: the kinds of its sources and the sources themselves, as JSON.
    "ALTER TABLE app_states ADD COLUMN origin TEXT NOT NULL DEFAULT ''",
    # The last whole syncs of each app: see hub.core.views.synced. `token` names the newest.
    "CREATE TABLE synced (app TEXT PRIMARY KEY, token TEXT NOT NULL, entries TEXT NOT NULL) WITHOUT ROWID",
    # What `status.summary` tells of a bundle, as JSON; bundles of which there is nothing to tell have no row.
    "CREATE TABLE summaries (bundle TEXT PRIMARY KEY, body TEXT NOT NULL) WITHOUT ROWID",
]

CAUSE_TABLES = [
    # What bundles of Applications with several sources were made from: [repository, revision asked for, commit] of each.
    """CREATE TABLE provenance (
        app TEXT NOT NULL, bundle TEXT NOT NULL, sources TEXT NOT NULL, PRIMARY KEY (app, bundle)
    ) WITHOUT ROWID""",
    # Who made the commits that were rendered lately.
    "CREATE TABLE authors (commit_id TEXT PRIMARY KEY, author TEXT NOT NULL, noted REAL NOT NULL)",
    # Digest of a bundle's objects without the images of their containers, "" where there are none.
    "ALTER TABLE bundles ADD COLUMN shape TEXT NOT NULL DEFAULT ''",
]

PRUNE_TABLES = [
    # Releases that would prune more of an Application's objects than its cap permits: `bundle` is what it would have,
    # `removal` the name of the Removal that decides, `reason` why it waits.
    """CREATE TABLE prunes (
        app TEXT PRIMARY KEY, bundle TEXT NOT NULL, removal TEXT NOT NULL, reason TEXT NOT NULL
    ) WITHOUT ROWID""",
]

API_TABLES = [
    # The APIs that clusters serve, each list once, whoever serves it: see argosy.apis.
    "CREATE TABLE served_apis (digest TEXT PRIMARY KEY, apis TEXT NOT NULL) WITHOUT ROWID",
]

TOKEN_TABLES = [
    # The ApiToken that a bearer token belongs to, "" for none: it ends with it.
    "ALTER TABLE api_tokens ADD COLUMN token_id TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX api_tokens_token ON api_tokens (token_id)",
]

EVENT_TABLES = [
    # The Event that says the same already, so that it is counted there.
    "CREATE TABLE event_names (said TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID",
]

LOSS_TABLES = [
    # Which Removal an Application goes by.
    "CREATE INDEX removal_apps_app ON removal_apps (app)",
]

BEREFT_TABLES = [
    # Clusters that lost an application of `owner` (uid) just now by a removal that nobody was asked about.
    """CREATE TABLE bereft (
        removal TEXT NOT NULL, cluster TEXT NOT NULL, owner TEXT NOT NULL, time REAL NOT NULL,
        PRIMARY KEY (removal, cluster)
    ) WITHOUT ROWID""",
]

HANDING_TABLES = [
    # Objects (by key) that left the bundle of `app`, and that another app of the cluster is to get.
    """CREATE TABLE handing (
        cluster TEXT NOT NULL, app TEXT NOT NULL, key TEXT NOT NULL, cause TEXT NOT NULL, PRIMARY KEY (cluster, app, key)
    ) WITHOUT ROWID""",
    "CREATE INDEX app_states_cluster ON app_states (cluster)",
]
