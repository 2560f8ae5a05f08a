"""Charts and kustomizations reach a real API server: from Git, from an index repository, from a registry."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hubs
import pytest
from chart_case import below, chart, packed
from chartserver import IndexRepository, OciRegistry
from fleet import Fleet, application, wait
from hubs import Repo, config_map
from testbed import credentials
from testbed.controlplane import ControlPlane

HOOK = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-before
  annotations: {helm.sh/hook: "pre-install,pre-upgrade"}
data: {ran: "yes"}
"""


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Repo]:
    with hubs.repository(tmp_path_factory.mktemp("git")) as repo:
        repo.commit({"README": "nothing yet\n"})
        yield repo


@pytest.fixture(scope="module")
def red(control_planes: list[ControlPlane]) -> ControlPlane:
    return control_planes[0]


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory, red: ControlPlane, helm: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"))
    with contextlib.closing(fleet):
        fleet.start_hub()
        fleet.join("red", "--kubeconfig", str(red.kubeconfig(credentials.ADMIN)))
        fleet.ready("red")
        yield fleet


def data(plane: ControlPlane, namespace: str, name: str) -> dict[str, str]:
    answer = plane.request("GET", f"/api/v1/namespaces/{namespace}/configmaps/{name}")
    found: dict[str, str] = answer.json()["data"] if answer.status == 200 else {}
    return found


def charted(url: str, name: str, chart: str, revision: str, namespace: str, **helm: Any) -> dict[str, Any]:
    app = bare(name, namespace)
    app["spec"]["source"] = {"repoURL": url, "chart": chart, "targetRevision": revision, "helm": helm}
    return app


def bare(name: str, namespace: str) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "destination": {"name": "red", "namespace": namespace},
            "syncPolicy": {"automated": {"prune": True}, "syncOptions": ["CreateNamespace=true"]},
        },
    }


def test_a_chart_from_git_with_values_of_another_source_a_dependency_and_a_hook(
    fleet: Fleet, repo: Repo, red: ControlPlane
) -> None:
    depends = "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: db, version: 1.x, repository: 'file://../db'}\n"
    commit = repo.commit(
        {
            **below("charts/web", chart()),
            "charts/web/Chart.yaml": depends,
            "charts/web/templates/hook.yaml": HOOK,
            **below(
                "charts/db", {**chart("db", "1.4.0"), "templates/shown.yaml": config_map("db", "from db")}
            ),
            "env/prod.yaml": "env: prod\n",
        }
    )
    app = bare("way", "helmed")
    app["spec"]["sources"] = [
        {
            "repoURL": repo.url,
            "path": "charts/web",
            "targetRevision": "main",
            "helm": {"valueFiles": ["$values/env/*.yaml"], "parameters": [{"name": "n", "value": "1"}]},
        },
        {"repoURL": repo.url, "targetRevision": "main", "ref": "values"},
    ]
    app["spec"]["syncPolicy"]["managedNamespaceMetadata"] = {
        "labels": {"team": "sea"},
        "annotations": {"why": "a test"},
    }
    fleet.apply(app)
    wait(lambda: fleet.app("way")[:2] == ("Synced", "Healthy"), "the chart is synced")
    assert commit in str(fleet.get("application", "way")["status"]["sync"])
    shown = data(red, "helmed", "way-shown")
    assert shown["chart"] == "web-1.0.0"
    assert '"env":"prod"' in shown["values"]
    assert '"n":1' in shown["values"]
    assert data(red, "helmed", "way-before") == {"ran": "yes"}
    assert data(red, "helmed", "db") == {"value": "from db"}
    namespace = red.request("GET", "/api/v1/namespaces/helmed").json()["metadata"]
    assert namespace["labels"]["team"] == "sea"
    assert namespace["annotations"]["why"] == "a test"


def test_a_kustomization_with_the_applications_own_edits(fleet: Fleet, repo: Repo, red: ControlPlane) -> None:
    commit = repo.commit(
        {
            "kust/base/kustomization.yaml": "resources: [cm.yaml]\n",
            "kust/base/cm.yaml": config_map("plain", "here"),
            "kust/over/kustomization.yaml": "resources: [../base]\nnamePrefix: theirs-\n",
        }
    )
    app = application(repo, "kust", "red", "kust/over", "kust")
    app["spec"]["source"]["kustomize"] = {
        "namePrefix": "ours-",
        "commonLabels": {"app": "${ARGOCD_APP_NAME}"},
        "patches": [
            {"target": {"kind": "ConfigMap"}, "patch": "- {op: add, path: /data/more, value: patched}"}
        ],
    }
    fleet.apply(app)
    fleet.settled("kust", commit)
    assert data(red, "kust", "ours-plain") == {"value": "here", "more": "patched"}


def test_a_range_follows_an_index_repository(fleet: Fleet, red: ControlPlane) -> None:
    with contextlib.closing(IndexRepository()) as index:
        index.publish("web", "1.0.0", packed("web", "1.0.0"))
        fleet.apply(charted(index.repository, "ranged", "web", "^1.0", "ranged", values="from: app\n"))
        fleet.settled("ranged", "1.0.0")
        index.publish("web", "1.1.0", packed("web", "1.1.0"))
        index.publish("web", "2.0.0", packed("web", "2.0.0"))
        fleet.settled("ranged", "1.1.0")
        shown = data(red, "ranged", "ranged-shown")
        assert (shown["chart"], shown["values"]) == ("web-1.1.0", '{"from":"app"}')


def test_a_chart_of_a_registry_with_the_credentials_of_a_secret(fleet: Fleet, red: ControlPlane) -> None:
    with contextlib.closing(OciRegistry()) as registry:
        registry.push("team/web", "3.1.4", packed("web", "3.1.4"))
        fleet.apply(charted(f"{registry.host}/team", "pulled", "web", "3.1.4", "pulled"))
        wait(
            lambda: "ComparisonError" in str(fleet.get("application", "pulled").get("status")),
            "it is refused",
        )
        name, password = registry.user
        fleet.apply(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": "registry",
                    "namespace": "argocd",
                    "labels": {"argocd.argoproj.io/secret-type": "repository"},
                },
                "stringData": {
                    "type": "helm",
                    "enableOCI": "true",
                    "insecureOCIForceHttp": "true",
                    "url": f"{registry.host}/team",
                    "username": name,
                    "password": password,
                },
            }
        )
        fleet.settled("pulled", "3.1.4")
        assert data(red, "pulled", "pulled-shown")["chart"] == "web-3.1.4"


def test_two_applications_that_want_one_object_are_told(fleet: Fleet, repo: Repo) -> None:
    repo.commit({"shared/a/cm.yaml": config_map("both"), "shared/b/cm.yaml": config_map("both")})
    for name in ("first", "second"):
        path = "shared/a" if name == "first" else "shared/b"
        fleet.apply(application(repo, name, "red", path, "shared"))

    def told(name: str) -> str:
        conditions = (fleet.get("application", name).get("status") or {}).get("conditions") or []
        return next((one["message"] for one in conditions if one["type"] == "SharedResourceWarning"), "")

    for name, other in (("first", "second"), ("second", "first")):
        expected = f"ConfigMap/both is part of applications argocd/{name} and argocd/{other}"
        wait(lambda name=name, expected=expected: told(name) == expected, f"{name} is told: {expected}")  # type: ignore[misc]
