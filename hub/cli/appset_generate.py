"""`argosy appset generate`: evaluates an ApplicationSet offline, exactly as Argo CD would.

No hub and no network, unless a provider's or plugin's URL asks for it. Everything heavy is imported when it
is needed, since people run this in pre-commit hooks.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from argosy import yamlio
from argosy.errors import ArgosyError, Invalid
from argosy.objects import Manifest
from hub.core.apps import advice
from hub.core.appsets.expand import Evaluation, Settings, expand, limit_of
from hub.core.schema import parse
from hub.core.types import Failed

OK, UNUSABLE, PROBLEMS = 0, 1, 2
"""Exit codes: evaluated; the input cannot be used; evaluated with problems."""
_ROUNDS = 20
"""A matrix asks for inputs that depend on others; each level of it needs one more round."""
BUDGET = 7.0
"""Seconds for all questions to providers together."""


def generate(
    file: str,
    *,
    clusters: str = "",
    objects: str = "",
    repos: Sequence[str] = (),
    output: str = "json",
) -> int:
    """Prints the Applications of every set in `file`; problems go to stderr. Returns the exit code."""
    from hub.sources.offline import OfflineSources

    try:
        sets = [parse.application_set(manifest) for manifest in _sets(file)]
        sources = OfflineSources(
            clusters=_read(clusters) if clusters else [],
            objects=_read(objects) if objects else [],
            repos=dict(_repo(text) for text in repos),
            budget=BUDGET,
        )
    except ArgosyError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return UNUSABLE
    results = []
    for found in sets:
        for warning in advice.on_application_set(found.spec):
            print(f"warning: {warning}", file=sys.stderr)
        results.append(_evaluate(found, sources))
    for result in results:
        for problem in result.problems:
            print(f"error: {problem}", file=sys.stderr)
    _print([app for result in results for app in result.applications], output)
    whole = all(not result.problems and not isinstance(result.completeness, Failed) for result in results)
    return OK if whole else PROBLEMS


def _evaluate(found: parse.AppSet, sources: Any) -> Evaluation:
    settings = Settings(strict=True, limit=limit_of(found.annotations))
    result = expand(found, sources, settings)
    for _ in range(_ROUNDS):
        if not result.requests:
            break
        sources.fetch(result.requests)
        result = expand(found, sources, settings)
    return result


def _sets(file: str) -> list[Any]:
    found = [manifest for manifest in _read(file) if not _is_other(manifest)]
    if not found:
        raise Invalid(f"{file}: holds no ApplicationSet")
    return found


def _is_other(manifest: Any) -> bool:
    """An object of another kind in the same file is none of our business."""
    return isinstance(manifest, dict) and bool(manifest.get("kind")) and manifest["kind"] != "ApplicationSet"


def _read(file: str) -> list[Any]:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise Invalid(f"{file}: {error.strerror}") from None
    found: list[Any] = []
    notes: list[str] = []
    documents = yamlio.load_all(data, source=file, duplicates="last", notes=notes)
    for note in notes:
        print(f"warning: {note}", file=sys.stderr)
    for document in documents:
        if (
            isinstance(document, dict)
            and str(document.get("kind", "")).endswith("List")
            and "items" in document
        ):
            found.extend(document["items"] or [])
        else:
            found.append(document)
    return found


def _repo(text: str) -> tuple[str, str]:
    url, equals, folder = text.rpartition("=")
    if not equals or not url:
        raise Invalid(f"--repo {text}: expected URL=DIR")
    if not Path(folder).is_dir():
        raise Invalid(f"--repo {text}: {folder} is not a folder")
    return url, folder


def _print(apps: list[Manifest], output: str) -> None:
    if output == "name":
        for app in apps:
            print(f"application.argoproj.io/{app['metadata']['name']}")
    elif output == "yaml":
        sys.stdout.write(yamlio.dump_all(apps))
    else:
        import orjson

        whole = {"apiVersion": "v1", "kind": "List", "items": apps}
        sys.stdout.write(orjson.dumps(whole, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode())
