"""The inventory survives its way to the cluster and back, however large, and damage is never taken for
emptiness.
"""

from __future__ import annotations

import pytest

from agent.core import inventory, marks
from agent.core.inventory import Entry, Inventory, Operation
from argosy.errors import Invalid
from argosy.objects import ObjectKey


def made(count: int) -> Inventory:
    keys = [
        ObjectKey("apps", "Deployment", "ns", f"name-{number:06d}-{number * 7919 % 104729:x}")
        for number in range(count)
    ]
    entries = {key: Entry(key, "v1", f"uid-{key.name}", "mark") for key in keys}
    operation = Operation("op", "Failed", "m", 1.0, 2.0, "req", 2, {"PreSync/x": False})
    return Inventory("id-1", "argocd/shop", entries, ("sha256:a",), operation, ("Delete=false",))


@pytest.mark.parametrize("count", [0, 3, 20_000])
def test_it_is_read_as_it_was_written(count: int) -> None:
    manifest = inventory.to_manifest(made(count))
    assert inventory.from_manifest("id-1", manifest) == made(count)
    assert (
        sum(len(text) for part in ("data", "binaryData") for text in manifest.get(part, {}).values())
        < 1 << 20
    )


def test_its_parent_follows_the_applyset_convention() -> None:
    manifest = inventory.to_manifest(made(1))
    assert manifest["metadata"]["labels"]["applyset.kubernetes.io/id"] == marks.applyset_id("id-1")
    notes = manifest["metadata"]["annotations"]
    assert notes["applyset.kubernetes.io/contains-group-kinds"] == "Deployment.apps"
    assert notes["applyset.kubernetes.io/additional-namespaces"] == "ns"
    assert len(marks.applyset_id("id-1")) <= 63


@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"data": {"inventory": "{"}},
        {"data": {"inventory": "{}"}},
        {"binaryData": {"inventory.zst": "AAAA"}},
    ],
)
def test_damage_is_an_error(damage: dict[str, dict[str, str]]) -> None:
    with pytest.raises(Invalid, match="not readable"):
        inventory.from_manifest("id-1", {"metadata": {}, **damage})
