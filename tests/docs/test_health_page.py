"""The checks on the page mean what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from argosy import cel, lua, yamlio
from argosy.health import table, user
from argosy.status import Health

PAGE = Path(__file__).parents[2] / "docs/health.md"


def checks() -> user.UserChecks:
    (text,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    (config,) = yamlio.load_all(text, source="page")
    assert user.carried(config["data"]) == config["data"]
    found = user.read(config["data"], lua.run, cel.evaluate)
    assert found.problems == ()
    return found


@pytest.mark.parametrize(
    ("group", "kind", "status", "expected"),
    [
        ("example.com", "Lamp", {}, (Health.PROGRESSING, "switching")),
        ("example.com", "Lamp", {"lit": True}, (Health.HEALTHY, "")),
        ("example.com", "Boiler", {"phase": "warm"}, (Health.HEALTHY, "")),
        ("example.com", "Boiler", {"phase": "burst"}, (Health.DEGRADED, "failed: status.phase == 'burst'")),
        ("example.com", "Boiler", {"phase": "cold"}, (Health.PROGRESSING, "none of the expressions is true")),
        ("shop.example.org", "Till", {}, (Health.SUSPENDED, "on holiday")),
        ("example.net", "Till", {}, (None, "")),
    ],
)
def test_the_checks_of_the_page(
    group: str, kind: str, status: Any, expected: tuple[Health | None, str]
) -> None:
    live = {"apiVersion": f"{group}/v1", "kind": kind, "metadata": {"name": "a"}, "status": status}
    found = table.assess(live, checks())
    assert (found.status, found.message) == expected
