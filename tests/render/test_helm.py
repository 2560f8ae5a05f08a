"""Helm sources give what Argo CD gives: flags, precedence, names of files, and nothing from outside."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from chart_case import SHOWING, below, chart, packed
from render_case import application, tree

from argosy.errors import Invalid, Unavailable
from argosy.objects import Manifest
from hub.core.apps import sources
from hub.core.apps.mounted import Mounted
from hub.core.tree import MemoryTree, Tree
from hub.render import helm, supplies, values
from hub.render.base import Asks, Kube
from hub.render.rendering import Rendering, Setting
from hub.render.sandbox import Limits, Sandbox
from hub.render.supplies import Supplies

pytestmark = pytest.mark.usefixtures("helm")


async def helmed(
    rendering: Rendering, files: Tree, path: str = ".", *, setting: Setting | None = None, **helm: Any
) -> list[Manifest]:
    app = application(path, helm=helm)
    (source,) = sources.of(app)
    return await rendering.objects(await rendering.prepare(app, source, files, setting or Setting()))


async def shown(rendering: Rendering, files: Tree, path: str = ".", **helm: Any) -> dict[str, Any]:
    """The values that the chart was given."""
    (config_map,) = await helmed(rendering, files, path, **helm)
    found: dict[str, Any] = json.loads(config_map["data"]["values"])
    return found


async def test_a_chart_is_found_by_its_file_and_named_after_the_application(rendering: Rendering) -> None:
    app = application("charts/web")
    (source,) = sources.of(app)
    files = tree(below("charts/web", chart()))
    (found,) = await rendering.objects(await rendering.prepare(app, source, files))
    assert found["metadata"]["name"] == "app-shown"
    assert found["data"]["namespace"] == "there"
    assert found["data"]["chart"] == "web-1.2.3"


async def test_release_name_and_namespace_can_be_given(rendering: Rendering) -> None:
    (found,) = await helmed(rendering, tree(chart()), releaseName="mine", namespace="elsewhere")
    assert found["metadata"]["name"] == "mine-shown"
    assert found["data"]["namespace"] == "elsewhere"


async def test_precedence(rendering: Rendering) -> None:
    """Parameters over valuesObject over later files over earlier ones over the chart's own values."""
    files = tree(
        {**chart(), "one.yaml": "a: one\nb: one\nc: one\nd: one\n", "two.yaml": "b: two\nc: two\nd: two\n"}
    )
    found = await shown(
        rendering,
        files,
        valueFiles=["one.yaml", "two.yaml"],
        values="c: ignored\nx: ignored\n",
        valuesObject={"c": "object", "d": "object"},
        parameters=[{"name": "d", "value": "parameter"}],
    )
    assert found == {"from": "chart", "a": "one", "b": "two", "c": "object", "d": "parameter"}
    found = await shown(rendering, files, valueFiles=["one.yaml"], values="a: text\n")
    assert found["a"] == "text"


async def test_parameters_are_typed_unless_forced_and_commas_are_text(rendering: Rendering) -> None:
    found = await shown(
        rendering,
        tree(chart()),
        parameters=[
            {"name": "number", "value": "1"},
            {"name": "text", "value": "1", "forceString": True},
            {"name": "comma", "value": "a,b"},
            {"name": "escaped", "value": "a\\,b"},
            {"name": "list", "value": "{a,b}"},
            {"name": "twice", "value": "first"},
            {"name": "twice", "value": "second"},
            {"name": "deep.er[0]", "value": "x"},
        ],
    )
    assert found == {
        "from": "chart",
        "number": 1,
        "text": "1",
        "comma": "a,b",
        "escaped": "a,b",
        "list": ["a", "b"],
        "twice": "second",
        "deep": {"er": ["x"]},
    }


async def test_file_parameters(rendering: Rendering) -> None:
    files = tree({**below("web", chart()), "shared/motd": "hello, world\n"})
    found = await shown(rendering, files, "web", fileParameters=[{"name": "motd", "path": "../shared/motd"}])
    assert found["motd"] == "hello, world\n"
    with pytest.raises(Invalid, match=r"helm\.fileParameters\[0\]\.path: absent: no such file"):
        await shown(rendering, files, "web", fileParameters=[{"name": "motd", "path": "absent"}])


