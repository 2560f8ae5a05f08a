"""Jsonnet files of a folder give what go-jsonnet gives, and read nothing but their repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from render_case import application, config_map, digest, names, rendered, tree

from argosy.errors import Invalid
from hub.core.apps import sources
from hub.render.rendering import Rendering
from hub.render.sandbox import Limits, Sandbox

OBJECT = "{apiVersion: 'v1', kind: 'ConfigMap', metadata: {name: %s}, data: {%s}}"


def manifest(name: str = "'a'", data: str = "") -> str:
    return OBJECT % (name, data)


async def test_one_object_a_list_of_them_and_plain_files_beside(rendering: Rendering) -> None:
    files = {
        "a.jsonnet": manifest(),
        "b.jsonnet": f"[{manifest(chr(39) + 'b' + chr(39))}, {{apiVersion: 'v1', kind: 'List', items: [{manifest()}]}}]",
        "c.yaml": config_map("c"),
        "lib.libsonnet": "error 'only imported'",
        "deep/d.jsonnet": manifest("'d'"),
    }
    assert names(await rendered(rendering, tree(files))) == ["a", "b", "a", "c"]
    assert "d" in names(await rendered(rendering, tree(files), directory={"recurse": True}))
    assert names(await rendered(rendering, tree(files), directory={"exclude": "*.jsonnet"})) == ["c"]


async def data(
    rendering: Rendering, files: dict[str, str | bytes], path: str = ".", **jsonnet: Any
) -> dict[str, Any]:
    blocks = {"directory": {"jsonnet": jsonnet}} if jsonnet else {}
    (found,) = await rendered(rendering, tree(files), path, **blocks)
    content: dict[str, Any] = found["data"]
    return content


async def test_external_variables_and_top_level_arguments(rendering: Rendering) -> None:
    text = manifest(data="v: std.extVar('v'), c: std.toString(std.extVar('c').n + 1)")
    given = [{"name": "v", "value": "$ARGOCD_APP_NAME-$$x"}, {"name": "c", "value": "{n: 1}", "code": True}]
    assert await data(rendering, {"a.jsonnet": text}, extVars=given) == {"v": "app-$x", "c": "2"}
    text = "function(v, c) " + manifest(data="v: v, c: std.toString(c.n + 1)")
    assert await data(rendering, {"a.jsonnet": text}, tlas=given) == {"v": "app-$x", "c": "2"}


LIBRARY: dict[str, str | bytes] = {
    "app/a.jsonnet": manifest(data="v: (import 'x.libsonnet').v, t: importstr '../text.txt'"),
    "text.txt": "a text",
    "one/x.libsonnet": "{v: 'one'}",
    "two/x.libsonnet": "import 'inner/y.libsonnet'",
    "two/inner/y.libsonnet": "{v: 'two'}",
}


@pytest.mark.parametrize(
    ("more", "libs", "value"),
    [
        ({}, ["one"], "one"),
        ({}, ["one", "two"], "two"),
        ({}, ["/two", "one"], "one"),
        ({"app/x.libsonnet": "{v: 'beside'}"}, ["one", "two"], "beside"),
    ],
)
async def test_files_are_looked_for_as_go_jsonnet_does(
    rendering: Rendering, more: dict[str, str | bytes], libs: list[str], value: str
) -> None:
    assert await data(rendering, {**LIBRARY, **more}, "app", libs=libs) == {"v": value, "t": "a text"}


@pytest.mark.parametrize(
    ("changed", "differs"),
    [
        ("app/a.jsonnet", True),
        ("text.txt", True),
        ("two/inner/y.libsonnet", True),
        ("one/x.libsonnet", False),
        ("other.txt", False),
    ],
)
async def test_a_recipe_depends_on_what_is_imported(
    rendering: Rendering, changed: str, differs: bool
) -> None:
    blocks = {"directory": {"jsonnet": {"libs": ["two"]}}}
    before = await digest(rendering, tree(LIBRARY), "app", **blocks)
    text = str(LIBRARY.get(changed, "")) + "\n"
    after = await digest(Rendering(rendering.sandbox), tree({**LIBRARY, changed: text}), "app", **blocks)
    assert (before != after) is differs


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"jsonnet of \.: a\.jsonnet: .*a\.jsonnet:1:2"),
        ("error 'no such luck'", "no such luck"),
        ("5", r"a\.jsonnet: document 1: an object is expected, found a number"),
        ("{kind: 'ConfigMap'}", r"a\.jsonnet: document 1: apiVersion is missing"),
        ("std.extVar('absent')", "absent"),
        ("import 'absent.libsonnet'", "absent.libsonnet"),
        ("local f(x) = f(x + 1) + 1; f(0)", "stack"),
        ("importstr '/etc/hostname'", "is not in the repository"),
        ("importstr @'/etc/hostname'", "is not in the repository"),
        ("importstr '../../../../../../../../etc/hostname'", "is not in the repository"),
        ("importstr /* hidden */ '/etc/hostname'", "is not in the repository"),
        ("importstr '../job.json'", "is not in the repository"),
    ],
)
async def test_mistakes_are_told_and_nothing_outside_is_read(
    rendering: Rendering, text: str, message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        await rendered(rendering, tree({"a.jsonnet": text}))


async def test_null_is_no_object_and_large_numbers_are_floats(rendering: Rendering) -> None:
    text = "[null, {apiVersion: 'v1', kind: 'A', metadata: {name: 'a'}, n: 1e21}]"
    (found,) = await rendered(rendering, tree({"a.jsonnet": text, "b.jsonnet": "null"}))
    assert found["n"] == 1e21


async def test_a_link_out_of_the_repository_is_refused(rendering: Rendering) -> None:
    files = tree({"a.jsonnet": "importstr 'secret'"}, {"secret": "/etc/hostname"})
    with pytest.raises(Invalid, match="secret"):
        await rendered(rendering, files)


async def test_libraries_that_are_not_there_are_named(rendering: Rendering) -> None:
    with pytest.raises(Invalid, match=r"spec\.source\.directory\.jsonnet\.libs\[1\]: gone: no such folder"):
        await rendered(rendering, tree(LIBRARY), "app", directory={"jsonnet": {"libs": ["one", "gone"]}})
    with pytest.raises(Invalid, match=r"libs\[0\]"):
        await rendered(rendering, tree(LIBRARY), "app", directory={"jsonnet": {"libs": ["../.."]}})


async def test_what_takes_too_long_is_stopped(tmp_path: Path) -> None:
    sandbox = Sandbox(Limits(seconds=30, cpu_seconds=1))
    endless = "std.foldl(function(a, b) a + b, std.range(1, 1000000000), 0)"
    with pytest.raises(Invalid, match="stopped"):
        await rendered(Rendering(sandbox), tree({"a.jsonnet": endless}))
    sandbox.close()


def test_values_are_filled_in_before_the_recipe() -> None:
    app = application(directory={"jsonnet": {"extVars": [{"name": "v", "value": "$X"}], "libs": ["l"]}})
    (source,) = sources.of(app)
    filled = sources.substituted(sources.with_tool(source, sources.DIRECTORY), {"X": "1"})
    assert filled.options == {"jsonnet": {"extVars": [{"name": "v", "value": "1"}], "libs": ["l"]}}
    assert source.options["jsonnet"]["extVars"][0]["value"] == "$X"
