"""`argosy project check` and `argosy project windows`: what an AppProject permits, and whether its windows let sync."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from argosy.errors import Invalid
from hub.cli import questions


def check(file: str) -> int:
    """Prints for each `{project, question}` whether the project permits it."""
    return questions.answer(file, _permits)


def windows(file: str) -> int:
    """Prints for each `{windows, app, now, manual, operationStartedAt}` whether the Application may sync."""
    return questions.answer(file, _can_sync)


def _permits(case: Mapping[str, Any]) -> bool:
    from hub.core.projects import projects

    project, question = questions.mapping(case, "project"), questions.mapping(case, "question")

    def text(key: str) -> str:
        return str(question.get(key) or "")

    match question.get("kind"):
        case "source":
            return projects.permits_source(project, text("repoURL"))
        case "destination":
            own = [
                projects.Cluster(str(each.get("server") or ""), str(each.get("name") or ""))
                for each in questions.listed(question, "projectClusters")
            ]
            cluster = projects.Cluster(text("server"), text("name"))
            return projects.permits_destination(project, cluster, text("namespace"), own)
        case "resource":
            namespaced = bool(question.get("namespaced"))
            return projects.permits_kind(
                project, text("group"), text("resourceKind"), text("name"), namespaced
            )
        case "applicationNamespace":
            return projects.permits_namespace(project, text("namespace"), text("controllerNamespace"))
        case other:
            raise Invalid(
                "question.kind: source, destination, resource or applicationNamespace is expected, "
                f"found {other!r}"
            )


def _can_sync(case: Mapping[str, Any]) -> bool:
    from hub.core.holds import windows as sync_windows

    found = sync_windows.parse(questions.listed(case, "windows"))
    app, now = questions.mapping(case, "app"), questions.now(case)
    manual, started = bool(case.get("manual")), questions.time(case, "operationStartedAt")
    try:
        return sync_windows.can_sync(found, app, now, manual=manual, started=started)
    except Invalid as error:
        # Nothing may sync then: that is an answer, and whoever wrote the window wants to know why.
        print(f"warning: {error.message}", file=sys.stderr)
        return False
