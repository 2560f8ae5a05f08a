"""What an agent says a sync would change: nothing for the sake of ignored fields, and not those where they are respected."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from passes import AUTO, World, config_map

from agent.answering import Answerer
from argosy.bundle import Assignment
from argosy.errors import NotFound
from argosy.kinds import CONFIG_MAP
from argosy.questions import Kind, Question

POINTER = {"jsonPointers": ["/data/count"]}
EXPRESSION = {"jqPathExpressions": ['.data | select(.count != "x") | .count']}
MANAGER = {"managedFieldsManagers": ["hand"]}


def assigned(world: World, rule: dict[str, Any], *options: str) -> Assignment:
    rules = json.dumps([{"group": "*", "kind": "ConfigMap", **rule}])
    policy = replace(AUTO, ignore_differences=rules, sync_options=options)
    return world.assignment(config_map("a", count="1", text="one"), policy=policy)


async def differing(world: World, wanted: Assignment, **edited: str) -> dict[str, Any]:
    """Path -> what a sync would make of it, after edits by hand."""

    async def nothing(digest: str) -> bytes:
        raise NotFound(digest)

    await world.sync(wanted)
    world.cluster.edit(CONFIG_MAP, "default", "a", {"data": edited}, manager="hand")
    asking = Answerer(world.cluster, world.syncer, world.load, nothing)
    found = (await asking.answer(Question(Kind.DIFF, wanted.id)))["objects"]
    return {field["path"]: field.get("after") for each in found for field in each["fields"]}


@pytest.mark.parametrize("rule", [POINTER, EXPRESSION, MANAGER])
@pytest.mark.parametrize("options", [(), ("RespectIgnoreDifferences=true",)])
async def test_for_ignored_fields_alone_nothing_would_change(
    world: World, rule: dict[str, Any], options: tuple[str, ...]
) -> None:
    assert await differing(world, assigned(world, rule, *options), count="9") == {}


@pytest.mark.parametrize("rule", [POINTER, EXPRESSION])
async def test_what_is_written_with_another_field_is_told_unless_it_would_stay(
    world: World, rule: dict[str, Any]
) -> None:
    both = {"data.count": "1", "data.text": "one"}
    assert await differing(world, assigned(world, rule), count="9", text="two") == both
    wanted = assigned(world, rule, "RespectIgnoreDifferences=true")
    assert await differing(world, wanted, count="9", text="two") == {"data.text": "one"}