async def test_helms_words_name_the_files_of_the_user(rendering: Rendering) -> None:
    files = tree({**chart(), "good.yaml": "a: 1\n", "env/bad.yaml": "a: [\n"})
    with pytest.raises(Invalid, match=r"failed to parse env/bad\.yaml"):
        await shown(rendering, files, valueFiles=["good.yaml", "env/bad.yaml"])
    with pytest.raises(Invalid, match=r"failed to parse spec\.source\.helm\.values: "):
        await shown(rendering, files, values="a: [\n")


async def test_of_file_parameters_with_one_name_the_last_counts(rendering: Rendering) -> None:
    files = tree({**chart(), "motd": "hello"})
    listed = [{"name": "motd", "path": "absent"}, {"name": "motd", "path": "motd"}]
    assert (await shown(rendering, files, fileParameters=listed))["motd"] == "hello"


@pytest.mark.parametrize(
    ("said", "clusters", "wanted"),
    [
        ("", "v1.31.2-gke.12", "v1.31.2"),
        ("", "v1.31.4+k3s1", "v1.31.4"),
        ("1.30+", "v1.31.2", "v1.30"),
        ("v1.30.1-eks-1", "v1.31.2", "v1.30.1"),
    ],
)
async def test_versions_of_kubernetes_lose_what_distributions_add(
    rendering: Rendering, said: str, clusters: str, wanted: str
) -> None:
    async def kube() -> Kube:
        return Kube(clusters)

    text = "apiVersion: v1\nkind: A\nmetadata: {name: a}\nversion: {{ .Capabilities.KubeVersion.Version }}\n"
    files = tree({**chart(), "templates/shown.yaml": text})
    (found,) = await helmed(rendering, files, setting=Setting(kube=kube), kubeVersion=said)
    assert found["version"] == wanted


async def test_a_version_that_is_none_is_told(rendering: Rendering) -> None:
    with pytest.raises(
        Invalid, match=r"spec\.source\.helm\.kubeVersion: 'newest' is no version of Kubernetes"
    ):
        await helmed(rendering, tree(chart()), kubeVersion="newest")


async def test_the_build_environment_is_put_in(rendering: Rendering) -> None:
    files = tree({**chart(), "app.yaml": "file: app\n"})
    found = await shown(
        rendering,
        files,
        valueFiles=["$ARGOCD_APP_NAME.yaml"],
        parameters=[
            {"name": "commit", "value": "${ARGOCD_APP_REVISION_SHORT}"},
            {"name": "price", "value": "$$5"},
        ],
    )
    assert found == {"from": "chart", "file": "app", "commit": "ccccccc", "price": "$5"}


