"""A recipe changes exactly when what is rendered may change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from githttp import commit, create
from render_case import application, config_map, digest, tree

from argosy.errors import Invalid
from hub.core.apps import sources
from hub.git.batch import Batch
from hub.git.tree import Objects, at_commit
from hub.render.rendering import Rendering

FILES = {
    "base/kustomization.yaml": "resources: [a.yaml]\n",
    "base/a.yaml": config_map("a"),
    "over/kustomization.yaml": "resources: [../base]\n",
    "plain/a.yaml": config_map("plain"),
    "other/b.yaml": config_map("b"),
}


@pytest.mark.parametrize(
    ("path", "changed", "differs"),
    [
        ("plain", "other/b.yaml", False),
        ("plain", "plain/a.yaml", True),
        ("plain", "plain/new.yaml", True),
        ("over", "base/a.yaml", True),
        ("over", "over/kustomization.yaml", True),
        ("over", "plain/a.yaml", False),
    ],
)
async def test_only_what_is_read_counts(rendering: Rendering, path: str, changed: str, differs: bool) -> None:
    text = FILES.get(changed, config_map("new")) + "# changed\n"
    before = await digest(rendering, tree(FILES), path)
    rendering._ingredients.clear()
    after = await digest(rendering, tree({**FILES, changed: text}), path)
    assert (before != after) is differs


async def test_options_and_destination_count_and_the_name_does_not(rendering: Rendering) -> None:
    files = tree(FILES)
    assert await digest(rendering, files, "plain") == await digest(rendering, files, "plain", name="other")
    assert await digest(rendering, files, "plain") != await digest(
        rendering, files, "plain", directory={"recurse": True}
    )
    labels: dict[str, Any] = {"commonLabels": {"app": "$ARGOCD_APP_NAME"}}
    assert await digest(rendering, files, "over", kustomize=labels) != await digest(
        rendering, files, "over", name="other", kustomize=labels
    )
    assert rendering.renders == 0


async def test_a_commit_elsewhere_gives_the_recipe_that_is_known(
    rendering: Rendering, tmp_path: Path
) -> None:
    repo = create(tmp_path, "app")
    objects = Objects(Batch(str(repo), limit=1_000_000))
    first = await digest(rendering, at_commit(objects, commit(repo, FILES)), "over")
    second = await digest(
        rendering, at_commit(objects, commit(repo, {"plain/a.yaml": config_map("x")})), "over"
    )
    third = await digest(
        rendering, at_commit(objects, commit(repo, {"base/a.yaml": config_map("x")})), "over"
    )
    assert first == second
    assert second != third
    objects.batch.close()


def test_several_sources_and_references() -> None:
    app = application()
    app["spec"]["sources"] = [
        {"repoURL": "https://g.example.com/a", "path": "./x/", "targetRevision": "v1"},
        {"repoURL": "https://g.example.com/b", "ref": "values"},
    ]
    first, second = sources.of(app)
    assert (first.path, first.revision, first.renders) == ("x", "v1", True)
    assert (second.ref, second.renders) == ("values", False)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({}, "spec.source and spec.sources are both missing"),
        ({"source": {"path": "x"}}, "spec.source.repoURL is missing"),
        ({"source": {"repoURL": "u"}}, "spec.source.path is missing"),
        ({"sources": [{"repoURL": "u", "chart": "c"}]}, r"spec.sources\[0\].targetRevision is missing"),
        (
            {"source": {"repoURL": "git@x:y", "chart": "../c", "targetRevision": "1"}},
            r"spec.source.chart: '../c' is no chart's name",
        ),
        (
            {"source": {"repoURL": "ftp://x", "chart": "c", "targetRevision": "1"}},
            r"spec.source.repoURL: 'ftp://x' is no chart repository",
        ),
        (
            {"sources": [{"repoURL": "u", "ref": "r"}, {"repoURL": "v", "ref": "r"}]},
            "the ref 'r' is given twice",
        ),
        (
            {"source": {"repoURL": "u", "path": "x", "plugin": {"name": "p"}}},
            "spec.source.plugin: config management plugins are not supported: let CI",
        ),
        ({"source": {"repoURL": "u", "path": 5}}, "spec.source.path: a text is expected, found 5"),
        ({"source": {"repoURL": "u", "path": "a/../.."}}, "spec.source.path: .* leads out"),
        ({"sourceHydrator": {"x": 1}}, "spec.sourceHydrator is not supported"),
    ],
)
def test_wrong_sources_name_the_field(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid, match=message):
        sources.of({"metadata": {"name": "a"}, "spec": spec})


def test_the_build_environment() -> None:
    app = application("x", "app")
    app["metadata"]["namespace"] = "team"
    (source,) = sources.of(app)
    found = sources.environment(app, source, "0123456789" * 4)
    assert found["ARGOCD_APP_NAME"] == "team_app"
    assert (found["ARGOCD_APP_REVISION_SHORT"], found["ARGOCD_APP_PROJECT_NAME"]) == ("0123456", "default")
    assert sources.expand("$A-${B}-$$A-$C.", {"A": "1", "B": "2"}) == "1-2-$A-."


async def test_an_override_for_all_applications_is_filled_in_for_each(rendering: Rendering) -> None:
    override = "kustomize: {commonLabels: {app: $ARGOCD_APP_NAME}}\n"
    files = tree(
        {**FILES, "over/.argocd-source.yaml": override, "over/.argocd-source-third.yaml": "kustomize: null\n"}
    )
    digests = [await digest(rendering, files, "over", name=name) for name in ("one", "two", "one", "third")]
    assert digests[0] == digests[2]
    assert len(set(digests)) == 3
