"""The examples on the page about rollouts are what the hub takes, and the fields it names are those there are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from argosy import yamlio
from argosy.machinery import write
from argosy.machinery.kinds import Place
from hub.core.rollout import naming, policy
from hub.core.rollout.model import Phase
from hub.core.schema import parse
from hub.core.served import table
from hub.store import resources

PAGE = (Path(__file__).parents[2] / "docs/rollouts.md").read_text()
EXAMPLES = [
    yamlio.load_first(text, source="docs/rollouts.md")
    for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda one: one["metadata"]["name"])
def test_examples_are_taken(example: dict[str, Any]) -> None:
    if example["kind"] == "RolloutPolicy":
        made = write.create(
            Place(table.ROLLOUT_POLICY.kind, "argocd", "careful"), example, resources.options("x", 0.0)
        )
        assert made.object["spec"] == example["spec"]
        assert table.ROLLOUT_POLICY.admit(example, None) == []
        assert len(policy.parse(example["spec"]).stages) == 3
    else:
        found = parse.application_set(example)
        naming.check(found.spec.get("strategy") or {})
        assert naming.policy_of(example) == "careful"


def test_every_field_of_a_policy_and_every_phase_is_explained() -> None:
    stage = policy.SHAPE.fields["stages"].shape.item
    for name in (*policy.SHAPE.fields, *stage.fields):
        assert f"{name}" in PAGE, name
    for phase in Phase:
        assert f"`{phase}`" in PAGE, phase