class TestValueFiles:
    """Which files are meant, without starting helm."""

    FILES = tree(
        {
            **below("web", chart()),
            **{f"web/env/{name}.yaml": f"{name}: 1\n" for name in ("b", "a", "c")},
            "web/env/deep/d.yaml": "d: 1\n",
            "common.yaml": "common: 1\n",
        },
        {"web/linked.yaml": "../common.yaml", "web/out.yaml": "../../etc/passwd"},
    )

    def named(self, *listed: str, files: Tree | None = None, **helm: Any) -> list[str]:
        (source,) = sources.of(application("web", helm={"valueFiles": list(listed), **helm}))
        return values.value_files(source, files or self.FILES)

    def test_relative_absolute_and_linked(self) -> None:
        assert self.named("env/a.yaml", "/common.yaml", "../common.yaml") == [
            "web/env/a.yaml",
            "common.yaml",
        ]
        assert self.named("linked.yaml") == ["common.yaml"]

    def test_of_a_file_that_is_listed_twice_the_first_place_counts(self) -> None:
        assert self.named("env/a.yaml", "env/b.yaml", "./env/a.yaml") == ["web/env/a.yaml", "web/env/b.yaml"]

    def test_braces_alone_make_no_pattern(self) -> None:
        with pytest.raises(Invalid, match=r"env/\{a,b\}\.yaml: no such file"):
            self.named("env/{a,b}.yaml")
        assert self.named("env/{b,a}*.yaml") == ["web/env/a.yaml", "web/env/b.yaml"]

    def test_globs_are_in_order_and_a_listed_file_keeps_its_place(self) -> None:
        assert self.named("env/*.yaml") == [f"web/env/{name}.yaml" for name in "abc"]
        assert self.named("env/**/*.yaml") == [f"web/env/{name}.yaml" for name in ("a", "b", "c", "deep/d")]
        assert self.named("env/*.yaml", "env/a.yaml") == [f"web/env/{name}.yaml" for name in "bca"]

    def test_what_is_missing_is_an_error_or_left_out(self) -> None:
        with pytest.raises(Invalid, match=r"spec\.source\.helm\.valueFiles\[1\]: absent\.yaml: no such file"):
            self.named("env/a.yaml", "absent.yaml")
        with pytest.raises(Invalid, match=r"valueFiles\[0\]: no/\*\.yaml matches no file"):
            self.named("no/*.yaml")
        assert self.named("absent.yaml", "no/*.yaml", "env/a.yaml", ignoreMissingValueFiles=True) == [
            "web/env/a.yaml"
        ]

    @pytest.mark.parametrize(
        ("path", "message"),
        [
            ("../../x.yaml", "leads out of the repository"),
            ("out.yaml", "leads out of the repository"),
            ("https://example.com/x.yaml", "is remote"),
            ("$absent/x.yaml", "no source has the ref 'absent'"),
            ("../../*.yaml", "leads out of the repository"),
        ],
    )
    def test_what_is_refused(self, path: str, message: str) -> None:
        with pytest.raises(Invalid, match=message):
            self.named(path)

    def test_references_are_relative_to_their_own_root(self) -> None:
        other = tree({"env/prod.yaml": "x: 1\n"}, {"evil.yaml": "../web/values.yaml"})
        files = Mounted(self.FILES, refs={"values": other})
        assert self.named("$values/env/prod.yaml", "$values/env/*.yaml", "values.yaml", files=files) == [
            "$values/env/prod.yaml",
            "web/values.yaml",
        ]
        with pytest.raises(Invalid, match="leads out of the repository"):
            self.named("$values/evil.yaml", files=files)
        with pytest.raises(Invalid, match="leads out of the repository"):
            self.named("$values/../web/values.yaml", files=files)


async def test_values_of_another_repository(rendering: Rendering) -> None:
    app = application()
    app["spec"]["sources"] = [
        {
            "repoURL": "https://git.example.com/charts",
            "path": "web",
            "helm": {"valueFiles": ["$v/prod.yaml"]},
        },
        {"repoURL": "https://git.example.com/values", "ref": "v"},
    ]
    chart_source, reference = sources.of(app)
    assert not reference.renders
    results = []
    for value in ("one", "two", "two"):
        refs = {"v": MemoryTree({"prod.yaml": f"env: {value}\n".encode()}, value)}
        whole = await Supplies(_none).whole(chart_source, tree(below("web", chart())), refs)
        prepared = await rendering.prepare(app, chart_source, whole)
        (found,) = await rendering.objects(prepared)
        results.append((prepared.ingredient.digest, json.loads(found["data"]["values"])["env"]))
    assert [value for _, value in results] == ["one", "two", "two"]
    assert results[0][0] != results[1][0] == results[2][0]
    assert rendering.renders == 2


async def _none(address: str, version: str) -> Tree:
    raise AssertionError(f"{address} {version} is not to be fetched")


CRD = "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: x.y}\n"
TEST_POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: t, annotations: {helm.sh/hook: test}}\n"
HOOK = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: h, annotations: {helm.sh/hook: pre-install}}\n"


