"""The small rule books below expansion: versions, globs, selectors, names, the type tables."""

from __future__ import annotations

from typing import Any

import pytest

from argosy.errors import Invalid
from hub.core.matching import globs, labels, semver
from hub.core.schema import app_fields, schema
from hub.core.template import names

ADMITTED: list[tuple[str, str, bool]] = [
    ("1.2.x", "1.2.9", True),
    ("1.2", "1.2.9", True),
    ("1", "1.9.9", True),
    ("*", "3.1.0", True),
    ("*", "3.1.0-rc.1", False),
    ("", "0.0.1", False),
    (">1", "1.9.0", False),
    (">1", "2.0.0", True),
    (">1.2", "1.2.5", False),
    (">1.2.x", "1.3.0", True),
    ("<1.2", "1.1.9", True),
    ("<=1.2", "1.2.9", True),
    ("<=1", "1.9.9", True),
    ("!=1.2", "1.2.3", False),
    ("!=1.2", "1.3.0", True),
    ("~1.2.3", "1.2.9", True),
    ("~1.2.3", "1.3.0", False),
    ("~1", "1.9.0", True),
    ("~>1.2", "1.2.1", True),
    ("=>1.2", "1.3.0", True),
    ("^1.2.3", "1.9.9", True),
    ("^0.2.3", "0.2.9", True),
    ("^0.2.3", "0.3.0", False),
    ("^0.0.3", "0.0.4", False),
    ("^0", "0.9.0", True),
    (">=1.2, <2", "1.9.0", True),
    (">=1.2 <2", "2.0.0", False),
    ("1.2 - 1.4", "1.4.9", True),
    ("1.2.3 - 2", "2.9.0", True),
    ("<1 || >2", "3.0.0", True),
    (">=1.0.0-0 <2", "2.0.0-rc.1", True),
    ("~1.2.3-beta.1", "1.2.4-alpha", True),
    (">=1.2", "1.3.0-rc.1", False),
    ("=1.2.3", "v1.2.3", True),
]


@pytest.mark.parametrize(("constraint", "version", "admitted"), [row for row in ADMITTED if row[0]])
def test_ranges_follow_masterminds(constraint: str, version: str, admitted: bool) -> None:
    assert semver.compare(constraint, version) is admitted


@pytest.mark.parametrize("text", [">=", "bad", "1.2.3.4", ">=1.2,", "1.2.3-", "1 || ", "x" * 2000])
def test_an_improper_range_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="constraint"):
        semver.compile_range(text)


def test_versions_sort_as_semver_demands() -> None:
    ordered = [
        "1.0.0-alpha",
        "1.0.0-alpha.1",
        "1.0.0-alpha.beta",
        "1.0.0-beta",
        "1.0.0-beta.2",
        "1.0.0-beta.11",
    ]
    ordered += ["1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0"]
    shuffled = ordered[5:] + ordered[:5]
    assert sorted(shuffled, key=lambda text: semver.parse_version(text).order) == ordered


def test_the_highest_tag_of_a_range_and_none_for_a_pin() -> None:
    tags = ["v1.2.0", "v1.10.0", "v2.0.0", "v1.11.0-rc.1", "latest"]
    assert semver.highest("1.*", tags) == "v1.10.0"
    assert semver.highest(">=3", tags) is None
    assert semver.highest("v1.2.0", tags) is None
    assert semver.highest("main", tags) is None


@pytest.mark.parametrize(
    ("pattern", "path", "old", "new"),
    [
        ("p1/**/config.json", "p1/config.json", False, True),
        ("p1/**/config.json", "p1/x/config.json", True, True),
        ("p1/*.json", "p1/x/config.json", True, False),
        ("p1/*.json", "p1/config.json", True, True),
        ("some", "some/a/b.yaml", True, False),
        ("some/", "some/a.yaml", True, False),
        ("./some/*.yaml", "some/a.yaml", True, False),
        ("**/x", "x", False, True),
        ("a/{b,c}/d", "a/c/d", False, True),
        ("a/?.y", "a/b.y", True, True),
        ("a/[!b].y", "a/c.y", True, False),
        ("a/[^b].y", "a/c.y", True, True),
        ("*", "a/b/c", True, False),
        ("a/**", "a", False, True),
        (".", "anything", True, False),
    ],
)
def test_the_two_ways_of_globbing_files(pattern: str, path: str, old: bool, new: bool) -> None:
    assert globs.pathspec(pattern)(path) is old
    assert globs.doublestar(pattern)(path) is new


