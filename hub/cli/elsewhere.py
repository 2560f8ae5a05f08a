"""What people type who come from `argocd` or `kubectl`, and what does it here."""

from __future__ import annotations

from collections.abc import Sequence

_KUBECONFIG = "`export KUBECONFIG=DIR/admin.kubeconfig` (`argosy kubeconfig` prints one)"
_LABELLED = "a Secret with the label argocd.argoproj.io/secret-type, as in Argo CD"
INSTEAD = {
    ("app", "get"): "`argosy app show NAME`",
    ("app", "create"): "`kubectl apply -f FILE`",
    ("app", "delete"): "`kubectl delete app NAME`",
    ("app", "edit"): "`kubectl edit app NAME`",
    ("app", "patch"): "`kubectl patch app NAME --type merge -p …`",
    ("app", "set"): "`kubectl edit app NAME`",
    ("app", "unset"): "`kubectl edit app NAME`",
    ("app", "wait"): "`argosy wait app/NAME`",
    ("app", "resources"): "`argosy app tree NAME`",
    ("app", "manifests"): "`argosy app render -f FILE`, or `argosy app tree NAME` for what is on the cluster",
    ("app", "logs"): "`kubectl --context CLUSTER logs …`: the hub holds no credentials of clusters",
    ("appset", "get"): "`argosy appset show NAME`",
    ("appset", "create"): "`kubectl apply -f FILE`",
    ("appset", "delete"): "`kubectl delete appset NAME`",
    ("cluster", "add"): "`argosy join NAME`",
    ("cluster", "get"): "`argosy cluster show NAME`",
    ("cluster", "rm"): "`kubectl delete cluster NAME`",
    ("cluster", "set"): "`argosy cluster label NAME K=V`",
    ("rollout", "status"): "`argosy rollout show NAME --watch`",
    ("rollout", "undo"): "`argosy rollout rollback NAME`",
    ("proj",): "`kubectl get|edit|delete appproj NAME`, `kubectl apply -f FILE`",
    ("repo",): _LABELLED,
    ("repocreds",): _LABELLED,
    ("cert",): "the ConfigMaps argocd-ssh-known-hosts-cm and argocd-tls-certs-cm, as in Argo CD",
    ("gpg",): "the ConfigMap argocd-gpg-keys-cm, as in Argo CD",
    ("account",): "`argosy token`, `kubectl auth whoami`, `kubectl auth can-i`",
    ("login",): _KUBECONFIG,
    ("logout",): _KUBECONFIG,
    ("context",): _KUBECONFIG,
    ("version",): "`argosy --version`, `kubectl version`",
    ("help",): "`argosy -h`",
    ("get",): "`kubectl get`",
    ("describe",): "`kubectl describe`",
    ("apply",): "`kubectl apply`",
    ("edit",): "`kubectl edit`",
    ("delete",): "`kubectl delete`",
}
"""First words of a command line that is none of ours -> what to use."""


def instead(arguments: Sequence[str]) -> str:
    """What to say to a command that others have and we do not, "" for all else."""
    for length in (2, 1):
        words = tuple(arguments[:length])
        if words in INSTEAD:
            return f"`argosy {' '.join(words)}` is no command; use {INSTEAD[words]}"
    return ""
