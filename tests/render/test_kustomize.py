"""kustomize builds what lies in the tree, and never what lies elsewhere."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from render_case import application, config_map, names, needs_kustomize, rendered, tree

from argosy.errors import ArgosyError, Invalid, Unavailable
from hub.core.apps import sources
from hub.render import edit, prescan
from hub.render.rendering import Rendering, Setting
from hub.render.sandbox import Limits, Sandbox

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: web, image: "nginx:1.0"}]
"""
FILES: dict[str, str | bytes] = {
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": DEPLOYMENT,
    "prod/kustomization.yaml": "namePrefix: old-\nresources: [../base]\nimages: [{name: nginx, newTag: '2.0'}]\n",
    "part/kustomization.yaml": (
        "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [extra.yaml]\n"
    ),
    "part/extra.yaml": config_map("extra"),
}


@needs_kustomize
async def test_an_overlay_is_built(rendering: Rendering) -> None:
    (web,) = await rendered(rendering, tree(FILES), "prod")
    assert web["metadata"]["name"] == "old-web"
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:2.0"


@needs_kustomize
async def test_the_applications_block_changes_the_kustomization_itself(rendering: Rendering) -> None:
    objects = await rendered(
        rendering,
        tree(FILES),
        "prod",
        kustomize={
            "namePrefix": "new-",
            "nameSuffix": "-x",
            "namespace": "ns",
            "images": ["nginx=registry.example.com:5000/nginx:3.0"],
            "replicas": [{"name": "web", "count": "4"}],
            "commonLabels": {"owner": "$ARGOCD_APP_NAME"},
            "labelWithoutSelector": True,
            "commonAnnotations": {"note": "$ARGOCD_APP_NAME"},
            "patches": [
                {
                    "target": {"kind": "Deployment"},
                    "patch": "- {op: add, path: /metadata/labels, value: {p: 'y'}}",
                }
            ],
            "components": ["../part", "../absent"],
            "ignoreMissingComponents": True,
        },
    )
    web = next(each for each in objects if each["kind"] == "Deployment")
    assert web["metadata"]["name"] == "new-web-x"
    assert web["metadata"]["namespace"] == "ns"
    assert web["metadata"]["labels"] == {"owner": "app", "p": "y"}
    assert web["metadata"]["annotations"] == {"note": "$ARGOCD_APP_NAME"}
    assert web["spec"]["replicas"] == 4
    assert web["spec"]["selector"] == {"matchLabels": {"app": "web"}}
    assert web["spec"]["template"]["spec"]["containers"][0]["image"] == "registry.example.com:5000/nginx:3.0"
    assert "new-extra-x" in names(objects)


@needs_kustomize
async def test_source_overrides_in_the_repository_count(rendering: Rendering) -> None:
    files = {**FILES, "prod/.argocd-source-app.yaml": "kustomize: {namePrefix: mine-}\npath: base\n"}
    assert names(await rendered(rendering, tree(files), "prod", kustomize={"nameSuffix": "-z"})) == [
        "mine-web-z"
    ]


@needs_kustomize
async def test_equal_ingredients_are_rendered_once(rendering: Rendering) -> None:
    files = tree(FILES)
    found = await asyncio.gather(*(rendered(rendering, files, "prod") for _ in range(20)))
    assert rendering.renders == 1
    assert all(each == found[0] for each in found)


