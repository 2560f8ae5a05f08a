"""Health of databases, search engines and caches under their operators."""

from __future__ import annotations

from collections.abc import Collection

from argosy.health.base import (
    Found,
    Malformed,
    degraded,
    healthy,
    items,
    mapping,
    number,
    present,
    progressing,
    spec,
    status,
    suspended,
    text,
    told,
    unknown,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    SUSPENDED,
    UNKNOWN,
    Rows,
    When,
    by_conditions,
    by_phase,
    find,
    once_observed,
    only,
    rows,
    state,
    waiting,
    wanted_known,
)
from argosy.objects import Manifest

_POSTGRES = by_phase(
    "phase",
    {
        "Cluster in healthy state": HEALTHY,
        "Setting up primary": PROGRESSING,
        "Creating a new replica": PROGRESSING,
        "Upgrading cluster": PROGRESSING,
        "Waiting for the instances to become active": PROGRESSING,
        "Promoting to primary cluster": PROGRESSING,
        "Applying configuration": DEGRADED,
        "Cluster upgrade delayed": DEGRADED,
        "Failing over": DEGRADED,
        "Online upgrade in progress": DEGRADED,
        "Primary instance is being restarted in-place": DEGRADED,
        "Primary instance is being restarted without a switchover": DEGRADED,
        "Switchover in progress": DEGRADED,
        "Upgrading Postgres major version": DEGRADED,
        "Waiting for user action": DEGRADED,
        "Cluster cannot execute instance online upgrade due to missing architecture binary": DEGRADED,
        "Cluster cannot proceed to reconciliation due to an unknown plugin being required": SUSPENDED,
        "Cluster has incomplete or invalid image catalog": SUSPENDED,
        "Cluster is unrecoverable and needs manual intervention": SUSPENDED,
        "Unable to create required cluster objects": SUSPENDED,
    },
    otherwise=UNKNOWN,
    absent=UNKNOWN,
    message="phaseReason",
)
"""CloudNativePG's phases are stable sentences. As in Argo CD, one in which the primary may be away is Degraded, and one
that waits for somebody is Suspended."""
HIBERNATION = "cnpg.io/hibernation"
RECONCILIATION = "cnpg.io/reconciliationLoop"


def _postgres(live: Manifest) -> Found:
    """A hibernated cluster keeps its last phase; one on the way to it, or from it, is not well."""
    now, notes = status(live), mapping(mapping(live, "metadata"), "annotations")
    if notes.get(RECONCILIATION) == "disabled":
        return suspended("Cluster reconciliation is suspended")
    if state(live, HIBERNATION) == "True":
        return suspended("Cluster has been hibernated")
    if find(live, HIBERNATION) is not None:
        return degraded("Cluster is not hibernated as it should be")
    if not present(live):
        raise Malformed("the Cluster has no status")
    if now.get("conditions") is None:
        return waiting(live)
    return _POSTGRES(live)


_BACKUP = {
    "completed": HEALTHY,
    "failed": DEGRADED,
    "walArchivingFailing": DEGRADED,
    "invalid backup definition": DEGRADED,
}


def _postgres_database(live: Manifest) -> Found:
    now = status(live)
    said = text(now, "message")
    if not isinstance(now.get("applied"), bool):
        return progressing(said or "Waiting for CloudNativePG to reconcile the Database")
    return healthy(said) if now["applied"] else degraded(said)


_zalando = by_phase(
    "PostgresClusterStatus",
    {"Running": HEALTHY, "Creating": PROGRESSING, "Updating": PROGRESSING},
    otherwise=DEGRADED,
)

_mariadb_part = by_conditions(When("Ready", "True", HEALTHY), When("Ready", "", DEGRADED))


def _mariadb(live: Manifest) -> Found:
    """Ready, and what else the operator lists; what fails says so as its reason."""
    if status(live).get("conditions") is None:
        return waiting(live)
    found = told(status(live))
    bad = next((item for item in found if item.state == "False"), None)
    if bad is None:
        return healthy(next((item.message for item in found if item.type == "Ready"), ""))
    return degraded(bad.message) if bad.reason == "Failed" else progressing(bad.message)


