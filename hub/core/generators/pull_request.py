"""Generator `pullRequest`: one parameter set for each open pull request that filters let through."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.core.generators import provider
from hub.core.generators.base import Context, GeneratorFailed
from hub.core.template import names, render
from hub.core.template.base import TemplateFailed
from hub.core.template.params import Params, StringList
from hub.core.template.regexp import Pattern

KNOWN = ("github", "gitlab", "gitea", "bitbucketServer", "bitbucket", "azuredevops")
_FILTERS = {"branchMatch": "branch", "targetBranchMatch": "target_branch", "titleMatch": "title"}


def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
    """In the provider's order. Conditions of one filter are ANDed, filters are ORed."""
    context.inputs.requeue_after(spec.get("requeueAfterSeconds") or provider.DEFAULT_REQUEUE)
    filters = _compiled(spec.get("filters") or [])
    found = []
    for pull in context.provided(provider.request("pullRequest", spec, KNOWN, context)):
        if filters and not any(_passes(conditions, pull) for conditions in filters):
            continue
        one = _of_pull(pull, context.go)
        render.append_values(spec.get("values") or {}, one, context.engine, "values")
        found.append(one)
    return found


def _compiled(filters: list[dict[str, str]]) -> list[list[tuple[str, Pattern]]]:
    try:
        return [
            [(_FILTERS[key], Pattern(text)) for key, text in conditions.items()] for conditions in filters
        ]
    except TemplateFailed as failure:
        raise GeneratorFailed(f"error compiling filter: {failure.message}", "filters") from None


def _passes(conditions: list[tuple[str, Pattern]], pull: Mapping[str, Any]) -> bool:
    return all(pattern.matches(str(pull[field])) for field, pattern in conditions)


def _of_pull(pull: Mapping[str, Any], go: bool) -> Params:
    found: Params = {
        "number": str(pull["number"]),
        "title": pull["title"],
        "branch": pull["branch"],
        "branch_slug": names.slug(pull["branch"]),
        "target_branch": pull["target_branch"],
        "target_branch_slug": names.slug(pull["target_branch"]),
        "head_sha": pull["head_sha"],
        "head_short_sha": pull["head_sha"][:8],
        "head_short_sha_7": pull["head_sha"][:7],
        "author": pull["author"],
    }
    if go:
        found["labels"] = StringList(pull["labels"])
    return found