REMOTES = [
    ("resources", ["http://127.0.0.1:{port}/x.yaml"]),
    ("resources", ["https://github.com/org/repo//base?ref=v1"]),
    ("resources", ["github.com/org/repo"]),
    ("resources", ["git@github.com:org/repo.git"]),
    ("resources", ["git::ssh://git@host/org/repo"]),
    ("resources", ["ssh://git@host/repo"]),
    ("resources", ["file:///etc"]),
    ("bases", ["http://127.0.0.1:{port}/base"]),
    ("components", ["http://127.0.0.1:{port}/part"]),
    ("crds", ["http://127.0.0.1:{port}/x.yaml"]),
    ("configurations", ["http://127.0.0.1:{port}/x.yaml"]),
    ("openapi", {"path": "http://127.0.0.1:{port}/x.json"}),
    ("patches", [{"path": "http://127.0.0.1:{port}/x.yaml"}]),
    ("patchesStrategicMerge", ["http://127.0.0.1:{port}/x.yaml"]),
    ("patchesJson6902", [{"path": "http://127.0.0.1:{port}/x.yaml", "target": {"kind": "A"}}]),
    ("replacements", [{"path": "http://127.0.0.1:{port}/x.yaml"}]),
    ("configMapGenerator", [{"name": "a", "files": ["http://127.0.0.1:{port}/x"]}]),
    ("configMapGenerator", [{"name": "a", "files": ["k=http://127.0.0.1:{port}/x"]}]),
    ("secretGenerator", [{"name": "a", "envs": ["http://127.0.0.1:{port}/x"]}]),
    ("configMapGenerator", [{"name": "a", "env": "http://127.0.0.1:{port}/x"}]),
    ("generators", ["http://127.0.0.1:{port}/x.yaml"]),
    ("generators", ["kind: ConfigMapGenerator\nmetadata: {name: a}\nfiles: ['http://127.0.0.1:{port}/x']\n"]),
    ("transformers", ["apiVersion: builtin\nkind: PatchTransformer\nmetadata: {name: a}\npath: http://127.0.0.1:{port}/x\n"]),
    ("transformers", ["http://127.0.0.1:{port}/x.yaml"]),
    ("validators", ["http://127.0.0.1:{port}/x.yaml"]),
    ("transformers", ["kind: ReplacementTransformer\nreplacements: [{path: 'http://127.0.0.1:{port}/x'}]\n"]),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), REMOTES)
async def test_no_field_reaches_the_network(rendering: Rendering, field: str, value: Any) -> None:
    asked: list[str] = []

    class Remote(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *args: Any) -> None:
            pass

    remote = HTTPServer(("127.0.0.1", 0), Remote)
    threading.Thread(target=remote.serve_forever, args=(0.05,), daemon=True).start()
    text = json.dumps({field: value}).replace("{port}", str(remote.server_address[1]))
    files = tree({"over/kustomization.yaml": "resources: [../x]\n", "x/kustomization.yaml": text})
    with pytest.raises(Invalid, match=rf"x/kustomization\.yaml: {field}\b.*(remote|inside the repository)"):
        await rendered(rendering, files, "over")
    remote.shutdown()
    remote.server_close()
    assert asked == []


@needs_kustomize
async def test_a_process_of_the_sandbox_has_no_network() -> None:
    """The second wall: even what the prescan would miss finds nobody to talk to."""
    sandbox = Sandbox()
    if not await sandbox.isolated():
        pytest.skip("the kernel allows no network namespace to this user")
    listener = HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    program = f"import socket; socket.create_connection(('127.0.0.1', {listener.server_address[1]}), 2)"
    with pytest.raises(Invalid, match=r"Network is unreachable|refused"):
        await sandbox.run([sys.executable, "-c", program], folder="/", what="probe")
    listener.server_close()
    sandbox.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("resources: [/etc/passwd]", r"resources\[0\]: /etc/passwd is absolute"),
        ("resources: [../../../etc/passwd]", r"resources\[0\]: .*leads out of the repository"),
        ("resources: [absent.yaml]", r"resources\[0\]: absent\.yaml: no such file or folder"),
        ("resources: [../plain]", r"plain: no kustomization\.yaml"),
        ("resources: text", r"resources: a list is expected"),
        ("resources: [{a: b}]", r"resources\[0\]: a path inside the repository is expected"),
        ("helmCharts: [{name: x, repo: 'https://x'}]", r"helmCharts: Helm charts are not supported"),
        ("generators: [helm.yaml]", r"HelmChartInflationGenerator: Helm charts are not supported"),
        ("transformers: [function.yaml]", r"functions .* are not supported"),
        ("resources: []\nresources: []", r"kustomization\.yaml:2: the key 'resources' stands twice"),
        ("- a", r"kustomization\.yaml: a mapping is expected"),
        ("Resources: ['http://127.0.0.1:9/x']", r"Resources: kustomize reads this as resources"),
        ("re\u017fources: ['http://127.0.0.1:9/x']", r"kustomize reads this as resources"),
        ("patches: [{Path: 'http://127.0.0.1:9/x'}]", r"patches\[0\]: Path: kustomize reads this as path"),
        ("openapi: {PATH: 'http://127.0.0.1:9/x'}", r"openapi: PATH: kustomize reads this as path"),
        ("configMapGenerator: [{name: a, Files: [x]}]", r"configMapGenerator\[0\]: Files: kustomize reads"),
        ("transformers: ['kind: PatchTransformer\n\n  Path: x\n\n']", r"Path: kustomize reads this as path"),
        ("transformers: [../plugins]", r"plugins/kustomization\.yaml: resources\[0\].*: path: .* is remote"),
        ("generators: [../changed]", r"changed/kustomization\.yaml: patches: .* may have resources alone"),
        ("patches: [{path: link.yaml}]", r"patches\[0\]\.path: the symbolic link x/link\.yaml leads out"),
    ],
)
async def test_mistakes_name_the_kustomization_and_the_field(
    rendering: Rendering, text: str, message: str
) -> None:
    files = tree(
        {
            "x/kustomization.yaml": text,
            "plain/a.yaml": config_map(),
            "plugins/kustomization.yaml": "resources: [a.yaml]\n",
            "plugins/a.yaml": "apiVersion: builtin\nkind: PatchTransformer\npath: http://127.0.0.1:9/x\n",
            "changed/kustomization.yaml": "resources: []\npatches: [{patch: x}]\n",
            "x/helm.yaml": "apiVersion: builtin\nkind: HelmChartInflationGenerator\nmetadata: {name: x}\n",
            "x/function.yaml": "kind: F\nmetadata: {annotations: {config.kubernetes.io/function: 'exec: {path: ./x}'}}\n",
        },
        {"x/link.yaml": "/etc/passwd"},
    )
    with pytest.raises(Invalid, match=message):
        await rendered(rendering, files, "x")


