"""Health of message brokers: Strimzi, Confluent, Koperator, RabbitMQ."""

from __future__ import annotations

from argosy.health.base import (
    Found,
    degraded,
    healthy,
    mapping,
    progressing,
    spec,
    status,
    suspended,
    text,
)
from argosy.health.rules import (
    DEGRADED,
    HEALTHY,
    PROGRESSING,
    UNKNOWN,
    Rows,
    When,
    by_conditions,
    by_phase,
    find,
    only,
    rows,
    state,
    waiting,
)
from argosy.objects import Manifest

_strimzi = by_conditions(When("NotReady", "True", DEGRADED), When("Ready", "True", HEALTHY))
_strimzi_cluster = by_conditions(
    When("NotReady", "True", PROGRESSING, only("Creating")),
    When("NotReady", "True", DEGRADED),
    When("Ready", "True", HEALTHY),
)
"""Strimzi's conditions are there or are not: one that is False says nothing."""

_confluent = by_phase("phase", {"RUNNING": HEALTHY})


def _connector(live: Manifest) -> Found:
    """Confluent: the custom resource's state, the connector's and its tasks'."""
    now = status(live)
    if now.get("state") is None:
        return waiting(live)
    failed = now.get("failedTasksCount")
    if isinstance(failed, int) and failed > 0:
        return degraded("Connector has failed tasks")
    if now["state"] == "CREATED" and now.get("connectorState") == "RUNNING" and failed is None:
        return healthy("Connector running")
    if now["state"] == "ERROR":
        conditions = now.get("conditions") or [{}]
        return degraded(text(conditions[0], "message"))
    return progressing(f"Connector {now['state']}")


def _kafka_cluster(live: Manifest) -> Found:
    """Koperator: the cluster's own state, and each broker's configuration and place in Cruise Control."""
    now = status(live)
    cluster, brokers = now.get("state"), mapping(now, "brokersState")
    if cluster is None or not brokers:
        return waiting(live)
    if cluster == "ClusterRollingUpgrading":
        return progressing("Kafka cluster is rolling upgrading")
    for name in brokers:
        broker = mapping(brokers, name)
        place = mapping(broker, "gracefulActionState").get("cruiseControlState")
        if broker.get("configurationState") != "ConfigInSync" or place not in _SETTLED:
            return degraded("A broker's configuration is out of sync, or Cruise Control is not ready")
    if cluster == "ClusterReconciling":
        return progressing("Kafka cluster is reconciling")
    if cluster == "ClusterRunning" and now.get("cruiseControlTopicStatus") == "CruiseControlTopicReady":
        return healthy("Kafka brokers, Cruise Control and the cluster are well")
    return waiting(live)


_SETTLED = ("GracefulUpscaleSucceeded", "GracefulDownscaleSucceeded", "GracefulUpscaleRequired")

_rabbitmq_object = by_conditions(
    When("Ready", "True", HEALTHY, only("SuccessfulCreateOrUpdate")),
    When("Ready", "False", DEGRADED, only("FailedCreateOrUpdate")),
    otherwise=UNKNOWN,
    without=UNKNOWN,
)
"""The topology operator's objects: queues, users, policies."""


def _rabbitmq(live: Manifest) -> Found:
    reconciled, replicas = find(live, "ReconcileSuccess"), find(live, "AllReplicasReady")
    if reconciled is not None and reconciled.state == "False":
        return degraded(reconciled.message)
    available = state(live, "ClusterAvailable")
    if replicas is None:
        return progressing("Waiting for the RabbitMQ cluster")
    if replicas.state == "False":
        if (
            spec(live).get("replicas") == 0
            and replicas.reason == "ScaledToZero"
            and available in ("", "False")
        ):
            return suspended("RabbitmqCluster is scaled to 0 replicas")
        return progressing("Waiting for RabbitMQ instances to be ready")
    if replicas.state == available == "True":
        return healthy("RabbitMQ cluster ready")
    return progressing("Waiting for the RabbitMQ cluster to form")


CHECKS: Rows = {
    **rows(
        "kafka.strimzi.io",
        _strimzi,
        "KafkaBridge",
        "KafkaConnect",
        "KafkaConnector",
        "KafkaTopic",
        "KafkaUser",
    ),
    **rows("kafka.strimzi.io", _strimzi_cluster, "Kafka"),
    **rows(
        "platform.confluent.io",
        _confluent,
        "Connect",
        "ControlCenter",
        "Kafka",
        "KsqlDB",
        "SchemaRegistry",
        "Zookeeper",
    ),
    **rows("platform.confluent.io", _connector, "Connector"),
    **rows("kafka.banzaicloud.io", _kafka_cluster, "KafkaCluster"),
    **rows("rabbitmq.com", _rabbitmq, "RabbitmqCluster"),
    **rows(
        "rabbitmq.com",
        _rabbitmq_object,
        "Binding",
        "Exchange",
        "Permission",
        "Policy",
        "Queue",
        "Shovel",
        "User",
        "Vhost",
    ),
}
