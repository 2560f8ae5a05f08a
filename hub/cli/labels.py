"""`k=v` and `k-` arguments into labels. Knows nothing of who gets them."""

from __future__ import annotations

from collections.abc import Iterable

from hub.cli.errors import Usage


def assigned(texts: Iterable[str]) -> dict[str, str]:
    """`["env=prod"]` -> `{"env": "prod"}`. Raises `Usage` for anything else."""
    return {key: value for key, value in changes(texts).items() if value is not None}


def changes(texts: Iterable[str]) -> dict[str, str | None]:
    """`["env=prod", "old-"]` -> `{"env": "prod", "old": None}`: a merge patch of labels. Raises `Usage`."""
    found: dict[str, str | None] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if equals and key:
            found[key] = value
        elif not equals and len(text) > 1 and text.endswith("-"):
            found[text[:-1]] = None
        else:
            raise Usage(f'expected a label such as env=prod (or env- to remove it), found "{text}"')
    return found


def text(labels: dict[str, str] | None) -> str:
    return ",".join(f"{key}={value}" for key, value in sorted((labels or {}).items()))