async def test_definitions_hooks_and_tests(rendering: Rendering) -> None:
    files = tree({**chart(), "crds/x.yaml": CRD, "templates/t.yaml": TEST_POD, "templates/h.yaml": HOOK})
    kinds = sorted(one["kind"] for one in await helmed(rendering, files))
    assert kinds == ["ConfigMap", "CustomResourceDefinition", "Job", "Pod"]
    found = await helmed(rendering, files, skipCrds=True, skipTests=True)
    assert sorted(one["kind"] for one in found) == ["ConfigMap", "Job"]
    (job,) = (one for one in found if one["kind"] == "Job")
    assert job["metadata"]["annotations"] == {"helm.sh/hook": "pre-install"}


async def test_the_schema_of_values_counts_unless_skipped(rendering: Rendering) -> None:
    schema = '{"properties": {"port": {"type": "integer"}}}'
    files = tree({**chart(), "values.schema.json": schema})
    with pytest.raises(Invalid, match=r"helm template \.: .*port"):
        await shown(rendering, files, valuesObject={"port": "x"})
    found = await shown(rendering, files, valuesObject={"port": "x"}, skipSchemaValidation=True)
    assert found["port"] == "x"


ASKING = (
    "kind: ConfigMap\napiVersion: v1\nmetadata: {name: c}\ndata:\n  v: {{ .Capabilities.KubeVersion.Version }}\n"
    '  has: {{ .Capabilities.APIVersions.Has "x/v1" | quote }}\n'
)


async def test_only_a_chart_that_asks_is_told_of_its_cluster(rendering: Rendering) -> None:
    asked = []

    async def kube() -> Kube:
        asked.append(1)
        return Kube("v1.31.4")

    await helmed(rendering, tree(chart()), setting=Setting(kube=kube))
    assert asked == []
    files = tree(below("asking", {**chart(), "templates/c.yaml": ASKING}))
    found = {
        one["metadata"]["name"]: one
        for one in await helmed(rendering, files, "asking", setting=Setting(kube=kube))
    }
    assert found["c"]["data"] == {"v": "v1.31.4", "has": "false"}
    given = await helmed(
        rendering, files, "asking", setting=Setting(kube=kube), kubeVersion="1.29", apiVersions=["x/v1"]
    )
    assert next(one for one in given if one["metadata"]["name"] == "c")["data"] == {
        "v": "v1.29",
        "has": "true",
    }


async def test_repeated_keys_of_a_chart_are_read_as_everybody_reads_them(rendering: Rendering) -> None:
    twice = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: c}\ndata:\n  a: one\n  a: two\n"
    found = await helmed(rendering, tree({**chart(), "templates/c.yaml": twice}))
    assert {"a": "two"} in [one["data"] for one in found]


