"""What `status.summary` tells of rendered objects."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.views import summary

POD = {
    "initContainers": [{"name": "i", "image": "init:1"}],
    "containers": [{"name": "a", "image": "web:2"}, {"name": "b", "image": "side:3"}],
}
IMAGES = ["init:1", "side:3", "web:2"]


def made(kind: str, spec: Any, api: str = "apps/v1", **annotations: str) -> dict[str, Any]:
    notes = {name.replace("_", "/"): value for name, value in annotations.items()}
    return {"apiVersion": api, "kind": kind, "metadata": {"name": "x", "annotations": notes}, "spec": spec}


@pytest.mark.parametrize(
    "manifest",
    [
        made("Pod", POD, "v1"),
        made("Deployment", {"template": {"spec": POD}}),
        made("CronJob", {"jobTemplate": {"spec": {"template": {"spec": POD}}}}, "batch/v1"),
        made("Rollout", {"template": {"spec": POD}}, "argoproj.io/v1alpha1"),
    ],
)
def test_images_of_pods_wherever_a_workload_has_them(manifest: dict[str, Any]) -> None:
    assert summary.of([manifest, manifest]) == {"images": IMAGES}


def ingress(*rules: Any, **spec: Any) -> dict[str, Any]:
    return {"rules": list(rules), **spec}


def rule(host: str | None, *paths: str) -> dict[str, Any]:
    found: dict[str, Any] = {"http": {"paths": [{"path": path} for path in paths]}}
    return found | ({"host": host} if host else {})


@pytest.mark.parametrize(
    ("spec", "links"),
    [
        (ingress(rule("a.example.com", "/", "/b*")), ["http://a.example.com/", "http://a.example.com/b"]),
        (ingress(rule("a.example.com", ""), tls=[{"secretName": "s"}]), ["https://a.example.com"]),
        (ingress(rule("a.example.com")), []),
        (ingress(rule(None, "/")), []),
        (ingress({"host": 5, "http": {"paths": None}}, "x", tls="y"), []),
    ],
)
def test_links_of_an_ingress_are_the_hosts_it_names(spec: Any, links: list[str]) -> None:
    found = summary.of([made("Ingress", spec, "networking.k8s.io/v1")])
    assert found.get("externalURLs", []) == links
    off = {"argocd.argoproj.io_ignore-default-links": "true"}
    assert summary.of([made("Ingress", spec, "networking.k8s.io/v1", **off)]) == {}


def test_links_of_annotations_are_those_that_lead_to_the_web() -> None:
    notes = {
        "link.argocd.argoproj.io_a": "https://a.example.com",
        "link.argocd.argoproj.io_b": "Board|https://b.example.com/x",
        "link.argocd.argoproj.io_c": "javascript:alert(1)",
        "link.argocd.argoproj.io_d": "Board|data:text/html,x",
    }
    found = summary.of([made("ConfigMap", None, "v1", **notes)])
    assert found == {"externalURLs": ["Board|https://b.example.com/x", "https://a.example.com"]}


@pytest.mark.parametrize(
    "spec", [None, [], "x", {"template": "x"}, {"template": {"spec": {"containers": [1, {"image": 5}]}}}]
)
def test_odd_objects_have_nothing_to_tell(spec: Any) -> None:
    assert summary.of([made("Deployment", spec)]) == {}


def test_of_thousands_so_many_are_told() -> None:
    pods = [made("Pod", {"containers": [{"image": f"web:{number}"}]}, "v1") for number in range(1000)]
    assert len(summary.of(pods)["images"]) == summary.MOST
