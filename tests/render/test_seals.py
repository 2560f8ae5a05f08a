"""Encrypted manifests pass the hub unopened, with what their agent needs to check them, whatever renders them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sopsfile
from render_case import config_map, needs_kustomize, rendered, tree
from sopsfile import Keys

from agent.core.marks import Wanted
from agent.sops.keys import KeyRing
from agent.sops.opening import Opener
from argosy import objects, sealed
from argosy.errors import Invalid
from argosy.kinds import gvk_of
from hub.core.apps import finish
from hub.render.rendering import Rendering

CANARY = "correct horse battery"
PLAIN = {
    "kind": "Secret",
    "apiVersion": "v1",
    "metadata": {"name": "db"},
    "stringData": {"password": CANARY, "another": "1"},
}


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys")


def encrypted(keys: Keys, *documents: dict[str, Any], form: str = "yaml", **options: Any) -> str:
    written = sopsfile.sealed(documents, lambda key: {"age": [keys.wrap(key)]}, **options)
    return sopsfile.text(written, form=form)


def travelled(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the objects arrive at the agent: finished as an Application's, and as a bundle's canonical JSON."""
    done = finish.finish(found, finish.Target("shop", "argocd_app"))
    assert not done.problems
    arrived: list[dict[str, Any]] = json.loads(objects.canonical(done.objects))
    return arrived


def opened(keys: Keys, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    opener = Opener(KeyRing(keys.folder), found)
    return [opener.opened(Wanted(objects.key_of(each), gvk_of(each), each)).manifest for each in found]


@pytest.mark.parametrize("form", ["yaml", "json"])
async def test_a_folder_with_an_encrypted_file(rendering: Rendering, keys: Keys, form: str) -> None:
    text = encrypted(keys, PLAIN, form=form)
    found = travelled(await rendered(rendering, tree({f"a/db.{form}": text, "a/c.yaml": config_map()}), "a"))

    assert CANARY not in json.dumps(found)
    one = next(item for item in found if item["kind"] == "Secret")
    assert sealed.carried(one) == sealed.Carried(f"a/db.{form}", text)
    clear = next(item for item in opened(keys, found) if item["kind"] == "Secret")
    assert clear["stringData"] == PLAIN["stringData"]
    assert clear["metadata"]["namespace"] == "shop"
    assert "argocd.argoproj.io/tracking-id" in clear["metadata"]["annotations"]


async def test_a_file_of_two_documents_travels_once(rendering: Rendering, keys: Keys) -> None:
    other = {**PLAIN, "metadata": {"name": "cache"}}
    found = travelled(await rendered(rendering, tree({"a.yaml": encrypted(keys, PLAIN, other)})))

    assert [bool(found_.text) for item in found if (found_ := sealed.carried(item))] == [True, False]
    assert [item["stringData"] for item in opened(keys, found)] == [PLAIN["stringData"]] * 2


@needs_kustomize
async def test_kustomize_may_change_what_is_in_clear(rendering: Rendering, keys: Keys) -> None:
    content = {
        "base/kustomization.yaml": "resources: [db.yaml]\n",
        "base/db.yaml": encrypted(keys, PLAIN),
        "prod/kustomization.yaml": "namePrefix: prod-\ncommonLabels: {team: a}\nresources: [../base]\n",
    }
    found = travelled(await rendered(rendering, tree(content), "prod"))

    assert CANARY not in json.dumps(found)
    assert sealed.carried(found[0]) == sealed.Carried("base/db.yaml", content["base/db.yaml"])
    (clear,) = opened(keys, found)
    assert clear["metadata"]["name"] == "prod-db"
    assert clear["metadata"]["labels"] == {"team": "a"}
    assert clear["stringData"] == PLAIN["stringData"]


async def test_an_object_whose_kind_is_encrypted_is_refused_with_the_way_out(
    rendering: Rendering, keys: Keys
) -> None:
    text = encrypted(keys, PLAIN, regex="^(kind|stringData)$")
    with pytest.raises(Invalid, match=r"a\.yaml: apiVersion, kind and metadata must not be encrypted"):
        await rendered(rendering, tree({"a.yaml": text}))
