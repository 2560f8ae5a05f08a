"""What a render depends on is told by the ids of folders, and what is in them need not be looked at one by one."""

from __future__ import annotations

import pytest
from render_case import application, config_map, tree

from hub.core.apps import sources
from hub.loops.apps import reads
from hub.loops.apps.kitchen import Kitchen
from hub.render.rendering import Rendering

FILES = {"web/cm.yaml": config_map(), "other/cm.yaml": config_map("two")}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"other/cm.yaml": config_map("three")}, True),
        ({"web/cm.yaml": config_map("three")}, False),
        ({"web/.argocd-source.yaml": "directory:\n  recurse: true\n"}, False),
        ({"web/.argocd-source-app.yaml": "directory:\n  recurse: true\n"}, False),
    ],
)
async def test_a_commit_concerns_who_reads_what_it_changes(
    rendering: Rendering, change: dict[str, str], same: bool
) -> None:
    app, files = application("web"), tree(FILES)
    (source,) = sources.of(app)
    dish = await Kitchen(rendering).prepare(app, [(source, files)])
    key = (source.address, source.target)
    found = reads.of(dish, app, [key], {key: files})
    assert found is not None
    assert [path for _, path, _ in found.seen] == ["web"], "overrides lie in the folder"
    assert found.same({key: tree(FILES | change)}, {}) is same
