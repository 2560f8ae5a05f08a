"""Who may do what, as Argo CD reads `policy.csv`."""

from __future__ import annotations

from typing import Any

import pytest

from argosy.errors import Invalid
from hub.core.access import rbac
from hub.core.access.access import Attributes
from hub.core.access.permits import things, words

POLICY = """
# Who runs the shop.
p, role:shop, applications, get, shop/*, allow
p, role:shop, applications, sync, shop/*, allow
p, role:shop, applications, sync, shop/payment, deny
p, role:lead, applications, *, shop/*, allow
p, role:sre, freezes, *, *, allow
p, role:sre, overrides, create, *, allow
p, bob, clusters, get, "https://a,b.test", allow
g, shop-team, role:shop
g, role:lead, role:shop
g, lea, role:lead
g, night-watch, role:sre
"""


def may(who: str, *asked: str, groups: tuple[str, ...] = (), text: str = POLICY, **more: Any) -> bool:
    resource, action, thing = asked
    return rbac.parse(text, **more).allows(who, groups, resource, action, thing)


@pytest.mark.parametrize(
    ("who", "groups", "asked", "answer"),
    [
        ("ann", (), ("applications", "get", "shop/web"), False),
        ("ann", ("shop-team",), ("applications", "get", "shop/web"), True),
        ("ann", ("shop-team",), ("applications", "get", "shop/ns/web"), True),
        ("ann", ("shop-team",), ("applications", "get", "other/web"), False),
        ("ann", ("shop-team",), ("applications", "delete", "shop/web"), False),
        ("ann", ("shop-team",), ("applications", "sync", "shop/payment"), False),
        # A denial reaches through roles; another group of the user's is asked for itself.
        ("lea", (), ("applications", "delete", "shop/web"), True),
        ("lea", (), ("applications", "sync", "shop/payment"), False),
        ("lea", ("night-watch",), ("overrides", "create", "x"), True),
        ("ann", ("night-watch",), ("freezes", "delete", "x"), True),
        ("ann", ("night-watch",), ("overrides", "delete", "x"), False),
        ("ann", ("role:sre",), ("overrides", "create", "x"), False),
        ("bob", (), ("clusters", "get", "https://a,b.test"), True),
        ("role:admin", (), ("anything", "whatever", "x"), True),
        ("role:readonly", (), ("secrets", "get", "x"), False),
    ],
)
def test_roles_groups_and_denials(
    who: str, groups: tuple[str, ...], asked: tuple[str, str, str], answer: bool
) -> None:
    assert may(who, *asked, groups=groups) is answer


def test_the_default_role_is_everybodys_and_no_denial_takes_it_away() -> None:
    text = POLICY + "p, ann, applications, get, *, deny\n"
    assert may("ann", "applications", "get", "a/b", text=text, default="role:readonly")
    assert not may("ann", "applications", "get", "a/b", text=text)


def test_patterns_may_be_regular_expressions() -> None:
    text = "p, ann, applications, ^(get|sync)$, ^shop/.*, allow\n"
    assert may("ann", "applications", "sync", "shop/web", text=text, regex=True)
    assert not may("ann", "applications", "delete", "shop/web", text=text, regex=True)
    assert not may("ann", "applications", "sync", "shop/web", text=text)


@pytest.mark.parametrize(
    "line",
    [
        "p, a, b, c, d",
        "p, a, b, c, d, perhaps",
        "g, a",
        "x, a, b",
        'p, "a, b, c, d, allow',
        "p a b c d allow",
    ],
)
def test_a_policy_that_cannot_be_read_counts_in_no_part(line: str) -> None:
    with pytest.raises(Invalid, match=r"policy\.csv line 2"):
        rbac.parse(f"p, ann, applications, get, *, allow\n{line}\n")


def test_roles_of_projects_count_for_their_projects_objects() -> None:
    project = {
        "metadata": {"name": "shop"},
        "spec": {
            "roles": [
                {
                    "name": "ci",
                    "groups": ["robots"],
                    "policies": [
                        "p, proj:shop:ci, applications, sync, shop/*, allow",
                        "p, proj:shop:ci, applications, sync, other/*, allow",
                    ],
                }
            ]
        },
    }
    policy = rbac.of_config({"policy.more.csv": "g, bots, role:readonly"}, [project])
    assert policy.allows("r2", ["robots"], "applications", "sync", "shop/web", "shop")
    assert policy.allows("proj:shop:ci", [], "applications", "sync", "shop/web", "shop")
    assert policy.allows("r2", ["robots"], "projects", "get", "shop", "shop")
    assert not policy.allows("r2", ["robots"], "applications", "sync", "other/web", "other")
    assert policy.might("r2", ["robots"], "applications", "sync")
    assert not policy.might("r2", [], "applications", "sync")
    assert policy.allows("x", ["bots"], "clusters", "get", "a")


@pytest.mark.parametrize(
    ("verb", "resource", "part", "found"),
    [
        ("list", "applications", "", ("applications", "get")),
        ("patch", "applications", "", ("applications", "update")),
        ("create", "applications", "sync", ("applications", "sync")),
        ("get", "applications", "logs", ("logs", "get")),
        ("get", "applications", "tree", ("applications", "get")),
        ("deletecollection", "appprojects", "", ("projects", "delete")),
        ("create", "rollouts", "promote", ("rollouts", "promote")),
        ("create", "removals", "approve", ("removals", "approve")),
        ("create", "jointokens", "", ("clusters", "create")),
        ("create", "apitokens", "", ("accounts", "update")),
        ("delete", "apitokens", "", ("accounts", "update")),
        ("list", "apitokens", "", ("accounts", "get")),
    ],
)
def test_requests_in_the_words_of_policies(
    verb: str, resource: str, part: str, found: tuple[str, str]
) -> None:
    group = "argoproj.io" if resource.startswith("app") else "argosy.dev"
    assert words(Attributes(verb, group, resource, part)) == found


def test_objects_in_the_words_of_policies() -> None:
    app = {"metadata": {"name": "web", "namespace": "argocd"}, "spec": {"project": "shop"}}
    assert things("applications", app) == ("shop", ["shop/web"])
    away = {"metadata": {"name": "web", "namespace": "team"}, "spec": {}}
    assert things("applications", away) == ("default", ["default/team/web"])
    made = {
        "metadata": {"name": "s", "namespace": "argocd"},
        "spec": {"template": {"spec": {"project": "p"}}},
    }
    assert things("applicationsets", made) == ("p", ["p/s"])
    assert things("clusters", {"metadata": {"name": "c"}, "spec": {"server": "https://c"}}) == (
        "",
        ["c", "https://c"],
    )
