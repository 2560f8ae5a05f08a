"""What a project asks of its sources' signatures, and what is enough, as Argo CD 3.6 decides it."""

from __future__ import annotations

from typing import Any

import pytest

from argosy.errors import Invalid
from hub.core.projects import integrity
from hub.core.projects.integrity import Policy, Signature, Verdict

ANN, BOB = "AAAAAAAAAAAAAAAA", "BBBBBBBBBBBBBBBB"
REPO = "https://git.test/shop/web"


def project(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "shop", "namespace": "argocd"}, "spec": spec}


def declared(*policies: dict[str, Any]) -> dict[str, Any]:
    return project(sourceIntegrity={"git": {"policies": list(policies)}})


def gpg(repos: list[Any], mode: str = "head", keys: tuple[str, ...] = (ANN,)) -> dict[str, Any]:
    return {"repos": repos, "gpg": {"mode": mode, "keys": list(keys)}}


def signed(verdict: Verdict, key: str = "", revision: str = "c" * 40, primary: str = "") -> Signature:
    return Signature(revision, verdict, key, primary or key, "Ann <ann@example.com>")


def test_signature_keys_are_one_policy_for_every_repository() -> None:
    asking = project(signatureKeys=[{"keyID": ANN.lower()}, {"keyID": "1" * 24 + BOB}, {"keyID": "none"}])
    assert integrity.asked(asking)
    assert integrity.policies(asking, REPO) == [Policy("head", frozenset({ANN, BOB}))]
    assert not integrity.asked(project(signatureKeys=[], sourceIntegrity={"git": {}}))
    assert integrity.policies(project(), REPO) == []


@pytest.mark.parametrize(
    ("repos", "concerned"),
    [
        (["*"], True),
        ([{"url": "https://git.test/*"}], True),
        (["https://git.test/other"], False),
        (["https://git.test/*", "!https://git.test/shop/*"], False),
        (["!https://git.test/other"], False),
        ([], False),
    ],
)
def test_policies_name_repositories_by_globs(repos: list[Any], concerned: bool) -> None:
    assert bool(integrity.policies(declared(gpg(repos)), REPO)) is concerned


def test_mode_none_asks_nothing_and_both_ways_to_ask_hold_together() -> None:
    assert integrity.policies(declared(gpg(["*"], "none")), REPO) == []
    both = declared(gpg(["*"], "strict"))
    both["spec"]["signatureKeys"] = [{"keyID": BOB}]
    assert [policy.mode for policy in integrity.policies(both, REPO)] == ["head", "strict"]


def test_a_mistake_does_not_turn_checks_off() -> None:
    with pytest.raises(Invalid, match=r"multiple \(2\) git source integrity policies found for repo URL"):
        integrity.policies(declared(gpg(["*"]), gpg(["https://git.test/*"])), REPO)
    with pytest.raises(Invalid, match='unknown GPG mode "heads"'):
        integrity.policies(declared(gpg(["*"], "heads")), REPO)


@pytest.mark.parametrize("verdict", [verdict for verdict in Verdict if verdict is not Verdict.GOOD])
def test_what_is_not_signed_well_is_refused_in_argo_cds_words(verdict: Verdict) -> None:
    key = "" if verdict is Verdict.UNSIGNED else ANN
    assert integrity.problems(Policy("head", frozenset({ANN})), [signed(verdict, key)]) == [
        f"GIT/GPG: Failed verifying revision {'c' * 40} by 'Ann <ann@example.com>': {verdict} (key_id={key})"
    ]


def test_a_good_signature_counts_for_its_own_key_or_the_one_above_it() -> None:
    policy = Policy("head", frozenset({ANN}))
    assert (
        integrity.problems(policy, [signed(Verdict.GOOD, ANN), signed(Verdict.GOOD, BOB, primary=ANN)]) == []
    )
    assert integrity.problems(policy, [signed(Verdict.GOOD, BOB)]) == [
        f"GIT/GPG: Failed verifying revision {'c' * 40} by 'Ann <ann@example.com>': "
        f"signed with unallowed key (key_id={BOB})"
    ]
    # A policy without keys permits nobody.
    assert integrity.problems(Policy("head", frozenset()), [signed(Verdict.GOOD, ANN)])


def test_ten_problems_are_told_each_key_once_but_every_unsigned_commit_and_tag() -> None:
    policy = Policy("strict", frozenset({ANN}))
    twice = [signed(Verdict.BAD, BOB), signed(Verdict.BAD, BOB), signed(Verdict.BAD, BOB, "v1")]
    assert len(integrity.problems(policy, twice)) == 2
    assert len(integrity.problems(policy, [signed(Verdict.UNSIGNED)] * 30)) == 10


def test_entries_of_the_keyring_are_named_after_keys() -> None:
    data = {ANN.lower(): "one", "key.asc": "two", "1" * 24 + BOB: "three", "Z" * 16: "four"}
    assert integrity.keyring(data) == {ANN: "one"}


@pytest.mark.parametrize(("value", "on"), [("", True), ("true", True), ("False", False), ("no", False)])
def test_an_administrator_may_turn_it_off(value: str, on: bool) -> None:
    assert integrity.enabled(value) is on
