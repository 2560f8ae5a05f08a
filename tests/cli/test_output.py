"""What the command prints: plain columns in a pipe, colours only where they tell something."""

from __future__ import annotations

import pytest

from hub.cli import output


def test_columns_are_aligned_and_lines_end_with_text(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(["NAME", "SYNC"], [["a-long-name", "Synced"], ["b", ""]])
    assert capsys.readouterr().out == "NAME          SYNC\na-long-name   Synced\nb\n"


def test_a_table_of_the_api_shows_columns_of_lower_priority_only_when_wide(
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = {
        "columnDefinitions": [{"name": "Name", "priority": 0}, {"name": "Server", "priority": 1}],
        "rows": [{"cells": ["one", "https://one"]}, {"cells": ["two", None]}],
    }
    output.server_table(page, wide=False)
    assert capsys.readouterr().out == "NAME\none\ntwo\n"
    output.server_table(page, wide=True)
    assert capsys.readouterr().out == "NAME   SERVER\none    https://one\ntwo\n"


def test_facts_without_a_value_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    output.facts([("Name", "one"), ("Why", ""), ("Last seen", "now")])
    assert capsys.readouterr().out == "Name:       one\nLast seen:  now\n"


def test_true_is_good_news_only_where_the_column_says_so() -> None:
    assert output.colour("False", "READY") == "red"
    assert output.colour("False", "STATUS") == ""
    assert output.colour("Degraded", "HEALTH STATUS") == "red"
    assert output.colour("anything") == ""
