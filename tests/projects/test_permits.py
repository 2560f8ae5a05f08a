"""What an AppProject permits, as Argo CD 3.6 decides it."""

from __future__ import annotations

from typing import Any

import pytest

from argosy import gobwas
from hub.core.matching import gourl
from hub.core.projects import projects
from hub.core.projects.projects import Cluster, Resource


def project(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop", "namespace": "argocd"}, "spec": spec}


@pytest.mark.parametrize(
    ("pattern", "text", "separator", "answer"),
    [
        ("*", "a/b", "", True),
        ("*", "a/b", "/", False),
        ("**", "a/b", "/", True),
        ("a?c", "a/c", "/", False),
        ("a?c", "abc", "/", True),
        ("{a,b{c,d}}-*", "bd-x", "", True),
        ("{a,}x", "x", "", True),
        ("{a,b", "a", "", False),
        ("a,b}", "a,b}", "", True),
        ("[a-c]x", "bx", "", True),
        ("[!a-c]x", "bx", "", False),
        ("[ab-]", "-", "", True),
        ("[]", "]", "", False),
        ("[c-a]", "b", "", False),
        ("[!a]", "/", "/", True),
        (r"\*", "*", "", True),
        ("a\\", "a\\", "", False),
        ("", "", "", True),
    ],
)
def test_globs_are_those_of_argo_cd(pattern: str, text: str, separator: str, answer: bool) -> None:
    assert gobwas.match(pattern, text, separator) is answer


@pytest.mark.parametrize(
    ("address", "compared"),
    [
        ("https://Git.test/Team/App.git", "https://git.test/team/app"),
        ("  git@git.test:team/app.git ", "git@git.test/team/app"),
        ("ssh://git@git.test:22/app", "git@git.test:22/app"),
        ("https://git.test/*", "https://git.test/*"),
        ("https://git.test/{a,b}/*", "https://git.test/%7Ba,b%7D/%2A"),
        ("https://{a,b}.test/x", ""),
        ("https://git.test/a?", "https://git.test/a?"),
        ("https://*@git.test/a", "https://%2A@git.test/a"),
        ("https://git.test:x/a", ""),
        ("https://[::1]:8443/a", "https://[::1]:8443/a"),
        ("https://[a-c].test/a", ""),
        ("https://git.test/%2f/ö", "https://git.test///%C3%B6"),
        ("https://git.test/%zz", ""),
        ("oci://reg.test/charts/*", "oci://reg.test/charts/*"),
        ("reg.test/chart", "reg.test/chart"),
        ("a:b", "a:b"),
        ("*", "*"),
    ],
)
def test_an_address_is_compared_as_go_writes_it(address: str, compared: str) -> None:
    # Where anything has to be encoded, all is: a star becomes text, and an escaped slash a slash.
    assert gourl.normalized(address) == compared


@pytest.mark.parametrize(
    ("patterns", "address", "answer"),
    [
        ([], "https://git.test/a", False),
        (["*"], "https://git.test/a", True),
        (["https://git.test/*"], "https://git.test/a/b", False),
        (["https://git.test/**"], "https://git.test/a/b", True),
        (["https://git.test/a.git"], "HTTPS://GIT.test/a", True),
        (["ssh://git@git.test/a"], "git@git.test:a.git", True),
        (["*", "!https://git.test/secret"], "https://git.test/secret", False),
        (["!https://git.test/secret"], "https://git.test/open", True),
        (["!https://git.test/secret", "https://git.test/secret"], "https://git.test/secret", False),
        (["!*"], "https://git.test/a", True),
    ],
)
def test_sources(patterns: list[str], address: str, answer: bool) -> None:
    assert projects.permits_source(project(sourceRepos=patterns), address) is answer


RED = Cluster("https://red.test", "red")
NAMELESS = Cluster("https://red.test", "")


@pytest.mark.parametrize(
    ("destinations", "cluster", "namespace", "answer"),
    [
        ([], RED, "a", False),
        ([{"server": "*", "namespace": "*"}], RED, "a", True),
        ([{"server": "https://*.test", "namespace": "team-*"}], RED, "team-a", True),
        ([{"server": "https://*.test", "namespace": "team-*"}], RED, "other", False),
        ([{"name": "r*", "namespace": "a"}], RED, "a", True),
        ([{"name": "r*", "namespace": "a"}], NAMELESS, "a", False),
        ([{"server": "*", "namespace": "*"}, {"name": "!red", "namespace": "*"}], RED, "a", False),
        ([{"server": "*", "namespace": "*"}, {"name": "!red", "namespace": "b"}], RED, "a", True),
        ([{"server": "*", "namespace": "*"}, {"name": "!blue", "namespace": "*"}], NAMELESS, "a", False),
        ([{"server": "*", "namespace": "!kube-*"}], RED, "kube-system", False),
        ([{"server": "*", "namespace": "!kube-*"}], RED, "a", True),
        ([{"server": "*", "namespace": "*"}, {"server": "https://b", "namespace": "!a"}], RED, "a", True),
        ([{"server": "!https://blue.test", "namespace": "*"}], RED, "a", True),
        ([{"server": "https://red.test"}], RED, "", True),
    ],
)
def test_destinations(destinations: list[Any], cluster: Cluster, namespace: str, answer: bool) -> None:
    assert projects.permits_destination(project(destinations=destinations), cluster, namespace) is answer


def test_only_clusters_of_the_project_where_it_says_so() -> None:
    bounded = project(destinations=[{"server": "*", "namespace": "*"}], permitOnlyProjectScopedClusters=True)
    assert not projects.permits_destination(bounded, RED, "a")
    assert projects.permits_destination(bounded, RED, "a", [Cluster("https://elsewhere", "red")])
    assert not projects.permits_destination(bounded, RED, "a", [Cluster("https://blue.test", "blue")])


ANY = {"group": "*", "kind": "*"}


@pytest.mark.parametrize(
    ("spec", "namespaced", "answer"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"namespaceResourceWhitelist": []}, True, False),
        ({"namespaceResourceWhitelist": None}, True, True),
        ({"namespaceResourceWhitelist": [{"group": "app?", "kind": "D*"}]}, True, True),
        ({"namespaceResourceBlacklist": [{"group": "*", "kind": "Deployment"}]}, True, False),
        ({"clusterResourceWhitelist": [ANY]}, False, True),
        ({"clusterResourceWhitelist": [{**ANY, "name": "web-*"}]}, False, True),
        ({"clusterResourceWhitelist": [{**ANY, "name": "db-*"}]}, False, False),
        (
            {"clusterResourceWhitelist": [ANY], "clusterResourceBlacklist": [{**ANY, "name": "w"}]},
            False,
            True,
        ),
        ({"clusterResourceWhitelist": [{"group": "*", "kind": "[a"}]}, False, False),
    ],
)
def test_kinds(spec: dict[str, Any], namespaced: bool, answer: bool) -> None:
    assert projects.permits_kind(project(**spec), "apps", "Deployment", "web-1", namespaced) is answer


