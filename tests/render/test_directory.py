"""Directory sources select and read files as Argo CD does, and say where a mistake is."""

from __future__ import annotations

import json

import pytest
from render_case import config_map, names, rendered, tree

from argosy.errors import Invalid
from hub.render.directory import glob
from hub.render.rendering import Rendering

FILES = {
    "top/a.yaml": config_map("a"),
    "top/b.yml": config_map("b"),
    "top/c.json": json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}),
    "top/notes.txt": "no manifest",
    "top/sub/d.yaml": config_map("d"),
    "top/sub/deep/e.yaml": config_map("e"),
    "other/f.yaml": config_map("f"),
    "top.yaml": config_map("beside"),
}


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, ["a", "b", "c"]),
        ({"recurse": True}, ["a", "b", "c", "d", "e"]),
        ({"recurse": True, "include": "*.yaml"}, ["a", "d", "e"]),
        ({"recurse": True, "include": "{a,b}.*"}, ["a", "b"]),
        ({"recurse": True, "include": "sub/*"}, ["d", "e"]),
        ({"recurse": True, "exclude": "sub/**"}, ["a", "b", "c"]),
        ({"recurse": True, "include": "*.yaml", "exclude": "{sub/deep/*,a.yaml}"}, ["d"]),
        ({"include": "?.y*ml"}, ["a", "b"]),
        ({"include": "[!a]*"}, ["b", "c"]),
    ],
)
async def test_selection(rendering: Rendering, options: dict[str, object], wanted: list[str]) -> None:
    assert names(await rendered(rendering, tree(FILES), "top", directory=options)) == wanted


def test_stars_cross_folders_and_braces_nest() -> None:
    assert glob("a/*/z")("a/b/c/z")
    assert glob("{a,b{1,2}}.yaml")("b2.yaml")
    assert not glob("a.yaml")("aXyaml")
    assert glob(r"a\*")("a*")
    with pytest.raises(ValueError):
        glob("{a,b")


async def test_lists_are_taken_apart_and_empty_documents_left_out(rendering: Rendering) -> None:
    text = (
        "---\n# nothing\n---\napiVersion: v1\nkind: List\nitems:\n"
        "- {apiVersion: v1, kind: ConfigMap, metadata: {name: x}}\n"
        "- apiVersion: v1\n  kind: ConfigMapList\n  items:\n  - {apiVersion: v1, kind: ConfigMap, metadata: {name: v}}\n"
        "---\n" + config_map("z")
    )
    assert names(await rendered(rendering, tree({"a.yaml": text}))) == ["x", "v", "z"]


async def test_files_that_are_no_manifests_are_passed_over(rendering: Rendering) -> None:
    files = {
        "values.yaml": "replicas: 3\nimage: {tag: x}\n",
        "broken.yaml": "{{ if .x }}\na: b: c\n",
        "skipped.yaml": "# +argocd:skip-file-rendering\n" + config_map("skipped"),
        ".argocd-source.yaml": "{}\n",
        "real.yaml": config_map("real"),
    }
    assert names(await rendered(rendering, tree(files))) == ["real"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (
            "a.yaml",
            config_map() + "---\napiVersion: v1\nmetadata: {name: x}\n",
            r"a\.yaml: document 2: kind is missing",
        ),
        ("a.yaml", "kind: ConfigMap\nmetadata: {name: x}\n", r"a\.yaml: document 1: apiVersion is missing"),
        ("a.yaml", config_map() + "---\n- a\n", r"a\.yaml: document 2: an object is expected, found a list"),
        ("a.yaml", config_map() + "---\n  bad: [\n", r"a\.yaml:\d+: "),
        ("a.yaml", config_map() + "data: {}\n", r"a\.yaml:7: the key 'data' stands twice"),
        ("a.yaml", config_map().encode() + b"  bad: \xff\n", r"a\.yaml:7: not UTF-8"),
        (
            "a.yaml",
            "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: " + "[" * 500 + "]" * 500,
            r"a\.yaml:4: nested",
        ),
        ("a.json", '{"kind": "A", "kind": "B"}', r"a\.json: the key 'kind' stands twice"),
        ("a.json", "{} {}", r"a\.json:1: "),
        ("a.json", "[" * 100_000, r"a\.json: nested too deeply|a\.json:1: "),
        ("a.json", '{"apiVersion": "v1", "kind": "A", "x": NaN}', r"a\.json: NaN is no JSON"),
    ],
)
async def test_mistakes_name_the_file_and_the_place(
    rendering: Rendering, name: str, text: str | bytes, message: str
) -> None:
    with pytest.raises(Invalid, match=message):
        await rendered(rendering, tree({f"x/{name}": text}), "x")


async def test_an_alias_bomb_is_refused_at_once(rendering: Rendering) -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{at}: &a{at} [{', '.join([f'*a{at - 1}'] * 9)}]\n" for at in range(1, 12)
    )
    with pytest.raises(Invalid, match=r"bomb\.yaml:\d+: aliases unfold"):
        await rendered(rendering, tree({"bomb.yaml": bomb, "good.yaml": config_map()}))


async def test_more_than_the_limit_of_bytes_is_refused(rendering: Rendering) -> None:
    large = config_map("large") + "# " + "x" * 50_000_000
    with pytest.raises(Invalid, match=r"large\.yaml: the manifests of \. are larger than"):
        await rendered(rendering, tree({"large.yaml": large}))


