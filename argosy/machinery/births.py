"""What a real API server gives an object once, at its creation, and what an update keeps of it.

A Service's addresses, a Job's selector, the first status of pods and claims.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

from argosy.objects import Manifest


def on_change(api_version: str, kind: str, live: Manifest, new: Manifest) -> Manifest:
    """What an update that does not say it keeps of the live object: the addresses of a Service."""
    if (api_version, kind) != ("v1", "Service"):
        return new
    spec, before = new.get("spec") or {}, live.get("spec") or {}
    if spec.get("type") == "ExternalName":
        return new
    kept = {
        name: before[name]
        for name in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy")
        if name in before and name not in spec
    }
    return {**new, "spec": {**spec, **kept}} if kept else new


def _service_at_birth(manifest: Manifest) -> Manifest:
    """Addresses come from the object's uid: a made-up but stable allocation in 10.96.0.0/12."""
    spec = dict(manifest["spec"])
    if spec.get("type") == "ExternalName":
        return manifest
    number = zlib.crc32(str(manifest["metadata"].get("uid")).encode())
    address = spec.setdefault(
        "clusterIP", f"10.{96 + number % 16}.{number >> 8 & 255}.{number >> 16 & 253 | 1}"
    )
    spec.setdefault("clusterIPs", [address])
    both = address == "None" and not spec.get("selector")
    spec.setdefault("ipFamilies", ["IPv4", "IPv6"] if both else ["IPv4"])
    spec.setdefault("ipFamilyPolicy", "RequireDualStack" if both else "SingleStack")
    if spec.get("type") in ("NodePort", "LoadBalancer"):
        spec["ports"] = [
            {"nodePort": 30000 + (number + index) % 2768, **(port or {})}
            for index, port in enumerate(spec["ports"])
        ]
    return {**manifest, "spec": spec}


def at_birth(api_version: str, kind: str, manifest: Manifest) -> Manifest:
    """What only the creation of an object gives it. Its status is the empty one of its kind."""
    birth = _BIRTHS.get((api_version, kind))
    return birth(manifest) if birth is not None else manifest


def _namespace_at_birth(manifest: Manifest) -> Manifest:
    spec = {"finalizers": ["kubernetes"], **(manifest.get("spec") or {})}
    return {**manifest, "spec": spec, "status": {"phase": "Active"}}


def _pod_at_birth(manifest: Manifest) -> Manifest:
    return {**manifest, "status": {"phase": "Pending", "qosClass": "BestEffort"}}


def _claim_at_birth(manifest: Manifest) -> Manifest:
    return {**manifest, "status": {"phase": "Pending"}}


def _job_at_birth(manifest: Manifest) -> Manifest:
    """A Job selects its pods by its own uid, unless it says how."""
    spec, metadata = manifest["spec"], manifest["metadata"]
    if spec.get("manualSelector"):
        return manifest
    uid, name = metadata["uid"], metadata["name"]
    prefix = "batch.kubernetes.io/"
    labels = {
        "controller-uid": uid,
        "job-name": name,
        f"{prefix}controller-uid": uid,
        f"{prefix}job-name": name,
    }
    template = spec.get("template") or {}
    inner = template.get("metadata") or {}
    inner = {**inner, "labels": {**(inner.get("labels") or {}), **labels}}
    spec = {
        **spec,
        "selector": {"matchLabels": {f"{prefix}controller-uid": uid}},
        "template": {**template, "metadata": inner},
    }
    own = {**labels, **(metadata.get("labels") or {})} if metadata.get("labels") else labels
    return {**manifest, "metadata": {**metadata, "labels": own}, "spec": spec}


_BIRTHS: dict[tuple[str, str], Callable[[Manifest], Manifest]] = {
    ("v1", "Namespace"): _namespace_at_birth,
    ("v1", "Service"): _service_at_birth,
    ("v1", "Pod"): _pod_at_birth,
    ("v1", "PersistentVolumeClaim"): _claim_at_birth,
    ("batch/v1", "Job"): _job_at_birth,
}
