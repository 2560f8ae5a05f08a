"""Which commit a targetRevision means, in Argo CD's order; which addresses are one repository."""

from __future__ import annotations

import pytest

from argosy.errors import Invalid, NotFound
from hub.core import repos
from hub.core.matching import semver
from hub.git import revision

REFS = {
    "HEAD": "c-main",
    "refs/heads/main": "c-main",
    "refs/heads/release/1.x": "c-release",
    "refs/heads/both": "c-branch",
    "refs/heads/1.*": "c-odd",
    "refs/tags/both": "c-tag",
    "refs/tags/v1.2.0": "c-120",
    "refs/tags/v1.10.0": "c-1100",
    "refs/tags/v2.0.0-rc.1": "c-2rc",
    "refs/tags/app-3.1.0": "c-app-310",
    "refs/tags/deadbee": "c-hextag",
    "refs/pull/7/head": "c-pull",
}


def resolve(text: str, prefix: str = "") -> str:
    def short(given: str) -> str | None:
        return "c-short" if given == "abcdef1" else None

    return revision.resolve(text, REFS, highest=semver.highest, short=short, tag_prefix=prefix)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("", "c-main"),
        ("HEAD", "c-main"),
        ("main", "c-main"),
        ("refs/heads/main", "c-main"),
        ("release/1.x", "c-release"),
        ("both", "c-branch"),
        ("refs/tags/both", "c-tag"),
        ("v1.2.0", "c-120"),
        ("1.*", "c-1100"),
        ("^1.2", "c-1100"),
        (">=1.0.0 <1.5.0", "c-120"),
        (">=2.0.0-0", "c-2rc"),
        ("refs/pull/7/head", "c-pull"),
        ("pull/7/head", "c-pull"),
        ("deadbee", "c-hextag"),
        ("abcdef1", "c-short"),
        ("A" * 40, "a" * 40),
    ],
)
def test_revisions(given: str, wanted: str) -> None:
    assert resolve(given) == wanted


def test_a_tag_prefix_is_cut_off_before_versions_are_compared() -> None:
    assert resolve("3.*", "app-") == "c-app-310"


@pytest.mark.parametrize("given", ["nothing", "^9", "1.2.0", "abc", "abcdef2", "heads/none"])
def test_what_is_not_there_is_not_found(given: str) -> None:
    with pytest.raises(NotFound, match="unable to resolve"):
        resolve(given)


@pytest.mark.parametrize(
    "same",
    [
        [
            "https://g.example.com/Team/app",
            "https://G.example.com/Team/app.git",
            "https://g.example.com:443/Team/app/",
        ],
        [
            "git@g.example.com:team/app.git",
            "ssh://git@g.example.com/team/app",
            "ssh://git@G.example.com:22/team/app.git/",
        ],
        ["https://u:p@g.example.com/a", "https://g.example.com/a"],
    ],
)
def test_spellings_of_one_repository(same: list[str]) -> None:
    assert len({repos.identity(url) for url in same}) == 1


def test_different_repositories_stay_apart() -> None:
    urls = [
        "https://g.example.com/a",
        "https://g.example.com/b",
        "https://h.example.com/a",
        "http://g.example.com/a",
        "https://g.example.com:8443/a",
        "git@g.example.com:a",
    ]
    assert len({repos.identity(url) for url in urls}) == len(urls)


@pytest.mark.parametrize("url", ["", "nonsense", "-x", "https://", "https://h:port/a", "a b"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid):
        repos.parse(url)