@pytest.mark.parametrize(
    "target", ["/etc/passwd", "../../outside.yaml", "../../../../etc/passwd", "sub/../../../x.yaml"]
)
async def test_links_out_of_the_repository_are_refused(rendering: Rendering, target: str) -> None:
    files = tree({"x/a.yaml": config_map()}, {"x/link.yaml": target})
    with pytest.raises(
        Invalid, match=r"x/link\.yaml: the symbolic link x/link\.yaml leads out of the repository"
    ):
        await rendered(rendering, files, "x")


async def test_links_within_the_repository_are_followed(rendering: Rendering) -> None:
    files = tree({"shared/a.yaml": config_map("shared")}, {"x/link.yaml": "../shared/a.yaml", "y": "x"})
    assert names(await rendered(rendering, files, "x")) == ["shared"]
    assert names(await rendered(rendering, files, "y")) == ["shared"]


async def test_links_to_no_file_are_passed_over(rendering: Rendering) -> None:
    files = tree(
        {"x/a.yaml": config_map()},
        {"x/b.yaml": "absent.yaml", "x/c.yaml": ".", "y/kustomization.yaml": "..data/k.yaml"},
    )
    assert names(await rendered(rendering, files, "x")) == ["one"]
    with pytest.raises(
        Invalid, match=r"y/kustomization\.yaml: the symbolic link leads to y/\.\.data/k\.yaml"
    ):
        await rendered(rendering, files, "y")


async def test_folders_are_walked_in_the_order_of_names(rendering: Rendering) -> None:
    """A folder before the file that begins with its name, although `/` comes after `.`: the later object counts."""
    files = tree(
        {f"{name}.yaml": config_map(name.replace("/", "-")) for name in ("a", "a/x", "a-b", "b/a/z", "b")}
    )
    assert names(await rendered(rendering, files, directory={"recurse": True})) == [
        "a-x",
        "a-b",
        "a",
        "b-a-z",
        "b",
    ]


async def test_a_list_of_items_is_taken_apart_whatever_its_kind(rendering: Rendering) -> None:
    def bag(items: object, **more: object) -> str:
        return json.dumps(
            {"apiVersion": "v1", "kind": "Bag", "metadata": {"name": "bag"}, "items": items, **more}
        )

    inner = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "inner"}}
    files = tree(
        {"a.json": bag([inner]), "b.json": bag(None), "c.json": bag(None, spec={}), "d.json": bag({})}
    )
    assert names(await rendered(rendering, files)) == ["inner", "bag", "bag"]


async def test_files_put_together_are_read_document_by_document(rendering: Rendering) -> None:
    mark = "\ufeff"
    files = tree({"a.yaml": f"{config_map('a')}---\n{mark}{config_map('b')}--- # c\n# nothing\n"})
    assert names(await rendered(rendering, files)) == ["a", "b"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
async def test_a_byte_order_mark_says_how_a_file_is_written(rendering: Rendering, encoding: str) -> None:
    found = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "b"},
        "data": {"k": "\u00e9\u65e5"},
    }
    files = tree(
        {
            "a.yaml": config_map("a").replace("\n", "\r\n").encode(encoding),
            "b.json": json.dumps(found, ensure_ascii=False).encode(encoding),
            "c.yaml": ("# +argocd:skip-file-rendering\n" + config_map("c")).encode(encoding),
        }
    )
    objects = await rendered(rendering, files)
    assert names(objects) == ["a", "b"]
    assert objects[1] == found


async def test_half_a_sign_of_utf_16_is_told(rendering: Rendering) -> None:
    with pytest.raises(Invalid, match=r"a\.yaml: not UTF-16"):
        await rendered(rendering, tree({"a.yaml": config_map().encode("utf-16") + b"x"}))


async def test_an_object_before_what_cannot_be_read_is_not_lost_in_silence(rendering: Rendering) -> None:
    text = json.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}})
    with pytest.raises(Invalid, match=r"a\.yaml:\d+: "):
        await rendered(rendering, tree({"a.yaml": f"{text}\n---\nfoo: [\n"}))


async def test_whole_numbers_beyond_64_bits_are_kept_as_floats(rendering: Rendering) -> None:
    text = '{"apiVersion": "v1", "kind": "A", "metadata": {"name": "a"}, "n": 1000000000000000000000}'
    (found,) = await rendered(rendering, tree({"a.json": text}))
    assert found["n"] == 1e21
    assert isinstance(found["n"], float)


async def test_links_in_circles_are_refused(rendering: Rendering) -> None:
    with pytest.raises(Invalid, match="circle"):
        await rendered(
            rendering, tree({"x/a.yaml": config_map()}, {"x/b.yaml": "c.yaml", "x/c.yaml": "b.yaml"}), "x"
        )


@pytest.mark.parametrize("path", ["../x", "/etc", "x/../../y"])
async def test_paths_out_of_the_repository_are_refused(rendering: Rendering, path: str) -> None:
    with pytest.raises(Invalid, match=r"spec\.source\.path"):
        await rendered(rendering, tree({"x/a.yaml": config_map()}), path)


async def test_a_folder_that_is_not_there(rendering: Rendering) -> None:
    with pytest.raises(Invalid, match=r"spec\.source\.path: absent: no such folder at cccc"):
        await rendered(rendering, tree({"x/a.yaml": config_map()}), "absent")


async def test_what_is_not_supported_is_refused_by_name(rendering: Rendering) -> None:
    chart = tree({"a.yaml": config_map()})
    with pytest.raises(Invalid, match=r"spec\.source\.plugin: config management plugins are not supported"):
        await rendered(rendering, chart, plugin={"name": "p"})
    with pytest.raises(Invalid, match=r"(helm and kustomize|kustomize and helm) exclude each other"):
        await rendered(rendering, chart, helm={"releaseName": "x"}, kustomize={"namePrefix": "x"})