@pytest.mark.parametrize(
    ("patterns", "namespace", "answer"),
    [
        ([], "argocd", True),
        ([], "", True),
        ([], "a", False),
        (["team-*"], "team-a", True),
        (["/^team-[0-9]+$/"], "team-12", True),
        (["/^team-[0-9]+$/"], "team-x", False),
        (["/eam/"], "team-x", True),
        (["/(?<n>t)eam\\z/"], "team", True),
        (["/(/"], "(", False),
        (["/"], "a", False),
        (["//"], "a", False),
        (["/^\\p{L}+$/"], "team", True),
        (["/^[\\p{L}-]+$/"], "team-a", True),
        (["/^\\p{Lu}/"], "team", False),
        (["/^(?<n>t)e.*\\k<n>$/"], "test", True),
    ],
)
def test_where_applications_may_live(patterns: list[str], namespace: str, answer: bool) -> None:
    assert projects.permits_namespace(project(sourceNamespaces=patterns), namespace, "argocd") is answer


def test_refused_objects_are_named_with_their_kind_and_counted() -> None:
    bounded = project(destinations=[{"name": "red", "namespace": "a"}])
    roles = [Resource("rbac.authorization.k8s.io", "ClusterRole", f"r{n}", "", False) for n in range(6)]
    said = projects.check_objects(bounded, [*roles, Resource("", "Secret", "s", "b", True)], RED, ())
    assert said.startswith(
        "resource rbac.authorization.k8s.io/ClusterRole r0 is not permitted in project 'shop'; "
    )
    assert said.endswith("; and 2 more")


def test_kubernetes_own_kinds_are_where_they_are_whatever_a_definition_claims() -> None:
    names = {"plural": "clusterroles", "kind": "ClusterRole"}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "clusterroles.rbac.authorization.k8s.io"},
        "spec": {"group": "rbac.authorization.k8s.io", "scope": "Namespaced", "names": names},
    }
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": "all", "namespace": "a"},
    }
    bounded = project(
        destinations=[{"name": "red", "namespace": "a"}],
        clusterResourceWhitelist=[{"group": "apiextensions.k8s.io", "kind": "CustomResourceDefinition"}],
    )
    said = projects.check_objects(bounded, projects.resources([definition, role]), RED, ())
    assert said == "resource rbac.authorization.k8s.io/ClusterRole all is not permitted in project 'shop'"


def test_an_application_is_told_everything_that_is_not_permitted() -> None:
    app = {"metadata": {"name": "web", "namespace": "argocd"}, "spec": {"destination": {"name": "red"}}}
    said = projects.check_app(project(), app, ["https://a.test/x", "https://b.test/x"], RED, (), "argocd")
    assert said.count("is not permitted") == 2
    assert "destination server 'red'" in said
    foreign = {**app, "metadata": {"name": "web", "namespace": "elsewhere"}}
    assert "is not permitted to use project 'shop'" in projects.check_app(
        project(), foreign, [], RED, (), "argocd"
    )


def test_objects_need_no_look_only_where_none_can_be_refused() -> None:
    whole = {
        "destinations": [{"server": "*", "namespace": "*"}],
        "clusterResourceWhitelist": [ANY],
    }
    assert projects.permits_everything(project(**whole))
    for key, value in (
        ("namespaceResourceWhitelist", [ANY]),
        ("namespaceResourceBlacklist", [ANY]),
        ("clusterResourceBlacklist", [ANY]),
        ("clusterResourceWhitelist", []),
        ("destinations", [*whole["destinations"], {"server": "*", "namespace": "!kube-system"}]),
    ):
        assert not projects.permits_everything(project(**{**whole, key: value}))