class TestDependencies:
    CHART = "apiVersion: v2\nname: web\nversion: 1.0.0\ndependencies:\n- {name: db, version: %s, repository: %s}\n"

    async def test_a_fetched_dependency_is_taken_at_its_locked_version(self, rendering: Rendering) -> None:
        asked = []

        async def fetch(address: str, version: str) -> Tree:
            asked.append((address, version))
            return MemoryTree({path: text.encode() for path, text in chart("db", version).items()})

        lock = "dependencies:\n- {name: db, version: 2.0.1, repository: https://charts.example.com}\n"
        files = {
            **below("web", chart()),
            "web/Chart.yaml": self.CHART % ("^2.0.0", "https://charts.example.com"),
            "web/Chart.lock": lock,
        }
        found = await self._rendered(rendering, files, fetch)
        assert asked == [("chart+https://charts.example.com/db", "2.0.1")]
        assert sorted(one["data"]["chart"] for one in found) == ["db-2.0.1", "web-1.0.0"]

    async def test_one_in_the_repository_is_used_as_it_is(self, rendering: Rendering) -> None:
        files = {
            **below("web", chart()),
            "web/Chart.yaml": self.CHART % ("1.x", "file://../db"),
            **below("db", chart("db", "1.5.0")),
        }
        found = await self._rendered(rendering, files, _none)
        assert sorted(one["data"]["chart"] for one in found) == ["db-1.5.0", "web-1.0.0"]
        vendored: dict[str, str | bytes] = {
            **files,
            "web/Chart.yaml": self.CHART % ("1.x", "https://charts.example.com"),
            "web/charts/db-1.9.0.tgz": packed("db", "1.9.0"),
        }
        found = await self._rendered(rendering, vendored, _none)
        assert sorted(one["data"]["chart"] for one in found) == ["db-1.9.0", "web-1.0.0"]

    async def test_one_in_the_repository_has_to_have_the_version(self, rendering: Rendering) -> None:
        files = {
            **below("web", chart()),
            "web/Chart.yaml": self.CHART % ("^2.0.0", "file://../db"),
            **below("db", chart("db", "1.5.0")),
        }
        with pytest.raises(
            Invalid, match=r"dependency db: file://\.\./db is 1\.5\.0: no version satisfies '\^2\.0\.0'"
        ):
            await self._rendered(rendering, files, _none)

    async def test_what_one_in_the_repository_misses_itself_stays_missing(self, rendering: Rendering) -> None:
        files = {
            **below("web", chart()),
            "web/Chart.yaml": self.CHART % ("1.x", "file://../db"),
            **below("db", chart("db", "1.5.0")),
            "db/Chart.yaml": (
                "apiVersion: v2\nname: db\nversion: 1.5.0\n"
                "dependencies:\n- {name: leaf, version: 1.x, repository: 'file://../leaf'}\n"
            ),
            **below("leaf", chart("leaf", "1.0.0")),
        }
        found = await self._rendered(rendering, files, _none)
        assert sorted(one["data"]["chart"] for one in found) == ["db-1.5.0", "web-1.0.0"]

    async def _rendered(self, rendering: Rendering, files: Any, fetch: Any) -> list[Manifest]:
        app = application("web")
        (source,) = sources.of(app)
        whole = await Supplies(fetch).whole(source, tree(files), {})
        return await rendering.objects(await rendering.prepare(app, source, whole))

    @pytest.mark.parametrize(
        ("repository", "message"),
        [
            ("'@mine'", "is an alias"),
            ("git://x/y", "git://x/y is not supported"),
            ("''", "has no repository and is not in web/charts"),
            ("file://../absent", "no chart at file://../absent"),
            ("file://../web", "depends on itself"),
            ("file://../../out", "leads out of the repository"),
        ],
    )
    async def test_what_cannot_be_had_is_named(
        self, rendering: Rendering, repository: str, message: str
    ) -> None:
        files = {**below("web", chart()), "web/Chart.yaml": self.CHART % ("1.x", repository)}
        with pytest.raises(Invalid, match=message):
            await self._rendered(rendering, files, _none)


class TestHostileCharts:
    async def test_an_endless_range_is_stopped(self) -> None:
        endless = "{{ range until 2000000000 }}{{ end }}"
        rendering = Rendering(Sandbox(Limits(seconds=100, cpu_seconds=2, memory_bytes=1024**3)))
        with pytest.raises(Invalid, match=r"stopped: it used more than|ended by signal"):
            await helmed(rendering, tree({**chart(), "templates/x.yaml": endless}))
        rendering.sandbox.close()

    async def test_output_has_an_end(self) -> None:
        huge = '{{ range until 2000 }}# {{ repeat 1000 "x" }}\n{{ end }}' + SHOWING
        rendering = Rendering(Sandbox(Limits(output_bytes=1024**2)))
        with pytest.raises(Invalid, match="it wrote more than 1048576 bytes"):
            await helmed(rendering, tree({**chart(), "templates/x.yaml": huge}))
        rendering.sandbox.close()

    @pytest.mark.parametrize("target", ["/etc/passwd", "../../../etc/passwd", "../../x"])
    async def test_a_link_out_of_the_repository_is_refused(self, rendering: Rendering, target: str) -> None:
        files = tree(below("web", chart()), {"web/templates/x.yaml": target})
        with pytest.raises(Invalid, match=r"leads out of the repository|no file|cannot be followed"):
            await helmed(rendering, files, "web")

    async def test_a_link_inside_the_repository_is_followed(self, rendering: Rendering) -> None:
        files = tree(
            {**below("web", chart()), **below("lib/db", chart("db", "3.0.0"))},
            {"web/charts/db": "../../lib/db"},
        )
        found = await helmed(rendering, files, "web")
        assert sorted(one["data"]["chart"] for one in found) == ["db-3.0.0", "web-1.2.3"]

    async def test_nothing_of_this_machine_is_to_be_seen(self, rendering: Rendering) -> None:
        curious = (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n"
            '  file: {{ .Files.Get "/etc/passwd" | quote }}\n  up: {{ .Files.Get "../../etc/passwd" | quote }}\n'
            '  host: {{ getHostByName "localhost" | quote }}\n'
            '  live: {{ lookup "v1" "Namespace" "" "default" | toJson | quote }}\n'
        )
        found = await helmed(rendering, tree({**chart(), "templates/c.yaml": curious}))
        (seen,) = (one["data"] for one in found if one["metadata"]["name"] == "c")
        assert seen == {"file": "", "up": "", "host": "", "live": "{}"}

    async def test_helms_own_words_name_the_mistake(self, rendering: Rendering) -> None:
        broken = '{{ required "a name is needed" .Values.name }}'
        with pytest.raises(Invalid, match=r"helm template \.: .*templates/x\.yaml.*a name is needed"):
            await helmed(rendering, tree({**chart(), "templates/x.yaml": broken}))


