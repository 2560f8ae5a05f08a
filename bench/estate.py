"""The estates that evaluation is measured on: clusters in groups, sets that pick a group each, lone Applications.

The shape of `peers-measured`: a set selects five in a hundred clusters by a label that one change moves.
"""

from __future__ import annotations

from argosy.objects import Manifest

GROUPS = 20


def cluster_name(number: int) -> str:
    return f"cluster-{number:05d}"


def cluster(number: int, groups: int = GROUPS) -> Manifest:
    labels = {
        "group": f"g{number % groups}",
        "env": "prod" if number % 3 else "test",
        "region": f"r{number % 7}",
    }
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


TIERS = ("gold", "silver", "bronze", "iron")


def labelled(number: int) -> dict[str, str]:
    """Ten labels, some of few values and some of many."""
    return {
        "env": ("prod", "stage", "test")[number % 3],
        "region": f"region-{number % 12}",
        "tier": TIERS[number % 4],
        "zone": f"zone-{number % 56}",
        "provider": ("aws", "gcp", "azure", "metal")[number % 4],
        "team": f"team-{number % 50}",
        "shard": f"shard-{number % 64}",
        "version": f"v{number % 5}",
        "size": ("s", "m", "l")[number // 3 % 3],
        "site": f"site-{number}",
    }


def mixed(number: int) -> Manifest:
    """One of the sets of B7: two to five terms that pick about 240 of 10,000 clusters; eighteen places in its template."""
    terms: list[Manifest] = [
        {"key": "zone", "operator": "In", "values": [f"zone-{(number + step) % 56}" for step in (0, 13)]},
        {"key": "env", "operator": "NotIn", "values": ["test" if number % 2 else "stage"]},
    ]
    if number % 3 == 0:
        terms.append({"key": "team", "operator": "Exists"})
    if number % 5 == 0:
        terms.append({"key": "retired", "operator": "DoesNotExist"})
    if number % 4 == 0:
        terms.append({"key": "tier", "operator": "NotIn", "values": ["paper"]})
    pick: Manifest = {"clusters": {"selector": {"matchExpressions": terms}}}
    waves = {"list": {"elements": [{"wave": "one"}]}}
    named = {"list": {"elements": [{"name": cluster_name(number), "note": "x"}]}}
    generator = pick
    if number % 10 == 8:
        generator = {"matrix": {"generators": [pick, waves]}}
    elif number % 10 == 9:
        generator = {"merge": {"mergeKeys": ["name"], "generators": [pick, named]}}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": f"mixed-{number}", "namespace": "argocd"},
        "spec": {"goTemplate": True, "generators": [generator], "template": _mixed_template(number)},
    }


def _mixed_template(number: int) -> Manifest:
    label = "{{.metadata.labels.%s}}"
    return {
        "metadata": {
            "name": f"mixed-{number}-{{{{.name}}}}",
            "labels": {name: label % name for name in ("env", "region", "tier", "zone", "team")},
            "annotations": {
                "cluster": "{{.name}} at {{.server}}",
                "place": f"{label % 'region'}/{label % 'zone'}",
            },
        },
        "spec": {
            "project": "default",
            "source": {
                "repoURL": "https://git.example.com/fleet.git",
                "targetRevision": label % "version",
                "path": f"apps/{number}/{label % 'env'}/{label % 'size'}",
                "helm": {
                    "releaseName": f"app-{number}",
                    "parameters": [
                        {"name": "cluster", "value": "{{.name}}"},
                        {"name": "team", "value": label % "team"},
                    ],
                    "values": f"region: {label % 'region'}\nsize: {label % 'size'}\n" + "# fixed text\n" * 20,
                },
            },
            "destination": {"server": "{{.server}}", "namespace": f"app-{number}"},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": ["CreateNamespace=true"],
            },
        },
    }


def deployments(count: int, changed: int = -1) -> list[Manifest]:
    """Deployments of about 1.5 KB as charts write them; the one of number `changed` has another image."""
    return [_deployment(number, "2.0.0" if number == changed else "1.4.2") for number in range(count)]


def _deployment(number: int, version: str) -> Manifest:
    name = f"service-{number:05d}"
    labels = {
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/instance": f"shop-{number % 17}",
        "app.kubernetes.io/version": version,
        "app.kubernetes.io/managed-by": "Helm",
        "helm.sh/chart": f"service-{number % 23}.{number % 7}.{number % 11}",
    }
    probe = {"httpGet": {"path": f"/healthz/{number}", "port": "http"}, "periodSeconds": 10 + number % 5}
    container = {
        "name": "main",
        "image": f"registry.example.com/shop/{name}:{version}",
        "ports": [{"name": "http", "containerPort": 8000 + number % 1000, "protocol": "TCP"}],
        "env": [{"name": f"OPTION_{one}", "value": f"{name}-{one}-{number * 37 % 1009}"} for one in range(6)],
        "livenessProbe": probe,
        "readinessProbe": probe,
        "resources": {
            "requests": {"cpu": f"{50 + number % 200}m", "memory": f"{64 + number % 300}Mi"},
            "limits": {"memory": f"{128 + number % 700}Mi"},
        },
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "labels": labels},
        "spec": {
            "replicas": 1 + number % 4,
            "selector": {"matchLabels": {"app.kubernetes.io/name": name}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"serviceAccountName": name, "containers": [container]},
            },
        },
    }