def _mariadb_backup(live: Manifest) -> Found:
    if status(live).get("conditions") is None:
        return waiting(live)
    for item in told(status(live)):
        item.must_say("reason", "message")
        if item.state == "False":
            failed = (item.reason, item.message) == ("CronJobScheduled", "Failed")
            said = f"{item.reason} {item.message}"
            return degraded(said) if failed else progressing(said)
    return healthy(" ".join(f"{item.reason} {item.message}" for item in told(status(live))))


_JOB = {"JobComplete": healthy, "JobFailed": degraded}


def _mariadb_job(live: Manifest) -> Found:
    """The first condition that says that the job ended; each of those before it has a reason and a message."""
    if status(live).get("conditions") is None:
        return waiting(live)
    for item in told(status(live)):
        item.must_say("reason", "message")
        if item.state == "True" and item.reason in _JOB:
            return _JOB[item.reason](f"{item.reason} {item.message}")
    return progressing("Waiting for the job to end")


_XTRADB = {"ready": HEALTHY, "initializing": PROGRESSING, "stopping": DEGRADED, "error": DEGRADED}
_xtradb = by_phase("state", _XTRADB, otherwise=UNKNOWN, absent=UNKNOWN, without=UNKNOWN)


def _percona_xtradb(live: Manifest) -> Found:
    """An error is a list of texts; every other state is told with the counts."""
    _counted(live, {word for word in _XTRADB if word != "error"})
    if status(live).get("state") == "error" and not isinstance(status(live).get("message"), list):
        raise Malformed("an error without a list of messages")
    return _xtradb(live)


def _counted(live: Manifest, states: Collection[str]) -> None:
    now = status(live)
    for name in ("ready", "size"):
        if now.get("state") in states and now.get(name) is None:
            raise Malformed(f"the status has no {name}")


_MONGODB = {
    "ready": HEALTHY,
    "initializing": PROGRESSING,
    "stopping": PROGRESSING,
    "paused": SUSPENDED,
    "error": DEGRADED,
}
_mongodb = by_phase("state", _MONGODB, otherwise=UNKNOWN, absent=UNKNOWN, without=UNKNOWN)


def _percona_mongodb(live: Manifest) -> Found:
    _counted(live, _MONGODB)
    return _mongodb(live)


def _cassandra(live: Manifest) -> Found:
    """Rook: every rack that tells both has as many members that are ready as it has members."""
    racks = mapping(status(live), "racks")
    if status(live).get("racks") is None:
        return progressing("Waiting for the Cassandra cluster")
    for name in racks:
        members, ready = (mapping(racks, name).get(count) for count in ("members", "readyMembers"))
        if None not in (members, ready) and members != ready:
            return progressing("Waiting for the Cassandra cluster")
    return healthy()


def _medusa(live: Manifest) -> Found:
    now, metadata = status(live), mapping(live, "metadata")
    observed = now.get("observedGeneration")
    if observed is None:
        return unknown("No observedGeneration")
    if observed != metadata.get("generation"):
        return progressing(f"Waiting for generation {metadata.get('generation')} to be observed")
    failed = now.get("failed") is not None and degraded("Failed nodes exist")
    done = now.get("finished") is not None and (
        healthy() if now["finished"] else progressing("Status not known yet")
    )
    first, last = (done, failed) if live["kind"] == "MedusaBackupJob" else (failed, done)
    return first or last or progressing("Status not known yet")


def _clickhouse(live: Manifest) -> Found:
    word = status(live).get("status")
    if word is None:
        return progressing("ClickHouse status not yet available")
    answers = {"Completed": healthy, "InProgress": progressing}
    return answers.get(word, degraded)(f"ClickHouse status: {word}")


_BUSY = frozenset({"ApplyingChanges", "MigratingData"})


def _elasticsearch(live: Manifest) -> Found:
    """Elastic Cloud on Kubernetes: the nodes that there are, the phase, then the colour."""
    now = status(live)
    wanted = sum(number(each, "count") for each in items(spec(live), "nodeSets"))
    there, phase, colour = now.get("availableNodes"), now.get("phase"), now.get("health")
    if isinstance(there, int) and there < wanted:
        return progressing(
            f"The desired amount of availableNodes is {wanted} but the current amount is {there}"
        )
    if there == wanted and phase in _BUSY:
        return progressing(f"Elasticsearch phase is {phase}")
    if there == wanted and phase in ("Invalid", "ResourceInvalid"):
        return degraded(f"Elasticsearch phase is {phase}")
    answers = {"green": healthy, "yellow": progressing, "red": degraded}
    if there == wanted and phase == "Ready" and colour in answers:
        return answers[colour](f"Elasticsearch Cluster status is {colour.capitalize()}")
    return unknown("Elasticsearch Cluster status is unknown")


