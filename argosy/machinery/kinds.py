"""What a write needs to know of a kind: its names, scope, shape and habits. The built-in kinds, and kinds of CRDs."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from argosy.machinery import names, schema, typed_form
from argosy.machinery.schema import Type
from argosy.objects import Manifest


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """One kind at one version. Compared by identity: make it once and keep it."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool
    type: Type
    """Its shape for ownership and merging."""
    structural: dict[str, Any] | None = None
    """Its OpenAPI v3 schema; None for a built-in kind, which is read by `type` alone, and for an unknown one."""
    status: bool = False
    """It has a `/status` subresource: main writes leave `status` alone, status writes all else."""
    generation: bool = True
    """`metadata.generation` counts changes outside metadata (and status, where that is a subresource)."""
    custom: bool = True
    """It behaves like a custom resource: an update must say its resourceVersion, no strategic merge patch."""
    name_check: names.Check = names.dns_subdomain
    put_creates: bool = False
    """A PUT to a name that is free creates the object."""
    blank: Manifest = field(default_factory=dict)
    """The parts every object of the kind has, be they empty."""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()

    @property
    def api_version(self) -> str:
        """`apps/v1`, or `v1` for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def list_kind(self) -> str:
        """The kind of its lists."""
        return f"{self.kind}List"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a request goes: the object's address in the URL. `name` is "" for a create; `subresource` "" or "status"."""

    kind: Kind
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def custom(
    group: str,
    version: str,
    kind: str,
    plural: str,
    structural: dict[str, Any],
    *,
    namespaced: bool = True,
    status: bool = False,
    short_names: Iterable[str] = (),
    categories: Iterable[str] = (),
) -> Kind:
    """A kind described by a structural schema: one of the hub's own, or a CRD's."""
    return Kind(
        group,
        version,
        kind,
        plural,
        namespaced,
        schema.from_structural(structural),
        structural,
        status=status,
        short_names=tuple(short_names),
        categories=tuple(categories),
    )


def from_crd(crd: Manifest) -> list[Kind]:
    """The kinds a CustomResourceDefinition (v1) serves, one per served version. Raises `KeyError` for a broken one."""
    spec = crd["spec"]
    out = []
    for version in spec["versions"]:
        if not version.get("served", True):
            continue
        structural = ((version.get("schema") or {}).get("openAPIV3Schema")) or {
            "type": "object",
            "x-kubernetes-preserve-unknown-fields": True,
        }
        out.append(
            custom(
                spec["group"],
                version["name"],
                spec["names"]["kind"],
                spec["names"]["plural"],
                structural,
                namespaced=spec.get("scope") == "Namespaced",
                status="status" in (version.get("subresources") or {}),
                short_names=spec["names"].get("shortNames") or (),
                categories=spec["names"].get("categories") or (),
            )
        )
    return out


_BUILTIN = """\
v1 ConfigMap configmaps - cm
v1 Secret secrets -
v1 Namespace namespaces cluster,status ns
v1 Service services status svc
v1 ServiceAccount serviceaccounts - sa
v1 Pod pods status,generation po
v1 PodTemplate podtemplates generation
v1 ReplicationController replicationcontrollers status,generation rc
v1 PersistentVolume persistentvolumes cluster,status pv
v1 PersistentVolumeClaim persistentvolumeclaims status pvc
v1 Node nodes cluster,status no
v1 Event events - ev
v1 Endpoints endpoints - ep
v1 LimitRange limitranges - limits
v1 ResourceQuota resourcequotas status quota
apps/v1 Deployment deployments status,generation deploy
apps/v1 StatefulSet statefulsets status,generation sts
apps/v1 DaemonSet daemonsets status,generation ds
apps/v1 ReplicaSet replicasets status,generation rs
apps/v1 ControllerRevision controllerrevisions -
batch/v1 Job jobs status,generation
batch/v1 CronJob cronjobs status,generation cj
networking.k8s.io/v1 Ingress ingresses status,generation ing
networking.k8s.io/v1 IngressClass ingressclasses cluster,generation
networking.k8s.io/v1 NetworkPolicy networkpolicies generation netpol
rbac.authorization.k8s.io/v1 Role roles -
rbac.authorization.k8s.io/v1 RoleBinding rolebindings -
rbac.authorization.k8s.io/v1 ClusterRole clusterroles cluster
rbac.authorization.k8s.io/v1 ClusterRoleBinding clusterrolebindings cluster
policy/v1 PodDisruptionBudget poddisruptionbudgets status,generation pdb
autoscaling/v2 HorizontalPodAutoscaler horizontalpodautoscalers status,generation hpa
storage.k8s.io/v1 StorageClass storageclasses cluster sc
storage.k8s.io/v1 VolumeAttachment volumeattachments cluster,status
storage.k8s.io/v1 CSIDriver csidrivers cluster
scheduling.k8s.io/v1 PriorityClass priorityclasses cluster,generation pc
coordination.k8s.io/v1 Lease leases -
discovery.k8s.io/v1 EndpointSlice endpointslices generation
admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration validatingwebhookconfigurations cluster,generation
admissionregistration.k8s.io/v1 MutatingWebhookConfiguration mutatingwebhookconfigurations cluster,generation
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicy validatingadmissionpolicies cluster,status,generation
admissionregistration.k8s.io/v1 ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings cluster,generation
apiextensions.k8s.io/v1 CustomResourceDefinition customresourcedefinitions cluster,status,generation crd,crds
"""

_NAME_CHECKS = {
    "namespaces": names.dns_label,
    "services": names.dns_1035_label,
    "roles": names.path_segment,
    "rolebindings": names.path_segment,
    "clusterroles": names.path_segment,
    "clusterrolebindings": names.path_segment,
}

_PUT_CREATES = frozenset(
    (
        "services",
        "endpoints",
        "events",
        "limitranges",
        "podtemplates",
        "leases",
        "roles",
        "rolebindings",
        "clusterroles",
        "clusterrolebindings",
    )
)


def _type_name(group: str, version: str, kind: str) -> str:
    if not group:
        return kind
    return f"{group.split('.')[0]}.{version}.{kind}"


@functools.cache
def builtin() -> tuple[Kind, ...]:
    """The built-in kinds; one table for the whole process."""
    out = []
    for line in _BUILTIN.splitlines():
        api_version, kind, plural, flags, *rest = line.split()
        group, _, version = api_version.rpartition("/")
        found = schema.builtin(_type_name(group, version, kind))
        out.append(
            Kind(
                group,
                version,
                kind,
                plural,
                "cluster" not in flags,
                found or schema.DEDUCED,
                status="status" in flags,
                generation="generation" in flags,
                custom=False,
                name_check=_NAME_CHECKS.get(plural, names.dns_subdomain),
                put_creates=plural in _PUT_CREATES,
                blank=typed_form.blank(found) if found else {},
                short_names=tuple(rest[0].split(",")) if rest else (),
            )
        )
    return tuple(out)
