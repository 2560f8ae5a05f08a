"""Generator `scmProvider`: one parameter set for each repository (and branch) that filters let through.

Filters need to ask for branches and paths, so the adapter applies them as it lists.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.core.generators import provider
from hub.core.generators.base import Context
from hub.core.template import names, render
from hub.core.template.params import Params

KNOWN = ("github", "gitlab", "gitea", "bitbucketServer", "azureDevOps", "bitbucket", "awsCodeCommit")


def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
    """In the provider's order."""
    context.inputs.requeue_after(spec.get("requeueAfterSeconds") or provider.DEFAULT_REQUEUE)
    found = []
    for repository in context.provided(provider.request("scmProvider", spec, KNOWN, context)):
        one = _of_repository(repository)
        render.append_values(spec.get("values") or {}, one, context.engine, "values")
        found.append(one)
    return found


def _of_repository(repository: Mapping[str, Any]) -> Params:
    return {
        "organization": repository["organization"],
        "repository": repository["repository"],
        "repository_id": repository["repository_id"],
        "url": repository["url"],
        "branch": repository["branch"],
        "branchNormalized": names.normalize(repository["branch"]),
        "sha": repository["sha"],
        "short_sha": repository["sha"][:8],
        "short_sha_7": repository["sha"][:7],
        "labels": ",".join(repository["labels"]),
    }
