"""The defaults a real API server fills in for the commonest built-in kinds.

They matter to whoever compares a manifest with a live object: a bare container comes back with a dozen more fields.
Only kinds people deploy by hand are covered; all others come back as they were sent.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from argosy.objects import Manifest

_Object = dict[str, Any]


def fill(api_version: str, kind: str, manifest: Manifest) -> Manifest:
    """The object with the defaults of its kind; the argument is not changed."""
    filler = _FILLERS.get((api_version, kind))
    if filler is None:
        return manifest
    spec = manifest.get("spec")
    if not isinstance(spec, dict) and kind not in _WITHOUT_SPEC:
        return manifest
    return filler(manifest)


def _over(defaults: _Object, given: Any) -> _Object:
    return {**defaults, **(given or {})}


def _with_spec(manifest: Manifest, spec: _Object) -> Manifest:
    return {**manifest, "spec": spec}


def _probe(probe: Any) -> Any:
    if not isinstance(probe, dict):
        return probe
    out = _over(
        {"timeoutSeconds": 1, "periodSeconds": 10, "successThreshold": 1, "failureThreshold": 3}, probe
    )
    if isinstance(out.get("httpGet"), dict):
        out["httpGet"] = _over({"path": "/", "scheme": "HTTP"}, out["httpGet"])
    return out


def _pull_policy(image: str) -> str:
    name = image.rpartition("/")[2]
    if "@" in name:
        return "IfNotPresent"
    tag = name.partition(":")[2]
    return "Always" if tag in ("", "latest") else "IfNotPresent"


def _container(container: Any) -> Any:
    if not isinstance(container, dict):
        return container
    out = _over(
        {
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": _pull_policy(str(container.get("image") or "")),
        },
        container,
    )
    if isinstance(out.get("ports"), list):
        out["ports"] = [_over({"protocol": "TCP"}, port) for port in out["ports"]]
    for name in ("livenessProbe", "readinessProbe", "startupProbe"):
        if name in out:
            out[name] = _probe(out[name])
    if isinstance(out.get("env"), list):
        out["env"] = [_environment(each) for each in out["env"]]
    return out


def _environment(entry: Any) -> Any:
    source = entry.get("valueFrom") if isinstance(entry, dict) else None
    if isinstance(source, dict) and isinstance(source.get("fieldRef"), dict):
        return {**entry, "valueFrom": {**source, "fieldRef": _over({"apiVersion": "v1"}, source["fieldRef"])}}
    return entry


_VOLUME_MODES = ("configMap", "secret", "downwardAPI", "projected")


def _volume(volume: Any) -> Any:
    if not isinstance(volume, dict):
        return volume
    out = dict(volume)
    for source in _VOLUME_MODES:
        if isinstance(out.get(source), dict):
            out[source] = _over({"defaultMode": 420}, out[source])
    if isinstance(out.get("hostPath"), dict):
        out["hostPath"] = _over({"type": ""}, out["hostPath"])
    if len(out) == 1 and "name" in out:
        out["emptyDir"] = {}
    return out


def _pod_spec(spec: Any, *, restart: str | None = "Always") -> Any:
    if not isinstance(spec, dict):
        return spec
    basics: _Object = {
        "terminationGracePeriodSeconds": 30,
        "dnsPolicy": "ClusterFirst",
        "securityContext": {},
        "schedulerName": "default-scheduler",
    }
    if restart:
        basics["restartPolicy"] = restart
    out = _over(basics, spec)
    for name in ("containers", "initContainers"):
        if isinstance(out.get(name), list):
            out[name] = [_container(each) for each in out[name]]
    if isinstance(out.get("volumes"), list):
        out["volumes"] = [_volume(each) for each in out["volumes"]]
    if out.get("serviceAccountName") and not out.get("serviceAccount"):
        out["serviceAccount"] = out["serviceAccountName"]
    return out


def _template(spec: _Object, *, restart: str | None = "Always") -> _Object:
    template = spec.get("template")
    if not isinstance(template, dict):
        return spec
    template = {**template, "spec": _pod_spec(template.get("spec") or {}, restart=restart)}
    template.setdefault("metadata", {})
    return {**spec, "template": template}


def _deployment(manifest: Manifest) -> Manifest:
    spec = _over(
        {"replicas": 1, "revisionHistoryLimit": 10, "progressDeadlineSeconds": 600},
        _template(manifest["spec"]),
    )
    strategy = _over({"type": "RollingUpdate"}, spec.get("strategy"))
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = _over(
            {"maxUnavailable": "25%", "maxSurge": "25%"}, strategy.get("rollingUpdate")
        )
    spec["strategy"] = strategy
    return _with_spec(manifest, spec)


def _stateful_set(manifest: Manifest) -> Manifest:
    given = _template(manifest["spec"])
    spec = _over({"replicas": 1, "revisionHistoryLimit": 10, "podManagementPolicy": "OrderedReady"}, given)
    strategy = _over({"type": "RollingUpdate"}, spec.get("updateStrategy"))
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = _over(
            {"partition": 0, "maxUnavailable": 1}, strategy.get("rollingUpdate")
        )
    spec["updateStrategy"] = strategy
    retention = {"whenDeleted": "Retain", "whenScaled": "Retain"}
    spec["persistentVolumeClaimRetentionPolicy"] = _over(
        retention, spec.get("persistentVolumeClaimRetentionPolicy")
    )
    if isinstance(spec.get("volumeClaimTemplates"), list):
        spec["volumeClaimTemplates"] = [
            {
                **_over({"kind": "PersistentVolumeClaim", "apiVersion": "v1"}, claim),
                "spec": _over({"volumeMode": "Filesystem"}, claim.get("spec")),
                "status": _over({"phase": "Pending"}, claim.get("status")),
            }
            for claim in spec["volumeClaimTemplates"]
        ]
    return _with_spec(manifest, spec)


def _daemon_set(manifest: Manifest) -> Manifest:
    spec = _over({"revisionHistoryLimit": 10}, _template(manifest["spec"]))
    strategy = _over({"type": "RollingUpdate"}, spec.get("updateStrategy"))
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = _over({"maxUnavailable": 1, "maxSurge": 0}, strategy.get("rollingUpdate"))
    spec["updateStrategy"] = strategy
    return _with_spec(manifest, spec)


def _replica_set(manifest: Manifest) -> Manifest:
    return _with_spec(manifest, _over({"replicas": 1}, _template(manifest["spec"])))


def _job_spec(spec: _Object) -> _Object:
    basics: _Object = {
        "completionMode": "NonIndexed",
        "suspend": False,
        "backoffLimit": 6,
        "manualSelector": False,
        "podReplacementPolicy": "TerminatingOrFailed",
        "parallelism": 1,
    }
    if "completions" not in spec and "parallelism" not in spec:
        basics["completions"] = 1
    return _over(basics, _template(spec, restart=None))


def _job(manifest: Manifest) -> Manifest:
    return _with_spec(manifest, _job_spec(manifest["spec"]))


def _cron_job(manifest: Manifest) -> Manifest:
    basics = {
        "concurrencyPolicy": "Allow", "suspend": False, "successfulJobsHistoryLimit": 3, "failedJobsHistoryLimit": 1,
    }  # fmt: skip
    spec = _over(basics, manifest["spec"])
    template = spec.get("jobTemplate")
    if isinstance(template, dict):
        inner = _template(template.get("spec") or {}, restart=None)
        spec["jobTemplate"] = {"metadata": {}, **template, "spec": inner}
    return _with_spec(manifest, spec)


def _pod(manifest: Manifest) -> Manifest:
    spec = _over({"enableServiceLinks": True}, _pod_spec(manifest["spec"]))
    return _with_spec(manifest, spec)


def _service(manifest: Manifest) -> Manifest:
    spec = _over({"sessionAffinity": "None", "type": "ClusterIP"}, manifest["spec"])
    kind = spec["type"]
    if kind != "ExternalName":
        spec.setdefault("internalTrafficPolicy", "Cluster")
    if kind in ("LoadBalancer", "NodePort"):
        spec.setdefault("externalTrafficPolicy", "Cluster")
    if kind == "LoadBalancer":
        spec.setdefault("allocateLoadBalancerNodePorts", True)
    if isinstance(spec.get("ports"), list):
        spec["ports"] = [_service_port(port) for port in spec["ports"]]
    return _with_spec(manifest, spec)


def _service_port(port: Any) -> Any:
    if not isinstance(port, dict):
        return port
    out = _over({"protocol": "TCP"}, port)
    if not out.get("targetPort"):
        out["targetPort"] = out.get("port")
    return out


def _claim(manifest: Manifest) -> Manifest:
    return _with_spec(manifest, _over({"volumeMode": "Filesystem"}, manifest["spec"]))


def _namespace(manifest: Manifest) -> Manifest:
    metadata = manifest.get("metadata") or {}
    if not metadata.get("name"):
        return manifest
    labels = {**(metadata.get("labels") or {}), "kubernetes.io/metadata.name": metadata["name"]}
    return {**manifest, "metadata": {**metadata, "labels": labels}}


def _scaler(manifest: Manifest) -> Manifest:
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    spec = _over({"minReplicas": 1, "metrics": [{"type": "Resource", "resource": cpu}]}, manifest["spec"])
    return _with_spec(manifest, spec)


def _priority_class(manifest: Manifest) -> Manifest:
    return _over({"preemptionPolicy": "PreemptLowerPriority"}, manifest)


def _storage_class(manifest: Manifest) -> Manifest:
    return _over({"reclaimPolicy": "Delete", "volumeBindingMode": "Immediate"}, manifest)


def _secret(manifest: Manifest) -> Manifest:
    out = _over({"type": "Opaque"}, manifest)
    plain = out.pop("stringData", None)
    if isinstance(plain, dict) and plain:
        encoded = {name: base64.b64encode(str(value).encode()).decode() for name, value in plain.items()}
        out["data"] = _over(out.get("data") or {}, encoded)
    return out


def _network_policy(manifest: Manifest) -> Manifest:
    spec = dict(manifest["spec"])
    if not spec.get("policyTypes"):
        spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    return _with_spec(manifest, spec)


_RBAC = "rbac.authorization.k8s.io"


def _binding(manifest: Manifest) -> Manifest:
    out = dict(manifest)
    if isinstance(out.get("roleRef"), dict):
        out["roleRef"] = {**out["roleRef"], "apiGroup": out["roleRef"].get("apiGroup") or _RBAC}
    if isinstance(out.get("subjects"), list):
        out["subjects"] = [
            _over({"apiGroup": _RBAC}, each) if each.get("kind") in ("User", "Group") else each
            for each in out["subjects"]
        ]
    return out


def _definition(manifest: Manifest) -> Manifest:
    spec = _over({"conversion": {"strategy": "None"}}, manifest["spec"])
    named = spec.get("names")
    if isinstance(named, dict) and named.get("kind"):
        basics = {"singular": named["kind"].lower(), "listKind": f"{named['kind']}List"}
        spec["names"] = _over(basics, named)
    return _with_spec(manifest, spec)


_FILLERS: dict[tuple[str, str], Callable[[Manifest], Manifest]] = {
    ("apps/v1", "Deployment"): _deployment,
    ("apps/v1", "StatefulSet"): _stateful_set,
    ("apps/v1", "DaemonSet"): _daemon_set,
    ("apps/v1", "ReplicaSet"): _replica_set,
    ("batch/v1", "Job"): _job,
    ("batch/v1", "CronJob"): _cron_job,
    ("v1", "Pod"): _pod,
    ("v1", "Service"): _service,
    ("v1", "PersistentVolumeClaim"): _claim,
    ("v1", "Secret"): _secret,
    ("v1", "Namespace"): _namespace,
    ("autoscaling/v2", "HorizontalPodAutoscaler"): _scaler,
    ("scheduling.k8s.io/v1", "PriorityClass"): _priority_class,
    ("storage.k8s.io/v1", "StorageClass"): _storage_class,
    ("networking.k8s.io/v1", "NetworkPolicy"): _network_policy,
    (f"{_RBAC}/v1", "RoleBinding"): _binding,
    (f"{_RBAC}/v1", "ClusterRoleBinding"): _binding,
    ("apiextensions.k8s.io/v1", "CustomResourceDefinition"): _definition,
}
_WITHOUT_SPEC = frozenset(
    ("Secret", "Namespace", "RoleBinding", "ClusterRoleBinding", "PriorityClass", "StorageClass")
)
