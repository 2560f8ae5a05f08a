"""Which kinds live outside namespaces, for whoever must know without asking a cluster.

Kubernetes' own kinds, and those of third parties that are common in Git repositories. A kind that is neither
here nor defined by a CRD of the same app counts as namespaced; the agent, which can ask, drops a namespace
that is none.
"""

from __future__ import annotations

from collections.abc import Iterable

from argosy.objects import Manifest, split_api_version

CRD = ("apiextensions.k8s.io", "CustomResourceDefinition")

_CLUSTER_SCOPED = {
    "": "ComponentStatus Namespace Node PersistentVolume",
    "admissionregistration.k8s.io": "MutatingAdmissionPolicy MutatingAdmissionPolicyBinding "
    "MutatingWebhookConfiguration ValidatingAdmissionPolicy ValidatingAdmissionPolicyBinding "
    "ValidatingWebhookConfiguration",
    "apiextensions.k8s.io": "CustomResourceDefinition",
    "apiregistration.k8s.io": "APIService",
    "certificates.k8s.io": "CertificateSigningRequest ClusterTrustBundle",
    "flowcontrol.apiserver.k8s.io": "FlowSchema PriorityLevelConfiguration",
    "internal.apiserver.k8s.io": "StorageVersion",
    "networking.k8s.io": "IngressClass IPAddress ServiceCIDR",
    "node.k8s.io": "RuntimeClass",
    "policy": "PodSecurityPolicy",
    "rbac.authorization.k8s.io": "ClusterRole ClusterRoleBinding",
    "resource.k8s.io": "DeviceClass DeviceTaintRule ResourceSlice",
    "scheduling.k8s.io": "PriorityClass",
    "storage.k8s.io": "CSIDriver CSINode StorageClass VolumeAttachment VolumeAttributesClass",
    "storagemigration.k8s.io": "StorageVersionMigration",
    "snapshot.storage.k8s.io": "VolumeSnapshotClass VolumeSnapshotContent",
    "gateway.networking.k8s.io": "GatewayClass",
    "cert-manager.io": "ClusterIssuer",
    "trust.cert-manager.io": "Bundle",
    "policy.cert-manager.io": "CertificateRequestPolicy",
    "external-secrets.io": "ClusterExternalSecret ClusterPushSecret ClusterSecretStore",
    "kyverno.io": "ClusterCleanupPolicy ClusterPolicy",
    "karpenter.sh": "NodeClaim NodePool",
    "karpenter.k8s.aws": "EC2NodeClass",
    "cilium.io": "CiliumBGPClusterConfig CiliumClusterwideNetworkPolicy CiliumEgressGatewayPolicy "
    "CiliumLoadBalancerIPPool",
    "crd.projectcalico.org": "BGPConfiguration BGPPeer ClusterInformation FelixConfiguration "
    "GlobalNetworkPolicy GlobalNetworkSet HostEndpoint IPPool",
    "operator.tigera.io": "APIServer ImageSet Installation",
    "templates.gatekeeper.sh": "ConstraintTemplate",
    "argoproj.io": "ClusterWorkflowTemplate ClusterAnalysisTemplate",
    "argosy.dev": "Cluster",
    "apiextensions.crossplane.io": "CompositeResourceDefinition Composition",
    "pkg.crossplane.io": "Configuration Function Provider",
}
_CRDS = ("snapshot.storage.k8s.io", "gateway.networking.k8s.io")
_KUBERNETES_OWN = frozenset(
    group
    for group in _CLUSTER_SCOPED
    if "." not in group or (group.endswith(".k8s.io") and group not in _CRDS)
) | {"apps", "autoscaling", "batch", "coordination.k8s.io", "discovery.k8s.io", "events.k8s.io"}
"""Groups that every API server serves itself: nobody's definition says where their kinds are."""
KNOWN = frozenset((group, kind) for group, kinds in _CLUSTER_SCOPED.items() for kind in kinds.split())


def cluster_scoped(manifests: Iterable[Manifest]) -> frozenset[tuple[str, str]]:
    """(group, kind) of every kind known to live outside namespaces, those that the manifests define included.

    A definition among the manifests beats what is known here, but of Kubernetes' own kinds: a project's bounds are drawn
    by this, and the API server does not ask a definition either.
    """
    found = set(KNOWN)
    for manifest in manifests:
        if (split_api_version(manifest["apiVersion"])[0], manifest["kind"]) != CRD:
            continue
        spec = manifest.get("spec")
        names = spec.get("names") if isinstance(spec, dict) else None
        if not isinstance(spec, dict) or not isinstance(names, dict):
            continue
        defined = (str(spec.get("group")), str(names.get("kind")))
        if defined[0] in _KUBERNETES_OWN:
            continue
        if spec.get("scope") == "Cluster":
            found.add(defined)
        else:
            found.discard(defined)
    return frozenset(found)
