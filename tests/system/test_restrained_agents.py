"""What cluster owners, projects and users ask of an agent's care, from Git and the hub's API to the clusters and back."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import hubs
import pytest
import sopsfile
import spokes
from hubs import Repo
from sopsfile import Keys
from spokes import System

from argosy import bundle
from argosy.kinds import Gvk
from argosy.objects import Manifest
from hub.core.served import table
from hub.store import bundles, desired

CANARY = "correct horse battery"
SECRET = Gvk("", "v1", "Secret")


def secret(keys: Keys) -> str:
    plain = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "db", "namespace": "default"},
        "stringData": {"password": CANARY},
    }
    return sopsfile.text(sopsfile.sealed([plain], lambda key: {"age": [keys.wrap(key)]}))


def appset(repo: Repo, **annotations: str) -> Manifest:
    """The set of all folders on all clusters, its applications annotated."""
    made = hubs.appset(repo)
    metadata = made["spec"]["template"]["metadata"]
    metadata["annotations"] = {f"argosy.dev/{name}": value for name, value in annotations.items()}
    return made


async def lines(system: System, name: str, app: str) -> dict[str, Any]:
    told = await system.reported(system.spokes[name])
    return {line["name"]: line for line in told.get(app, {}).get("resources", [])}


async def until_told(system: System, name: str, app: str, object_name: str, text: str) -> None:
    async def told() -> bool:
        found = (await lines(system, name, app)).get(object_name)
        return found is not None and text in found["message"]

    await hubs.until(told, f"{name} says {text!r}")


async def test_a_secret_is_opened_where_its_key_is_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = Keys(tmp_path / "keys")
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/a.yaml": hubs.config_map("a"), "apps/web/db.yaml": secret(keys)})
        async with spokes.system(tmp_path, monkeypatch) as system:
            one = await system.join("one", keys=keys.folder)
            two = await system.join("two")
            await hubs.add(system.hub, table.APPLICATION_SET, appset(repo))

            async def opened() -> bool:
                return await one.cluster.get(SECRET, "default", "db") is not None

            async def told() -> str:
                state = (await system.reported(two)).get("web-two", {})
                return str(state.get("message", "")) if "decrypted" in state.get("message", "") else ""

            await hubs.until(opened, "the secret")
            live = await one.cluster.get(SECRET, "default", "db")
            assert live is not None
            assert base64.b64decode(live["data"]["password"]).decode() == CANARY
            message = await hubs.until(told, "two says why not")
            assert "apps/web/db.yaml: cannot be decrypted" in message
            assert keys.recipient in message
            assert two.ours() == {}, "nothing of the app was applied"
            await _nowhere(system)


async def _nowhere(system: System) -> None:
    """The value is in no bundle, and in no file of hub or agents."""
    for spoke in system.spokes.values():
        for item in await system.read(lambda tx, uid=spoke.uid: desired.assignments(tx, uid)):  # type: ignore[misc]
            blob = await system.read(lambda tx, digest=item.bundle: bundles.get(tx, digest))  # type: ignore[misc]
            assert blob is not None
            text = str(bundle.unpack(blob, item.bundle))
            assert CANARY not in text
            assert "ENC[AES256_GCM" in text
    for folder in (system.data, *(spoke.folder for spoke in system.spokes.values())):
        for path in folder.rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert CANARY.encode() not in data, path
                assert base64.b64encode(CANARY.encode()) not in data, path


async def test_an_owner_bounds_what_the_hub_may_do_and_the_hub_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = tmp_path / "policy.yaml"
    head = "apiVersion: argosy.dev/v1alpha1\nkind: AgentPolicy\nspec:\n"
    policy.write_text(head + '  kinds: {deny: [{group: "", kind: Secret}]}\n')
    plain = "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: default}\nstringData: {a: b}\n"
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/a.yaml": hubs.config_map("a"), "apps/web/s.yaml": plain})
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one", policy=policy)
            await hubs.add(system.hub, table.APPLICATION_SET, appset(repo))

            await until_told(system, "one", "web-one", "s", f"spec.kinds.deny of {policy}")

            assert spoke.ours() == {"a": "1"}
            assert await spoke.cluster.get(SECRET, "default", "s") is None


async def test_an_app_is_observed_then_managed_then_released_as_its_set_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/web/a.yaml": hubs.config_map("a")})
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            before = spoke.cluster.objects()
            await hubs.add(system.hub, table.APPLICATION_SET, appset(repo, mode="observe"))

            async def missing() -> bool:
                line = (await lines(system, "one", "web-one")).get("a")
                return line is not None and line["health"] == "Missing"

            await hubs.until(missing, "it is observed")
            assert spoke.cluster.objects() == before, "nothing was written"

            await hubs.patch(system.hub, table.APPLICATION_SET, "fleet", _mode("manage"))
            await system.settles({"one": {"a": "1"}})

            await hubs.patch(system.hub, table.APPLICATION_SET, "fleet", _mode("release"))

            def free() -> bool:
                return spoke.inventory() == [] and "argosy" not in str(
                    [item for key, item in spoke.cluster.objects().items() if key[3] == "a"]
                )

            await hubs.until(free, "it is released")
            assert spoke.ours() == {"a": "1"}


def _mode(word: str) -> Manifest:
    return {"spec": {"template": {"metadata": {"annotations": {"argosy.dev/mode": word}}}}}