async def test_a_link_out_of_the_repository_inside_a_build_is_refused(rendering: Rendering) -> None:
    files = tree({"x/kustomization.yaml": "resources: []\n"}, {"x/evil": "../../../etc"})
    with pytest.raises(Invalid, match=r"x/evil: the symbolic link x/evil leads out"):
        await rendered(rendering, files, "x")


@needs_kustomize
async def test_vendored_paths_and_links_within_the_repository_work(rendering: Rendering) -> None:
    files = tree(
        {
            "x/kustomization.yaml": "resources: [../vendor/github.com/org/crds, ../linked]\n",
            "vendor/github.com/org/crds/kustomization.yaml": "resources: [a.yaml]\n",
            "vendor/github.com/org/crds/a.yaml": config_map("vendored"),
            "real/kustomization.yaml": "resources: [b.yaml]\n",
            "real/b.yaml": config_map("real"),
            "y/..data/k.yaml": "resources: [c.yaml]\n",
            "y/c.yaml": config_map("linked"),
        },
        {"linked": "real", "y/kustomization.yaml": "..data/k.yaml"},
    )
    assert sorted(names(await rendered(rendering, files, "x"))) == ["real", "vendored"]
    assert names(await rendered(rendering, files, "y")) == ["linked"]


@needs_kustomize
async def test_kustomizes_own_complaint_is_told_without_our_folders(rendering: Rendering) -> None:
    files = tree(
        {
            "x/kustomization.yaml": "resources: [a.yaml, b.yaml]\n",
            "x/a.yaml": config_map(),
            "x/b.yaml": config_map(),
        }
    )
    with pytest.raises(
        Invalid, match=r"kustomize build x: .*may not add resource with an already registered id"
    ) as found:
        await rendered(rendering, files, "x")
    assert "argosy-render" not in found.value.message


async def test_a_circle_of_bases_ends(rendering: Rendering) -> None:
    files = tree(
        {"x/kustomization.yaml": "resources: [../y]\n", "y/kustomization.yaml": "resources: [../x]\n"}
    )
    assert prescan.scan(files, "x").folders == {"x", "y"}
    with pytest.raises(Invalid):
        await rendered(rendering, files, "x")


