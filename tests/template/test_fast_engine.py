"""`{{name}}` templates: what is replaced, and what stays."""

from __future__ import annotations

import pytest

from hub.core.template.base import Scope, TemplateFailed
from hub.core.template.fast import ENGINE

PARAMS = {
    "name": "a",
    "sp ace": "blank",
    "path[0]": "p",
    "m": {"x": "y"},
    "tricky": "{{name}} $1 \\1",
    "": "empty",
}


def render(text: str) -> str:
    template = ENGINE.compile(text)
    return text if template is None else template.render(Scope(PARAMS))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{name}}-{{ name }}", "a-a"),
        ("{{ unknown }}-{{name}}", "{{ unknown }}-a"),
        ("{{}}{{  }}x{{ name }}", "{{}}{{  }}xa"),
        ("{{.name}} {{ name | upper }}", "{{.name}} {{ name | upper }}"),
        ("{{sp ace}} {{path[0]}}", "blank p"),
        ("{{m}} {{m.x}}", "{{m}} {{m.x}}"),
        ("{{tricky}}", "{{name}} $1 \\1"),
        ("{{{{name}}}}", "{{{{name}}}}"),
        ("{{ {{name}} }}", "{{ {{name}} }}"),
        ("{{name}}}}", "a}}"),
        ("{{\nname\n}}", "{{\nname\n}}"),
        ("{{\nname\n}} {{name}}", "a a"),
        ("no tags {{", "no tags {{"),
        ("}} {{ x", "}} {{ x"),
    ],
)
def test_replaces_complete_known_tags_only(text: str, expected: str) -> None:
    assert render(text) == expected


def test_a_tag_that_is_never_closed_is_an_error_once_another_is() -> None:
    with pytest.raises(TemplateFailed, match="cannot find the closing"):
        render("{{name}} {{")
