"""Charts that ask for their cluster: what agents see there is what they are told, and clusters alike share a render."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hubs
import pytest
import spokes
from spokes import System

from agent.loops import surveyor
from hub.core.served import table

CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\nkubeVersion: '>=1.20.0-0'\n"
ASKING = """\
{{- if .Capabilities.APIVersions.Has "x.example.com/v1/Gadget" }}
apiVersion: v1
kind: ConfigMap
metadata: {name: gadgets}
data: {value: {{ .Capabilities.KubeVersion.Version | quote }}}
{{- else }}
apiVersion: v1
kind: ConfigMap
metadata: {name: plain}
data: {value: {{ .Capabilities.APIVersions.Has "apps/v1/Deployment" | quote }}}
{{- end }}
"""
GADGETS = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gadgets.x.example.com"},
    "spec": {
        "group": "x.example.com",
        "names": {"kind": "Gadget", "plural": "gadgets"},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
        ],
    },
}

pytestmark = pytest.mark.usefixtures("helm")


def app(url: str, cluster: str, **helm: Any) -> dict[str, Any]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": cluster, "namespace": "argocd"},
        "spec": {
            "project": "default",
            "source": {
                "repoURL": url,
                "targetRevision": "main",
                "path": "web",
                "helm": {"releaseName": "web", **helm},
            },
            "destination": {"name": cluster, "namespace": "default"},
            "syncPolicy": {"automated": {"prune": True, "selfHeal": True}},
        },
    }


async def message(system: System, name: str) -> str:
    found = (await hubs.listed(system.hub, table.APPLICATION))[name]
    conditions = (found.get("status") or {}).get("conditions") or []
    return "; ".join(str(one.get("message")) for one in conditions)


async def test_two_clusters_share_a_render_until_one_serves_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surveyor, "EVERY", 0.2)
    with hubs.repository(tmp_path) as repo:
        repo.commit({"web/Chart.yaml": CHART, "web/templates/c.yaml": ASKING})
        async with spokes.system(tmp_path, monkeypatch) as system:
            helm = system.hub.rendering
            await hubs.add_cluster(system.hub, "later")
            await hubs.add(system.hub, table.APPLICATION, app(repo.url, "later"))
            await hubs.settled(system.hub)
            assert "has not told them yet" in await message(system, "later")
            said = {"apiVersions": ["x.example.com/v1/Gadget"], "kubeVersion": "1.30.0"}
            await hubs.patch(system.hub, table.APPLICATION, "later", {"spec": {"source": {"helm": said}}})
            await hubs.settled(system.hub)
            assert await message(system, "later") == ""

            one, two = await system.join("one"), await system.join("two")
            before = helm.renders
            for cluster in ("one", "two"):
                await hubs.add(system.hub, table.APPLICATION, app(repo.url, cluster))
            for spoke in (one, two):
                await hubs.until(lambda spoke=spoke: spoke.ours() == {"plain": "true"}, "the plain form")
            assert helm.renders == before + 1

            one.cluster.put(GADGETS)
            await hubs.until(
                lambda: list(one.ours()) == ["gadgets"], "the cluster's new kind is told and counts"
            )
            assert helm.renders == before + 2
            assert two.ours() == {"plain": "true"}

            two.cluster.put(GADGETS)
            await hubs.until(lambda: two.ours() == one.ours(), "the same for the other cluster")
            assert helm.renders == before + 2, "what one cluster got is there for the other"
            for spoke in (one, two):
                spoke.unharmed()


async def test_a_cluster_too_old_for_a_chart_is_told_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        repo.commit({"web/Chart.yaml": CHART.replace("1.20", "1.99"), "web/templates/c.yaml": ASKING})
        async with spokes.system(tmp_path, monkeypatch) as system:
            await system.join("one")
            await hubs.add(system.hub, table.APPLICATION, app(repo.url, "one"))

            async def refused() -> bool:
                return "which is incompatible with Kubernetes" in await message(system, "one")

            await hubs.until(refused, "the chart's constraint")
            said = {"spec": {"source": {"helm": {"kubeVersion": "1.99.0"}}}}
            await hubs.patch(system.hub, table.APPLICATION, "one", said)

            async def taken() -> bool:
                return await message(system, "one") == ""

            await hubs.until(taken, "the Application's own version wins")
