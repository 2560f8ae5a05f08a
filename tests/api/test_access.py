"""Roles decide as Kubernetes' authorizers would be asked."""

from __future__ import annotations

import pytest

from hub.core.access import access
from hub.core.access.access import Attributes

ADMIN = access.user("ada", (access.ADMINS,))
READER = access.user("ruth", (access.READERS,))
STRANGER = access.user("sam", ())
APPS = Attributes("list", "argoproj.io", "applications")


@pytest.mark.parametrize(
    ("what", "admin", "reader", "stranger"),
    [
        (APPS, True, True, False),
        (Attributes("watch", "argosy.dev", "clusters"), True, True, False),
        (Attributes("get", "", "secrets"), True, False, False),
        (Attributes("delete", "argoproj.io", "applications"), True, False, False),
        (Attributes("patch", "argoproj.io", "applications", "status"), True, False, False),
        (Attributes("create", "argoproj.io", "applications", "sync"), True, False, False),
        (Attributes("create", "authorization.k8s.io", "selfsubjectaccessreviews"), True, True, True),
        (Attributes("create", "authentication.k8s.io", "selfsubjectreviews"), True, True, True),
        (Attributes("get", path="/apis/argoproj.io/v1alpha1"), True, True, True),
        (Attributes("get", path="/metrics"), True, True, False),
        (Attributes("get", path="/loops"), True, True, False),
        (Attributes("post", path="/apis"), True, False, False),
        (Attributes("get", path="/apisnot"), True, False, False),
        (Attributes("", "argoproj.io", "applications"), True, False, False),
    ],
)
def test_roles(what: Attributes, admin: bool, reader: bool, stranger: bool) -> None:
    assert [access.allows(who, what) for who in (ADMIN, READER, STRANGER)] == [admin, reader, stranger]


def test_rules_say_what_is_allowed() -> None:
    resources, _ = access.rules(READER)
    for rule in resources:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for verb in rule["verbs"]:
                    asked = Attributes(verb, group, "applications" if resource == "*" else resource)
                    assert access.allows(READER, asked)
    assert access.rules(ADMIN)[0] == [{"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}]