async def test_a_commit_s_charts_are_looked_up_once_however_many_ask_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looks: list[MemoryTree] = []
    chart_folders = supplies._chart_folders

    def failing(found: MemoryTree) -> dict[str, bool]:
        looks.append(found)
        raise Unavailable("the mirror is damaged")

    def counted(found: MemoryTree) -> dict[str, bool]:
        looks.append(found)
        return chart_folders(found)

    files = tree({f"app-{number}/cm.yaml": "" for number in range(20)})
    asked = [source for number in range(20) for source in sources.of(application(f"app-{number}"))]
    kept = Supplies(_none)
    monkeypatch.setattr(supplies, "_chart_folders", failing)
    found = await asyncio.gather(*(kept.whole(one, files, {}) for one in asked), return_exceptions=True)
    assert {type(one) for one in found} == {Unavailable}
    monkeypatch.setattr(supplies, "_chart_folders", counted)
    assert await asyncio.gather(*(kept.whole(one, files, {}) for one in asked)) == [files] * 20
    assert await kept.whole(asked[0], files, {}) is files
    assert len(looks) == 2


async def test_a_chart_behind_a_link_gets_its_dependencies_too(rendering: Rendering) -> None:
    files = tree(
        {
            **below("real/web", chart()),
            "real/web/Chart.yaml": TestDependencies.CHART % ("1.x", "file://../db"),
            **below("real/db", chart("db", "1.5.0")),
        },
        {"linked": "real"},
    )
    app = application("linked/web")
    (source,) = sources.of(app)
    whole = await Supplies(_none).whole(source, files, {})
    found = await rendering.objects(await rendering.prepare(app, source, whole))
    assert sorted(one["data"]["chart"] for one in found) == ["db-1.5.0", "web-1.0.0"]