def _beat(live: Manifest) -> Found:
    now = status(live)
    colour = now.get("health")
    if colour is None and now.get("expectedNodes") is not None:
        return progressing("Elastic Beat phase is progressing")
    if colour == "green":
        return healthy("Elastic Beat status is Green")
    if colour == "red":
        return degraded("Elastic Beat status is Red")
    return progressing("Elastic Beat is deploying") if colour == "yellow" else unknown("status is unknown")


_logstash = by_phase("health", {"green": HEALTHY, "yellow": PROGRESSING, "red": DEGRADED})


def _solr(live: Manifest) -> Found:
    nodes = items(status(live), "solrNodes")
    if status(live).get("solrNodes") is None:
        return waiting(live)
    well = all(node.get("ready") is True for node in nodes)
    return healthy("Solr is ready") if well else progressing("Not all replicas are ready")


def _zookeeper(live: Manifest) -> Found:
    now = status(live)
    if present(live) and now.get("replicas") == now.get("readyReplicas") != 0:
        return healthy("All ZK Nodes have joined the ensemble")
    return progressing("Waiting for ZK Nodes to join the ensemble")


_MINIO = {
    "Initialized": HEALTHY,
    "Different versions across MinIO Pools": DEGRADED,
    "Pool Decommissioning Not Allowed": DEGRADED,
    "Another MinIO Tenant already exists in the namespace": DEGRADED,
    "Tenant credentials are not set properly": DEGRADED,
    "Statefulset not controlled by operator": DEGRADED,
}
_minio = by_phase("currentState", _MINIO)

_atlas = by_conditions(
    When("Ready", "True", HEALTHY),
    When("Ready", "", PROGRESSING, only("Reconciling")),
    When("Ready", "", DEGRADED),
)


def _atlas_schema(live: Manifest) -> Found:
    """Atlas says in the message of a schema that it is at work."""
    ready = find(live, "Ready")
    if ready is not None and ready.state != "True":
        return (
            progressing("Reconciling")
            if ready.message in ("Reconciling", "GettingDevDB")
            else degraded(ready.message)
        )
    return _atlas(live)


CHECKS: Rows = {
    **rows("postgresql.cnpg.io", _postgres, "Cluster"),
    **rows("postgresql.cnpg.io", once_observed(_postgres_database, wanted_known), "Database"),
    **rows("postgresql.cnpg.io", by_phase("phase", _BACKUP), "Backup"),
    **rows("acid.zalan.do", _zalando, "postgresql"),
    **rows("k8s.mariadb.com", _mariadb, "MariaDB"),
    **rows("k8s.mariadb.com", _mariadb_part, "Database", "Grant", "User"),
    **rows("k8s.mariadb.com", _mariadb_backup, "Backup"),
    **rows("k8s.mariadb.com", _mariadb_job, "SqlJob"),
    **rows("mariadb.mmontes.io", _mariadb, "MariaDB"),
    **rows("pxc.percona.com", _percona_xtradb, "PerconaXtraDBCluster"),
    **rows("psmdb.percona.com", _percona_mongodb, "PerconaServerMongoDB"),
    **rows("cassandra.rook.io", _cassandra, "Cluster"),
    **rows("medusa.k8ssandra.io", _medusa, "MedusaBackupJob", "MedusaTask"),
    **rows("clickhouse.altinity.com", _clickhouse, "ClickHouseInstallation"),
    **rows("clickhouse-keeper.altinity.com", _clickhouse, "ClickHouseKeeperInstallation"),
    **rows("elasticsearch.k8s.elastic.co", _elasticsearch, "Elasticsearch"),
    **rows("beat.k8s.elastic.co", _beat, "Beat"),
    **rows("logstash.k8s.elastic.co", _logstash, "Logstash"),
    **rows("solr.apache.org", _solr, "SolrCloud"),
    **rows("zookeeper.pravega.io", _zookeeper, "ZookeeperCluster"),
    **rows("minio.min.io", _minio, "Tenant"),
    **rows("db.atlasgo.io", _atlas, "AtlasMigration"),
    **rows("db.atlasgo.io", _atlas_schema, "AtlasSchema"),
}
