"""Which ServiceAccount a project writes its applications' objects as, by Argo CD's rules."""

from __future__ import annotations

from typing import Any

import pytest

from hub.core.apps import policy
from hub.core.projects import accounts

SERVER = "https://eu-1.example"


def project(*entries: tuple[str, str, str]) -> dict[str, Any]:
    listed = [
        {"server": server, "namespace": namespace, "defaultServiceAccount": account}
        for server, namespace, account in entries
    ]
    return {"metadata": {"name": "team"}, "spec": {"destinationServiceAccounts": listed}}


def app(namespace: str = "shop") -> dict[str, Any]:
    destination = {"server": SERVER, **({"namespace": namespace} if namespace else {})}
    return {"metadata": {"name": "web", "namespace": "argocd"}, "spec": {"destination": destination}}


@pytest.mark.parametrize(
    ("entries", "namespace", "account"),
    [
        ([("*", "*", "deployer")], "shop", "shop:deployer"),
        ([("*", "*", "ops:deployer")], "shop", "ops:deployer"),
        ([("https://eu-*", "shop*", "first"), ("*", "*", "second")], "shop-2", "shop-2:first"),
        ([("https://us-*", "*", "first"), ("*", "*", "second")], "shop", "shop:second"),
        ([("*", "*", "deployer")], "", "argocd:deployer"),
        ([], "shop", ""),
    ],
)
def test_the_first_entry_that_fits_decides(
    entries: list[tuple[str, str, str]], namespace: str, account: str
) -> None:
    assert accounts.of(project(*entries), app(namespace), SERVER, None) == (account, "")


@pytest.mark.parametrize("name", ["", " ", "de*ployer", "../x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    account, wrong = accounts.of(project(("*", "*", name)), app(), SERVER, None)
    assert (account, wrong) == ("", f"default service account contains invalid chars '{name}'")


def test_an_application_that_no_entry_fits_is_refused() -> None:
    account, wrong = accounts.of(project(("*", "other", "x")), app(), SERVER, None)
    assert account == ""
    assert wrong == f"no matching service account found for destination server {SERVER} and namespace shop"


def test_the_switch_of_argocd_cm_counts_where_it_is_set() -> None:
    some = project(("*", "*", "deployer"))
    assert accounts.of(some, app(), SERVER, False) == ("", "")
    assert accounts.of(some, app(), SERVER, True) == ("shop:deployer", "")
    assert "no matching service account" in accounts.of(project(), app(), SERVER, True)[1]


def test_the_mode_of_an_application_is_one_of_the_words() -> None:
    assert policy.of({}, policy.Asked(), {"argosy.dev/mode": "adopt"}).mode == "adopt"
    assert policy.mode_problem({"argosy.dev/mode": "adopt"}) == ""
    assert "one of observe, release, adopt, manage is expected, found 'look'" in policy.mode_problem(
        {"argosy.dev/mode": "look"}
    )