@pytest.mark.parametrize(
    ("program", "limits", "message"),
    [
        ("while True: pass", Limits(cpu_seconds=1), r"more than 1 s of CPU time"),
        (
            "x = bytearray(3 * 1024**3); print(len(x))",
            Limits(memory_bytes=512 * 1024**2),
            r"memory|MemoryError",
        ),
        ("while True: print('x' * 1000)", Limits(output_bytes=100_000), r"wrote more than 100000 bytes"),
        ("import time; time.sleep(60)", Limits(seconds=0.5), r"did not end within 0\.5 s"),
        (
            "open('f', 'wb').write(b'x' * 2_000_000)",
            Limits(file_bytes=1_000_000),
            r"File too large|signal 25",
        ),
    ],
)
async def test_a_tool_beyond_its_limits_is_stopped(
    tmp_path: Path, program: str, limits: Limits, message: str
) -> None:
    sandbox = Sandbox(limits)
    with pytest.raises(ArgosyError, match=message):
        await sandbox.run([sys.executable, "-c", program], folder=str(tmp_path), what="tool")
    sandbox.close()


async def test_children_of_a_stopped_tool_are_stopped_with_it(tmp_path: Path) -> None:
    program = f"sleep 61.{tmp_path.name.__hash__() % 100000} & sleep 60"
    sandbox = Sandbox(Limits(seconds=0.5))
    with pytest.raises(Unavailable):
        await sandbox.run(["/bin/sh", "-c", program], folder=str(tmp_path), what="tool")
    assert _running(program.split(" & ")[0].replace(" ", "\0")) == []
    sandbox.close()


def _running(command: str) -> list[Path]:
    return [place for place in Path("/proc").glob("[0-9]*/cmdline") if _starts(place, command)]


def _starts(place: Path, command: str) -> bool:
    try:
        return place.read_bytes().startswith(command.encode())
    except OSError:
        return False


@pytest.mark.parametrize(
    ("text", "entry"),
    [
        ("nginx:1.2", {"name": "nginx", "newTag": "1.2"}),
        ("nginx=mine", {"name": "nginx", "newName": "mine"}),
        (
            "nginx=host:5000/mine:1@sha256:ab",
            {"name": "nginx", "newName": "host:5000/mine", "newTag": "1", "digest": "sha256:ab"},
        ),
        ("host:5000/a/b@sha256:ab", {"name": "host:5000/a/b", "digest": "sha256:ab"}),
    ],
)  # fmt: skip
def test_image_overrides(text: str, entry: dict[str, str]) -> None:
    assert edit.image(text) == entry


def test_edits_follow_kustomize_edit() -> None:
    known = {
        "images": [{"name": "a", "newName": "x", "newTag": "1"}, {"name": "b", "newTag": "2"}],
        "replicas": [{"name": "web", "count": 1}],
        "commonLabels": {"team": "one"},
        "patches": [{"patch": "first"}],
    }
    found = edit.applied(
        known,
        {"images": ["a=y:*"], "replicas": [{"name": "web", "count": 3}], "patches": [{"patch": "second"}]},
        "s",
    )
    assert found["images"] == [{"name": "a", "newName": "y", "newTag": "1"}, {"name": "b", "newTag": "2"}]
    assert found["replicas"] == [{"name": "web", "count": 3}]
    assert [patch["patch"] for patch in found["patches"]] == ["first", "second"]
    with pytest.raises(Invalid, match=r"s\.kustomize\.commonLabels: team is already"):
        edit.applied(known, {"commonLabels": {"team": "two"}}, "s")
    forced = edit.applied(known, {"commonLabels": {"team": "two"}, "forceCommonLabels": True}, "s")
    assert forced["commonLabels"] == {"team": "two"}
    assert known["commonLabels"] == {"team": "one"}
    with pytest.raises(Invalid, match=r"s\.kustomize\.version is not supported"):
        edit.check({"version": "v4"}, "s")


async def test_the_build_environment_reaches_images(rendering: Rendering) -> None:
    pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: nginx}]}\n"
    files = tree({"kustomization.yaml": "resources: [p.yaml]\n", "p.yaml": pod})
    (found,) = await rendered(rendering, files, kustomize={"images": ["nginx:${ARGOCD_APP_REVISION_SHORT}"]})
    assert found["spec"]["containers"][0]["image"] == "nginx:ccccccc"


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        ("", ()),
        ("--load-restrictor LoadRestrictionsNone", ("--load-restrictor=LoadRestrictionsNone",)),
        (
            "--load-restrictor=LoadRestrictionsNone --reorder=none --enable-managedby-label",
            ("--load-restrictor=LoadRestrictionsNone", "--reorder=none", "--enable-managedby-label"),
        ),
    ],
)
def test_build_options(text: str, flags: tuple[str, ...]) -> None:
    assert edit.build_options(text) == flags


