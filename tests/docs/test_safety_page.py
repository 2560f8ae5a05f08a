"""The policy on the page is one that an agent takes."""

from __future__ import annotations

import re
from pathlib import Path

from agent.core import localpolicy
from argosy import yamlio
from argosy.objects import ObjectKey

PAGE = Path(__file__).parents[2] / "docs/safety.md"


def test_the_policy_of_the_page_means_what_the_page_says() -> None:
    blocks: list[str] = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    (text,) = [block for block in blocks if "kind: AgentPolicy" in block]
    policy = localpolicy.parse(yamlio.load_all(text, source="page"), "page")

    assert policy.refusal(ObjectKey("", "ConfigMap", "team-a", "c"), "team-a:deployer") == ""
    assert policy.refusal(ObjectKey("", "ConfigMap", "team-secret", "c"), "team-a:deployer")
    assert policy.refusal(ObjectKey("", "ConfigMap", "team-a", "c"), "")
    assert policy.max_deletions == 20
