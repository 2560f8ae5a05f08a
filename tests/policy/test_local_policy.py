"""What the local policy permits, what its file may say, and that a slip in it neither opens nor stops a cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from agent.core import localpolicy
from agent.core.adoption import Adoption
from agent.core.localpolicy import LocalPolicy
from agent.policyfile import PolicyFile
from argosy.errors import Invalid
from argosy.objects import ObjectKey

CONFIG = ObjectKey("", "ConfigMap", "team-a", "c")


def policy(**spec: Any) -> LocalPolicy:
    document = {"apiVersion": "argosy.dev/v1alpha1", "kind": "AgentPolicy", "spec": spec}
    return localpolicy.parse([document], "policy.yaml")


def test_without_a_word_everything_is_permitted() -> None:
    assert policy().refusal(CONFIG, "") == policy().refusal(CONFIG, "team-a:x") == ""
    assert policy().deletion_refusal([1.0] * 1000, 2.0) == ""
    assert policy().mode is Adoption.MANAGE


@pytest.mark.parametrize(
    ("spec", "key", "field"),
    [
        (
            {"namespaces": {"allow": ["team-*"]}},
            ObjectKey("", "ConfigMap", "kube-system", "c"),
            "namespaces.allow",
        ),
        (
            {"namespaces": {"deny": ["kube-*"]}},
            ObjectKey("", "ConfigMap", "kube-system", "c"),
            "namespaces.deny",
        ),
        (
            {"namespaces": {"allow": ["*"], "deny": ["kube-*"]}},
            ObjectKey("", "Namespace", "", "kube-system"),
            "namespaces.deny",
        ),
        (
            {"kinds": {"deny": [{"group": "", "kind": "Secret"}]}},
            ObjectKey("", "Secret", "a", "s"),
            "kinds.deny",
        ),
        ({"kinds": {"allow": [{"group": "apps", "kind": "*"}]}}, CONFIG, "kinds.allow"),
        (
            {"kinds": {"deny": [{"group": "rbac.authorization.k8s.io", "kind": "*"}]}},
            ObjectKey("rbac.authorization.k8s.io", "ClusterRole", "", "r"),
            "kinds.deny",
        ),
        ({"namespaces": {"allow": []}}, CONFIG, "namespaces.allow"),
    ],
)
def test_a_refusal_names_the_field_and_what_was_found(spec: Any, key: ObjectKey, field: str) -> None:
    wrong = policy(**spec).refusal(key, "")
    assert f"spec.{field} of policy.yaml" in wrong
    assert (key.kind if field.startswith("kinds") else key.namespace or key.name) in wrong


def test_what_is_not_namespaced_is_a_matter_of_kinds_alone() -> None:
    assert policy(namespaces={"allow": ["team-*"]}).refusal(ObjectKey("g", "Thing", "", "t"), "") == ""


def test_service_accounts_are_permitted_by_name_and_may_be_required() -> None:
    strict = policy(serviceAccounts={"allow": ["team-*:deployer"], "required": True})
    assert strict.refusal(CONFIG, "team-a:deployer") == ""
    assert "serviceAccounts.allow" in strict.refusal(CONFIG, "kube-system:admin")
    assert "serviceAccounts.required" in strict.refusal(CONFIG, "")


def test_deletions_are_counted_within_the_hour() -> None:
    few = policy(maxDeletionsPerHour=2)
    assert few.deletion_refusal([100.0, 3699.0], 3700.0) == ""
    assert "maxDeletionsPerHour" in few.deletion_refusal([101.0, 3699.0], 3700.0)
    assert "at most 0" in policy(maxDeletionsPerHour=0).deletion_refusal([], 0.0)


def test_a_clock_that_was_set_back_opens_no_door() -> None:
    assert "maxDeletionsPerHour" in policy(maxDeletionsPerHour=1).deletion_refusal([90_000.0], 1_000.0)


def test_only_a_managing_agent_deletes() -> None:
    for mode in ("observe", "adopt", "release"):
        assert "spec.mode" in policy(mode=mode).deletion_refusal([], 0.0)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (
            {"apiVersion": "v1", "kind": "ConfigMap"},
            "AgentPolicy of argosy.dev/v1alpha1 is expected, found ConfigMap",
        ),
        ({"namespace": {}}, "spec.namespace: no such field; there are mode, namespaces"),
        ({"namespaces": ["a"]}, "spec.namespaces: a mapping is expected"),
        ({"namespaces": {"allow": "a"}}, "spec.namespaces.allow: a list is expected, found 'a'"),
        ({"namespaces": {"alow": ["a"]}}, "spec.namespaces.alow: no such field"),
        ({"kinds": {"deny": ["Secret"]}}, r"spec.kinds.deny\[0\]: a mapping is expected, found 'Secret'"),
        ({"kinds": {"deny": [{"group": ""}]}}, r"spec.kinds.deny\[0\].kind: a pattern is expected"),
        (
            {"serviceAccounts": {"allow": ["deployer"]}},
            r"serviceAccounts.allow\[0\]: namespace:name is expected",
        ),
        ({"serviceAccounts": {"required": "yes"}}, "spec.serviceAccounts.required: true or false"),
        ({"maxDeletionsPerHour": -1}, "a number from 0 on is expected, found -1"),
        ({"maxDeletionsPerHour": True}, "a number from 0 on is expected, found True"),
        ({"mode": "careful"}, "spec.mode: observe, release, adopt, manage is expected, found 'careful'"),
    ],
)
def test_what_is_not_understood_is_an_error(document: dict[str, Any], message: str) -> None:
    if "kind" not in document:
        document = {"apiVersion": "argosy.dev/v1alpha1", "kind": "AgentPolicy", "spec": document}
    with pytest.raises(Invalid, match=f"policy.yaml: .*{message}"):
        localpolicy.parse([document], "policy.yaml")


def write(path: Path, text: str) -> None:
    """As a mounted ConfigMap changes: another file takes the place."""
    new = path.with_suffix(".new")
    new.write_text(text)
    os.replace(new, path)


HEAD = "apiVersion: argosy.dev/v1alpha1\nkind: AgentPolicy\nspec:\n"


def test_the_file_is_read_again_when_it_changes_and_a_mistake_leaves_the_last_good_one(
    tmp_path: Path,
) -> None:
    path = tmp_path / "policy.yaml"
    write(path, HEAD + "  maxDeletionsPerHour: 1\n")
    file = PolicyFile(path)
    assert file.current().max_deletions == 1

    write(path, HEAD + "  maxDeletionsPerHour: 22\n")
    assert file.current().max_deletions == 22

    write(path, HEAD + "  maxDeletions: 333\n")
    assert file.current().max_deletions == 22
    assert "maxDeletions: no such field" in file.problem

    path.unlink()
    assert file.current().max_deletions == 22
    write(path, HEAD + "  maxDeletionsPerHour: 4\n")
    assert (file.current().max_deletions, file.problem) == (4, "")


def test_a_start_with_an_unusable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="No such file"):
        PolicyFile(tmp_path / "none.yaml")


def test_the_agents_own_namespaces_are_out_of_reach_unless_spelled_out() -> None:
    key = ObjectKey("", "ConfigMap", "argosy", "argosy-agent-policy")
    document = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "AgentPolicy",
        "spec": {"namespaces": {"allow": ["*"]}},
    }
    assert "the agent's own" in localpolicy.parse([document], "policy.yaml", ["argosy"]).refusal(key, "")

    document["spec"] = {"namespaces": {"allow": ["argosy", "team-*"]}}
    assert localpolicy.parse([document], "policy.yaml", ["argosy"]).refusal(key, "") == ""