@pytest.mark.parametrize(
    "text", ["--enable-helm", "--enable-exec", "--network", "--helm-command=x", "--reorder=x", "-o /x"]
)
def test_build_options_that_reach_out_are_refused(text: str) -> None:
    with pytest.raises(Invalid, match=r"kustomize\.buildOptions: "):
        edit.build_options(text)


async def test_build_options_take_effect(rendering: Rendering) -> None:
    files = tree({"a/kustomization.yaml": "resources: [../cm.yaml]\n", "cm.yaml": config_map("outside")})
    app = application("a")
    (source,) = sources.of(app)
    with pytest.raises(Invalid, match=r"LoadRestrictions|security|not in or below"):
        await rendering.objects(await rendering.prepare(app, source, files))
    setting = Setting("--load-restrictor LoadRestrictionsNone")
    assert names(await rendering.objects(await rendering.prepare(app, source, files, setting))) == ["outside"]


@pytest.mark.parametrize(
    ("known", "wanted", "found"),
    [
        ([], ["nginx=*:5"], [{"name": "nginx", "newTag": "5"}]),
        ([{"name": "nginx", "newName": "n", "newTag": "1"}], ["nginx=*:5"],
         [{"name": "nginx", "newName": "n", "newTag": "5"}]),
        ([{"name": "nginx", "newTag": "1"}], ["nginx=other:*"], [{"name": "nginx", "newName": "other", "newTag": "1"}]),
        ([{"name": "a", "newTag": "1"}, {"name": "a", "newTag": "2"}], ["b:3"],
         [{"name": "a", "newTag": "1"}, {"name": "b", "newTag": "3"}]),
    ],
)  # fmt: skip
def test_images_are_set_as_kustomize_edit_sets_them(known: Any, wanted: list[str], found: Any) -> None:
    assert edit.applied({"images": known}, {"images": wanted}, "spec.source")["images"] == found


@needs_kustomize
async def test_a_number_for_a_tag_is_told_with_its_place(rendering: Rendering) -> None:
    files = {
        **FILES,
        "base/kustomization.yaml": "resources: [web.yaml]\nimages: [{name: nginx, newTag: 1.10}]\n",
    }
    with pytest.raises(
        Invalid, match=r"base/kustomization\.yaml: images\[0\]\.newTag: 1\.1 is no text; write it in quotes"
    ):
        await rendered(rendering, tree(files), "prod")


def test_quotes_around_labels_and_annotations_are_taken_for_the_shells() -> None:
    options = {"commonLabels": {"a": '"x"', "b": '"'}, "commonAnnotations": {"c": '"y"'}}
    found = edit.applied({}, options, "spec.source")
    assert found["commonLabels"] == {"a": "x", "b": '"'}
    assert found["commonAnnotations"] == {"c": "y"}


@needs_kustomize
async def test_a_folder_without_a_kustomization_is_a_missing_component(rendering: Rendering) -> None:
    files = tree({**FILES, "empty/notes.txt": "nothing"})
    options = {"components": ["../empty", "../part", "../absent"], "ignoreMissingComponents": True}
    assert "old-extra" in names(await rendered(rendering, files, "prod", kustomize=options))


@needs_kustomize
async def test_an_empty_document_after_the_kustomization_is_none(rendering: Rendering) -> None:
    files = tree({"kustomization.yaml": "resources: [a.yaml]\n---\n# nothing\n", "a.yaml": config_map("a")})
    assert names(await rendered(rendering, files)) == ["a"]


async def test_a_version_of_kubernetes_that_is_none_is_told(rendering: Rendering) -> None:
    with pytest.raises(Invalid, match=r"spec\.source\.kustomize\.kubeVersion: 'newest' is no version"):
        await rendered(
            rendering, tree(FILES), "prod", kustomize={"kubeVersion": "newest", "namePrefix": "x-"}
        )
