"""Rules of single built-in kinds that clients meet in practice: what must be there, and what may never change.

Far from all of a real API server's validation: the ones a deployment tool must react to (immutable fields ask for
a replace; a selector that does not match; the size of a ConfigMap).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

from argosy.machinery import failure, names, typed
from argosy.machinery.failure import FieldError
from argosy.objects import Manifest

MAX_DATA = 1024 * 1024
"""Bytes of data in one ConfigMap or Secret."""


def check(kind: str, group: str, new: Manifest, live: Manifest | None) -> list[FieldError]:
    """What is wrong with an object of a built-in kind, by itself and (where there is one) after the live object."""
    rule = _RULES.get((group, kind))
    return rule(new, live) if rule is not None else []


def _spec(manifest: Manifest | None) -> dict[str, Any]:
    spec = (manifest or {}).get("spec")
    return spec if isinstance(spec, dict) else {}


def _config(new: Manifest, live: Manifest | None) -> list[FieldError]:
    out = []
    total = 0
    for part in ("data", "binaryData"):
        for key, value in (new.get(part) or {}).items():
            out += [
                failure.invalid_value(f"{part}[{key}]", key, message) for message in names.config_key(key)
            ]
            total += len(value.encode()) if isinstance(value, str) else 0
    if total > MAX_DATA:
        out.append(failure.too_long("", MAX_DATA))
    if live is not None and live.get("immutable"):
        out += _immutable_data(new, live, ("data", "binaryData"))
    return out


def _immutable_data(new: Manifest, live: Manifest, parts: tuple[str, ...]) -> list[FieldError]:
    detail = "field is immutable when `immutable` is set"
    changed = [part for part in ("immutable",) if not new.get(part)]
    changed += [part for part in parts if not typed.equal(new.get(part), live.get(part))]
    return [failure.not_allowed(part, detail) for part in changed]


def _secret(new: Manifest, live: Manifest | None) -> list[FieldError]:
    out = []
    total = 0
    for key, value in (new.get("data") or {}).items():
        out += [failure.invalid_value(f"data[{key}]", key, message) for message in names.config_key(key)]
        try:
            total += len(base64.b64decode(value, validate=True))
        except (binascii.Error, ValueError):
            out.append(failure.invalid_value(f"data[{key}]", value, "illegal base64 data"))
    if total > MAX_DATA:
        out.append(failure.too_long("data", MAX_DATA))
    if live is not None:
        if new.get("type") != live.get("type"):
            out.append(failure.invalid_value("type", new.get("type"), IMMUTABLE))
        if live.get("immutable"):
            out += _immutable_data(new, live, ("data",))
    return out


IMMUTABLE = "field is immutable"


def _fixed(new: Manifest, live: Manifest | None, *fields: str) -> list[FieldError]:
    if live is None:
        return []
    mine, theirs = _spec(new), _spec(live)
    return [
        failure.invalid_value(f"spec.{name}", mine.get(name), IMMUTABLE)
        for name in fields
        if not typed.equal(mine.get(name), theirs.get(name))
    ]


def _selected(new: Manifest) -> list[FieldError]:
    """A workload's selector must be there and match its own pods."""
    spec = _spec(new)
    selector = spec.get("selector")
    out = [] if isinstance(selector, dict) and selector else [failure.required("spec.selector")]
    labels = ((spec.get("template") or {}).get("metadata") or {}).get("labels") or {}
    wanted = (selector or {}).get("matchLabels") or {}
    if out or any(labels.get(key) != value for key, value in wanted.items()):
        detail = "`selector` does not match template `labels`"
        out.append(failure.invalid_value("spec.template.metadata.labels", labels, detail))
    return out


def _containers(new: Manifest, path: str, spec: dict[str, Any]) -> list[FieldError]:
    containers = spec.get("containers")
    if not containers:
        return [failure.required(f"{path}.containers")]
    out = []
    for index, container in enumerate(containers):
        if not container.get("name"):
            out.append(failure.required(f"{path}.containers[{index}].name"))
        if not container.get("image"):
            out.append(failure.required(f"{path}.containers[{index}].image"))
    return out


def _template_containers(new: Manifest) -> list[FieldError]:
    template = _spec(new).get("template") or {}
    return _containers(new, "spec.template.spec", template.get("spec") or {})


def _workload(new: Manifest, live: Manifest | None) -> list[FieldError]:
    out = _selected(new) + _template_containers(new) + _fixed(new, live, "selector")
    strategy = _spec(new).get("strategy") or {}
    if strategy.get("type") == "Recreate" and strategy.get("rollingUpdate"):
        detail = "may not be specified when strategy `type` is 'Recreate'"
        out.append(failure.not_allowed("spec.strategy.rollingUpdate", detail))
    return out