@pytest.mark.parametrize(
    "pattern", ["/abs/*", "../up", "a/../../up", ":(bogus)x", ":(glob", ":(glob,literal)x", ":-x", ":!%x"]
)
def test_a_pathspec_that_git_refuses_is_refused(pattern: str) -> None:
    with pytest.raises(Invalid, match="pathspec"):
        globs.pathspec(pattern)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("apps/*", "apps/web", True),
        ("apps/*", "apps/web/deep", False),
        ("apps/**", "apps/web", True),
        ("*/w?b", "apps/web", True),
        ("apps/[a-w]*", "apps/web", True),
        ("apps/[^w]*", "apps/web", False),
        (r"apps/\*", "apps/*", True),
        ("apps/[", "apps/web", None),
        ("apps/[]a]", "apps/a", None),
        ("apps/[b-a]", "apps/a", False),
    ],
)
def test_directories_match_as_gos_path_match(pattern: str, path: str, matches: bool | None) -> None:
    matcher = globs.directory(pattern)
    assert (None if matcher is None else matcher(path)) is matches


def test_a_selector_matches_as_kubernetes_does() -> None:
    selector = labels.compile_selector(
        {
            "matchLabels": {"env": "prod"},
            "matchExpressions": [
                {"key": "tier", "operator": "NotIn", "values": ["low"]},
                {"key": "gone", "operator": "DoesNotExist"},
                {"key": "region", "operator": "Exists"},
            ],
        },
        any_value=False,
    )
    assert selector.matches({"env": "prod", "region": ""})
    assert not selector.matches({"env": "prod", "region": "x", "tier": "low"})
    assert not selector.matches({"env": "prod", "region": "x", "gone": ""})
    assert selector.keys == {"env", "tier", "gone", "region"}


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"matchLabels": {"path[0]": "x"}}, "label key 'path[0]'"),
        ({"matchLabels": {"a/b/c": "x"}}, "label key 'a/b/c'"),
        ({"matchLabels": {"k" * 64: "x"}}, "1 to 63 characters"),
        ({"matchLabels": {"k": "https://x"}}, "value 'https://x'"),
        ({"matchExpressions": [{"key": "k", "operator": "In"}]}, "needs at least one value"),
        ({"matchExpressions": [{"key": "k", "operator": "Exists", "values": ["x"]}]}, "takes no values"),
        (
            {"matchExpressions": [{"key": "k", "operator": "Equals", "values": ["x"]}]},
            "not a valid label selector",
        ),
    ],
)
def test_a_wrong_selector_names_its_key(spec: dict[str, Any], message: str) -> None:
    with pytest.raises(Invalid) as caught:
        labels.compile_selector(spec, any_value=False)
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("branch", "slug"),
    [
        ("feat/add_Login&Logout", "feat-add-loginandlogout"),
        ("fix/über@home 'quoted'", "fix-uberathome-quoted"),
        ("a" * 60, "a" * 50),
        ("word-" * 20, ("word-" * 10)[:-1]),
        ("--x__", "x"),
        ("fix/привет-Мир", "fix-privet-mir"),
        ("Подъезд/Щука", "pod-ezd-shchuka"),
        ("Ελλάδα/ξένος", "ellada-xenos"),
        ("їжак-ђ", "yizhak-dj"),
    ],
)
def test_slugs_of_branches(branch: str, slug: str) -> None:
    assert names.slug(branch) == slug


def test_gos_encoder_leaves_out_what_is_empty_and_keeps_pointers() -> None:
    spec = {
        "project": "",
        "source": {"repoURL": "r", "directory": {"recurse": False}, "helm": {}, "path": ""},
        "syncPolicy": {"automated": {"prune": False}, "syncOptions": []},
        "revisionHistoryLimit": 0,
        "info": [],
    }
    assert schema.encode(app_fields.APPLICATION_SPEC, spec) == {
        "project": "",
        "destination": {},
        "source": {"repoURL": "r", "directory": {}, "helm": {}},
        "syncPolicy": {"automated": {"prune": False}},
        "revisionHistoryLimit": 0,
    }