class TestClusters:
    """What of its cluster a chart is told, and which clusters share what it gives."""

    ALIKE = Kube("v1.31.4", ("v1", "v1/Pod", "x/v1"), "one")
    OTHER = Kube("v1.31.4", ("v1", "v1/Pod"), "two")
    NEWER = Kube("v1.35.0", ("v1", "v1/Pod", "x/v1"), "one")
    UNKNOWN = Kube("v1.31.4", None)

    async def _digest(self, rendering: Rendering, files: Tree, kube: Kube, **helm: Any) -> str:
        async def ask() -> Kube:
            return kube

        app = application(".", helm=helm)
        (source,) = sources.of(app)
        return (await rendering.prepare(app, source, files, Setting(kube=ask))).ingredient.digest

    @pytest.mark.parametrize(
        ("added", "asks"),
        [
            ({}, Asks.NOTHING),
            ({"templates/c.yaml": "# {{ .Capabilities.KubeVersion.Minor }}"}, Asks.VERSION),
            ({"templates/c.yaml": "# {{ $.Capabilities.HelmVersion }}"}, Asks.VERSION),
            ({"templates/_c.tpl": '# {{ .Capabilities.APIVersions.Has "x/v1" }}'}, Asks.APIS),
            ({"templates/c.yaml": '# {{ index .Capabilities "APIVersions" }}'}, Asks.APIS),
            ({"templates/c.yaml": "# {{ with .Capabilities }}{{ .KubeVersion }}{{ end }}"}, Asks.APIS),
            ({"charts/x/templates/c.yaml": "# {{ .Capabilities.APIVersions }}"}, Asks.APIS),
            (
                {"Chart.yaml": "apiVersion: v2\nname: w\nversion: 1.0.0\nkubeVersion: '>=1.20'\n"},
                Asks.VERSION,
            ),
            ({"charts/x-1.0.0.tgz": "packed"}, Asks.APIS),
        ],
    )
    def test_what_a_chart_asks(self, added: dict[str, str], asks: Asks) -> None:
        (source,) = sources.of(application("."))
        assert helm.asks(source, tree({**chart(), **added})) is asks

    async def test_clusters_that_serve_the_same_share_a_recipe(self, rendering: Rendering) -> None:
        files = tree({**chart(), "templates/c.yaml": ASKING})
        same = Kube("v1.31.4", tuple(self.ALIKE.apis or ()), "one")
        digest = await self._digest(rendering, files, self.ALIKE)
        assert await self._digest(rendering, files, same) == digest
        for kube in (self.OTHER, self.NEWER):
            assert await self._digest(rendering, files, kube) != digest

    async def test_a_chart_that_asks_for_the_version_alone_is_not_told_more(
        self, rendering: Rendering
    ) -> None:
        files = tree({**chart(), "templates/c.yaml": "# {{ .Capabilities.KubeVersion }}"})
        digest = await self._digest(rendering, files, self.ALIKE)
        assert await self._digest(rendering, files, self.OTHER) == digest
        assert await self._digest(rendering, files, self.UNKNOWN) == digest
        assert await self._digest(rendering, files, self.NEWER) != digest

    async def test_a_chart_that_asks_nothing_is_one_for_all(self, rendering: Rendering) -> None:
        files = tree(chart())
        found = {
            await self._digest(rendering, files, kube) for kube in (self.ALIKE, self.NEWER, self.UNKNOWN)
        }
        assert len(found) == 1

    async def test_what_the_application_says_wins_and_is_one_for_all(self, rendering: Rendering) -> None:
        files = tree({**chart(), "templates/c.yaml": ASKING})
        said = {"kubeVersion": "1.29", "apiVersions": ["x/v1"]}
        kubes = (self.ALIKE, self.OTHER, self.NEWER, self.UNKNOWN)
        assert len({await self._digest(rendering, files, kube, **said) for kube in kubes}) == 1

    async def test_without_the_apis_a_chart_that_asks_for_them_is_not_rendered(
        self, rendering: Rendering
    ) -> None:
        files = tree({**chart(), "templates/c.yaml": ASKING})
        with pytest.raises(Invalid, match=r"spec\.source: the chart asks which APIs its cluster serves"):
            await self._digest(rendering, files, self.UNKNOWN)

    async def test_variables_of_the_cluster_are_asked_for_as_well(self, rendering: Rendering) -> None:
        parameters = [{"name": "a", "value": "$KUBE_VERSION"}]
        found = {
            await self._digest(rendering, tree(chart()), kube, parameters=parameters)
            for kube in (self.ALIKE, self.OTHER, self.NEWER)
        }
        assert len(found) == 2
        parameters = [{"name": "a", "value": "$KUBE_API_VERSIONS"}]
        with pytest.raises(Invalid, match="APIs"):
            await self._digest(rendering, tree(chart()), self.UNKNOWN, parameters=parameters)
        found = {
            await self._digest(rendering, tree(chart()), kube, parameters=parameters)
            for kube in (self.ALIKE, self.OTHER)
        }
        assert len(found) == 2