def _stateful_set(new: Manifest, live: Manifest | None) -> list[FieldError]:
    out = _selected(new) + _template_containers(new)
    if live is None:
        return out
    free = {
        "replicas", "ordinals", "template", "updateStrategy", "revisionHistoryLimit",
        "persistentVolumeClaimRetentionPolicy", "minReadySeconds",
    }  # fmt: skip
    mine, theirs = _spec(new), _spec(live)
    if any(not typed.equal(mine.get(name), theirs.get(name)) for name in ({*mine, *theirs} - free)):
        detail = (
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', "
            "'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden"
        )
        out.append(failure.not_allowed("spec", detail))
    return out


def _job(new: Manifest, live: Manifest | None) -> list[FieldError]:
    return _template_containers(new) + _fixed(new, live, "template", "completionMode", "selector")


def _pod(new: Manifest, live: Manifest | None) -> list[FieldError]:
    out = _containers(new, "spec", _spec(new))
    if live is None:
        return out
    if not typed.equal(_fixed_pod_spec(new), _fixed_pod_spec(live)):
        detail = (
            "pod updates may not change fields other than `spec.containers[*].image`,"
            "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing "
            "tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
        )
        out.append(failure.not_allowed("spec", detail))
    return out


def _fixed_pod_spec(manifest: Manifest) -> dict[str, Any]:
    spec = {
        name: value
        for name, value in _spec(manifest).items()
        if name not in ("activeDeadlineSeconds", "tolerations")
    }
    for name in ("containers", "initContainers"):
        if name in spec:
            spec[name] = [{**container, "image": ""} for container in spec[name]]
    return spec


def _service(new: Manifest, live: Manifest | None) -> list[FieldError]:
    spec = _spec(new)
    if not spec.get("ports") and spec.get("clusterIP") != "None" and spec.get("type") != "ExternalName":
        return [failure.required("spec.ports")]
    before = _spec(live)
    if (
        before.get("clusterIP")
        and before.get("type") != "ExternalName"
        and spec.get("type") != "ExternalName"
    ) and spec.get("clusterIP") != before["clusterIP"]:
        detail = "may not change once set"
        return [failure.invalid_value("spec.clusterIPs[0]", spec.get("clusterIP"), detail)]
    return []


def _claim(new: Manifest, live: Manifest | None) -> list[FieldError]:
    if live is None:
        return []
    mine = {name: value for name, value in _spec(new).items() if name not in ("resources", "volumeName")}
    theirs = {name: value for name, value in _spec(live).items() if name not in ("resources", "volumeName")}
    if typed.equal(mine, theirs):
        return []
    detail = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
    return [failure.not_allowed("spec", detail)]


def _binding(new: Manifest, live: Manifest | None) -> list[FieldError]:
    if live is None or typed.equal(new.get("roleRef"), live.get("roleRef")):
        return []
    return [failure.invalid_value("roleRef", new.get("roleRef"), "cannot change roleRef")]


def _storage_class(new: Manifest, live: Manifest | None) -> list[FieldError]:
    if live is None:
        return []
    fixed = ("parameters", "provisioner", "reclaimPolicy")
    changed = [name for name in fixed if not typed.equal(new.get(name), live.get(name))]
    return [failure.not_allowed(name, f"updates to {name} are forbidden.") for name in changed]


def _definition(new: Manifest, live: Manifest | None) -> list[FieldError]:
    spec = _spec(new)
    expected = f"{(spec.get('names') or {}).get('plural', '')}.{spec.get('group', '')}"
    out = []
    if new["metadata"].get("name") != expected:
        detail = 'must be spec.names.plural+"."+spec.group'
        out.append(failure.invalid_value("metadata.name", new["metadata"].get("name"), detail))
    for path, value in (("spec.group", spec.get("group")), ("spec.scope", spec.get("scope"))):
        if not value:
            out.append(failure.required(path))
    named = spec.get("names") or {}
    out += [failure.required(f"spec.names.{name}") for name in ("plural", "kind") if not named.get(name)]
    if not spec.get("versions"):
        out.append(failure.required("spec.versions"))
    if live is not None and spec.get("scope") != _spec(live).get("scope"):
        out.append(failure.invalid_value("spec.scope", spec.get("scope"), IMMUTABLE))
    return out


_RBAC = "rbac.authorization.k8s.io"
_RULES = {
    ("", "ConfigMap"): _config,
    ("", "Secret"): _secret,
    ("apps", "Deployment"): _workload,
    ("apps", "DaemonSet"): _workload,
    ("apps", "ReplicaSet"): _workload,
    ("apps", "StatefulSet"): _stateful_set,
    ("batch", "Job"): _job,
    ("", "Pod"): _pod,
    ("", "Service"): _service,
    ("", "PersistentVolumeClaim"): _claim,
    (_RBAC, "RoleBinding"): _binding,
    (_RBAC, "ClusterRoleBinding"): _binding,
    ("storage.k8s.io", "StorageClass"): _storage_class,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): _definition,
}
