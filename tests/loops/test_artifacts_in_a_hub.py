"""Artifacts of a registry in a running hub: as a set's generator and as an Application's source."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import hubs
import pytest
from chart_case import archive
from chartserver import OciRegistry
from hubs import config_map

from argosy import bundle
from argosy.objects import Manifest
from hub.assembly import Hub
from hub.core.served import table
from hub.store import apps, bundles

LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@pytest.fixture
async def hub(tmp_path: Path, registry: OciRegistry) -> AsyncIterator[Hub]:
    async with hubs.running(tmp_path / "hub") as hub:
        await hubs.add_cluster(hub, "red")
        name, password = registry.user
        await hubs.add(
            hub,
            table.SECRET,
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {
                    "name": "registry",
                    "namespace": "argocd",
                    "labels": {"argocd.argoproj.io/secret-type": "repository"},
                },
                "stringData": {
                    "type": "oci",
                    "url": f"oci://{registry.host}/team",
                    "username": name,
                    "password": password,
                    "insecureOCIForceHttp": "true",
                },
            },
        )
        await hubs.settled(hub)
        yield hub


def push(registry: OciRegistry, *names: str) -> str:
    files = {f"apps/{name}/cm.yaml": config_map(name, name) for name in names}
    return registry.push("team/fleet", "latest", archive(files), LAYER)


def template(registry: OciRegistry, path: str) -> Manifest:
    return {
        "project": "default",
        "source": {"repoURL": f"oci://{registry.host}/team/fleet", "targetRevision": "latest", "path": path},
        "destination": {"name": "red", "namespace": "default"},
        "syncPolicy": {"automated": {}},
    }


def appset(registry: OciRegistry) -> Manifest:
    artifact = {"repoURL": f"oci://{registry.host}/team/fleet", "revision": "latest"}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": "pulled", "namespace": "argocd"},
        "spec": {
            "generators": [{"oci": {**artifact, "directories": [{"path": "apps/*"}]}}],
            "template": {
                "metadata": {"name": "{{path.basename}}"},
                "spec": template(registry, "{{path}}"),
            },
        },
    }


async def rendered(hub: Hub, name: str) -> list[Any]:
    made = (await hubs.listed(hub, table.APPLICATION))[name]
    state = await hub.store.read(lambda tx: apps.get(tx, made["metadata"]["uid"]))
    blob = await hub.store.read(lambda tx: bundles.get(tx, state.bundle)) if state else None
    return [item["data"] for item in bundle.unpack(blob, state.bundle)] if blob and state else []


async def test_a_set_follows_an_artifact_with_the_credentials_of_a_secret(
    hub: Hub, registry: OciRegistry
) -> None:
    push(registry, "web")
    await hubs.add(hub, table.APPLICATION_SET, appset(registry))
    await hubs.pushed(hub)
    assert set(await hubs.apps(hub)) == {"web"}
    assert await rendered(hub, "web") == [{"value": "web"}]
    push(registry, "web", "api")
    await hubs.pushed(hub)
    assert set(await hubs.apps(hub)) == {"web", "api"}
    assert await rendered(hub, "api") == [{"value": "api"}]


async def test_a_registry_that_is_away_takes_nothing_away(hub: Hub, registry: OciRegistry) -> None:
    push(registry, "web", "api")
    await hubs.add(hub, table.APPLICATION_SET, appset(registry))
    await hubs.pushed(hub)
    registry.user = ("robot", "another password")
    push(registry, "web")
    await hubs.pushed(hub)
    await hubs.pushed(hub)
    assert set(await hubs.apps(hub)) == {"web", "api"}
