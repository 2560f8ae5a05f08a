"""Health of volumes, object storage, backups and virtual machines."""

from __future__ import annotations

from argosy.health.base import (
    Found,
    degraded,
    healthy,
    is_set,
    mapping,
    progressing,
    spec,
    status,
    suspended,
    text,
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
    requiring,
    rows,
    state,
    waiting,
)
from argosy.objects import Manifest


def _ceph_cluster(live: Manifest) -> Found:
    """Rook: what Ceph says of itself counts once the cluster is made."""
    now = status(live)
    health, stage = mapping(now, "ceph").get("health"), now.get("state")
    said = text(now, "message")
    if not now:
        return waiting(live)
    if health in ("HEALTH_ERR", "HEALTH_WARN") or (health == "HEALTH_OK" and stage == "Error"):
        return degraded(f"Ceph health is {health} - {said}")
    if health == "HEALTH_OK" and stage in (None, "Created", "Connected"):
        return healthy(f"Ceph health is {health} - {said}")
    return progressing(said)


_object_store = by_phase("phase", {"Ready": HEALTHY, "Failure": DEGRADED})
_bucket_claim = by_phase("phase", {"Bound": HEALTHY, "Failed": DEGRADED})
_storage_cluster = by_conditions(
    When("Available", "True", HEALTHY),
    before=(When("Degraded", "True", DEGRADED), When("Progressing", "True", PROGRESSING)),
    otherwise=UNKNOWN,
    without=UNKNOWN,
)


def _volume_snapshot(live: Manifest) -> Found:
    now = status(live)
    if is_set(now.get("readyToUse")):
        return healthy("Ready to use")
    error = now.get("error")
    return degraded(str(error)) if error is not None else progressing("Waiting for the snapshot")


_VOLUME = by_phase(
    "phase",
    {"Succeeded": HEALTHY, "Failed": DEGRADED, "Unknown": DEGRADED, "Paused": SUSPENDED},
)


def _data_volume(live: Manifest) -> Found:
    """CDI: the importer is restarted for ever; it says in the condition Running that it fails."""
    found = _VOLUME(live)
    running = find(live, "Running")
    failed = running is not None and (running.state, running.reason) == ("False", "Error")
    if running is not None and failed and found.status is PROGRESSING:
        return degraded(running.message)
    return found


def _virtual_machine(live: Manifest) -> Found:
    """KubeVirt: stopped is well where it was asked for, else it means that somebody stopped it."""
    now, wants = status(live), spec(live)
    ready = find(live, "Ready")
    up = ready is not None and ready.state == "True"
    down = wants.get("running") is False or wants.get("runStrategy") == "Halted"
    created = is_set(now.get("created"))
    if down and not created:
        return healthy("Stopped as declared")
    if state(live, "Paused") == "True":
        return suspended("Paused")
    if up:
        return healthy("Running")
    if not created and ready is not None:
        return suspended("Stopped")
    word = now.get("printableStatus")
    return progressing(word if isinstance(word, str) else "No status available")


def _virtual_machine_instance(live: Manifest) -> Found:
    """The phase as long as it is not the one of running; then the conditions."""
    phase = status(live).get("phase")
    ready, paused = find(live, "Ready"), find(live, "Paused")
    answers = {
        **dict.fromkeys(("Pending", "Scheduling", "Scheduled"), progressing),
        "Succeeded": suspended,
        "Failed": degraded,
        "Unknown": unknown,
    }
    if phase in answers:
        return answers[phase](str(phase))
    if paused is not None and paused.state == "True":
        return suspended(paused.message)
    if ready is None:
        return progressing("No status available")
    return healthy("Running") if ready.state == "True" else degraded(ready.message)


_trident = by_phase("status", {"Installed": HEALTHY, "Failed": DEGRADED, "Error": DEGRADED})


def _trident_backend(live: Manifest) -> Found:
    now = status(live)
    last = now.get("lastOperationStatus")
    if last == "Failed":
        return degraded(text(now, "message"))
    if last == "Success" and now.get("phase") == "Bound":
        return healthy(text(now, "message"))
    return progressing("Waiting for backend creation")


_astra_run = by_phase("state", {"Completed": HEALTHY, "Running": PROGRESSING}, otherwise=DEGRADED)
_astra_ready = by_conditions(
    When("Ready", "True", HEALTHY), When("Ready", "False", DEGRADED, says=("message",))
)
_astra_protected = requiring(_astra_ready, "status.protectionState")


def _astra_application(live: Manifest) -> Found:
    """That it is ready is told with the state of its protection."""
    return _astra_protected(live) if state(live, "Ready") == "True" else _astra_ready(live)


def _astra_hook(live: Manifest) -> Found:
    enabled = spec(live).get("enabled")
    if not isinstance(enabled, bool):
        return waiting(live)
    return healthy("ExecHook enabled") if enabled else suspended("ExecHook disabled")


def _astra_schedule(live: Manifest) -> Found:
    last = status(live).get("lastScheduleTime")
    return healthy(f"lastScheduleTime: {last}" if last else "Protection policy not yet executed")


_VELERO = {
    "Completed": HEALTHY,
    "Failed": DEGRADED,
    "PartiallyFailed": DEGRADED,
    "FinalizingPartiallyFailed": DEGRADED,
    "WaitingForPluginOperationsPartiallyFailed": DEGRADED,
    "FailedValidation": DEGRADED,
}
_velero = by_phase("phase", _VELERO, message="failureReason")
_velero_schedule = by_phase("phase", {"Enabled": HEALTHY, "FailedValidation": DEGRADED})

CHECKS: Rows = {
    **rows("ceph.rook.io", _ceph_cluster, "CephCluster"),
    **rows("ceph.rook.io", _object_store, "CephObjectStore"),
    **rows("objectbucket.io", _bucket_claim, "ObjectBucketClaim"),
    **rows("ocs.openshift.io", _storage_cluster, "StorageCluster"),
    **rows("snapshot.storage.k8s.io", _volume_snapshot, "VolumeSnapshot", "VolumeSnapshotContent"),
    **rows("cdi.kubevirt.io", _data_volume, "DataVolume"),
    **rows("kubevirt.io", _virtual_machine, "VirtualMachine"),
    **rows("kubevirt.io", _virtual_machine_instance, "VirtualMachineInstance"),
    **rows("trident.netapp.io", _trident, "TridentOrchestrator"),
    **rows("trident.netapp.io", _trident_backend, "TridentBackendConfig"),
    **rows(
        "astra.netapp.io",
        _astra_run,
        "Backup",
        "ExecHooksRun",
        "ResourceBackup",
        "ResticVolumeBackup",
        "Snapshot",
    ),
    **rows(
        "astra.netapp.io",
        by_phase(
            "state", {"available": HEALTHY, "Available": HEALTHY, "failed": DEGRADED, "Failed": DEGRADED}
        ),
        "AppVault",
    ),
    **rows("astra.netapp.io", _astra_application, "Application"),
    **rows("astra.netapp.io", _astra_hook, "ExecHook"),
    **rows("astra.netapp.io", _astra_schedule, "Schedule"),
    **rows("velero.io", _velero, "Backup", "Restore"),
    **rows("velero.io", _velero_schedule, "Schedule"),
}
