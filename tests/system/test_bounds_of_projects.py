"""A kind that only the cluster knows to be outside namespaces comes there by its project's word alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hubs
import pytest
import rolling
import spokes
from spokes import System

from hub.core.served import table

DEFINITION: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "gizmos.toys.dev"},
    "spec": {
        "group": "toys.dev",
        "scope": "Cluster",
        "names": {"plural": "gizmos", "singular": "gizmo", "kind": "Gizmo", "listKind": "GizmoList"},
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                },
            }
        ],
    },
}
GIZMO = "apiVersion: toys.dev/v1\nkind: Gizmo\nmetadata: {name: ours}\nspec: {size: 1}\n"


async def permit(system: System, *kinds: dict[str, str]) -> None:
    await hubs.patch(
        system.hub, table.APP_PROJECT, "default", {"spec": {"clusterResourceWhitelist": list(kinds)}}
    )


async def test_a_tenant_makes_nothing_outside_namespaces_that_his_project_does_not_permit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        repo.commit({**spokes.tree({"web": {"web-a": "1"}}), "apps/web/gizmo.yaml": GIZMO})
        async with spokes.system(tmp_path, monkeypatch) as system:
            await permit(system)
            spoke = await system.join("one")
            spoke.cluster.put(DEFINITION)
            await hubs.add(system.hub, table.APPLICATION_SET, hubs.appset(repo))

            async def told() -> bool:
                shown = await rolling.shown(system.hub, table.APPLICATION, "web-one")
                return "this cluster has it outside namespaces" in spokes.problems(shown)

            def there() -> bool:
                return any(key[1] == "Gizmo" for key in spoke.cluster.objects())

            await hubs.until(told, "the application says what is not permitted")
            await hubs.until(lambda: spoke.ours() == {"web-a": "1"}, "the others are applied")
            assert not there()
            await permit(system, {"group": "toys.dev", "kind": "Gizmo"})
            await hubs.until(there, "what is permitted comes")
