"""The estates that evaluation is measured on: clusters in groups, sets that pick a group each, lone Applications.

The shape of `peers-measured`: a set selects five in a hundred clusters by a label that one change moves.
"""

from __future__ import annotations

from argosy.objects import Manifest

GROUPS = 20


def cluster_name(number: int) -> str:
    return f"cluster-{number:05d}"


def cluster(number: int, groups: int = GROUPS) -> Manifest:
    labels = {"group": f"g{number % groups}", "env": "prod" if number % 3 else "test", "region": f"r{number % 7}"}
    return {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "Cluster",
        "metadata": {"name": cluster_name(number), "labels": labels},
    }


def appset(number: int, groups: int, url: str) -> Manifest:
    """A set of one small application for each cluster of its group; all of one set share one render."""
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": f"set-{number}", "namespace": "argocd"},
        "spec": {
            "goTemplate": True,
            "goTemplateOptions": ["missingkey=error"],
            "generators": [{"clusters": {"selector": {"matchLabels": {"group": f"g{number % groups}"}}}}],
            "template": {
                "metadata": {
                    "name": f"app-{number}-{{{{.name}}}}",
                    "labels": {"region": "{{.metadata.labels.region}}"},
                },
                "spec": _spec(url, f"apps/{number % GROUPS}", server="{{.server}}"),
            },
        },
    }


def application(number: int, clusters: int, url: str) -> Manifest:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": f"lone-{number:05d}", "namespace": "argocd"},
        "spec": _spec(url, f"lone/{number:05d}", name=cluster_name(number % clusters)),
    }


def _spec(url: str, path: str, **destination: str) -> Manifest:
    return {
        "project": "default",
        "source": {"repoURL": url, "targetRevision": "main", "path": path},
        "destination": {**destination, "namespace": "shop"},
        "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
    }


def files(lone: int = 0) -> dict[str, str]:
    """A folder with a ConfigMap for each group, and one for each lone Application."""
    found = {f"apps/{number}/cm.yaml": config_map(f"group-{number}") for number in range(GROUPS)}
    return found | {f"lone/{number:05d}/cm.yaml": config_map(f"lone-{number}") for number in range(lone)}


def config_map(name: str, value: str = "1") -> str:
    return f'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  value: "{value}"\n'
