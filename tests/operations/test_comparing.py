"""What argocd-cm says of comparing reaches agents: excluded kinds, differences that are ignored everywhere."""

from __future__ import annotations

import orjson
import pytest

from agent.core import drift, exclusions
from argosy.bundle import Policy
from argosy.objects import ObjectKey
from hub.core import comparing, settings

SERVER = "https://one.example.com"
CM = {
    "resource.exclusions": """
- apiGroups: ["cilium.io", "*.kyverno.io"]
  kinds: ["*"]
- apiGroups: [""]
  kinds: [Endpoints]
  clusters: ["https://*.example.com"]
- kinds: [EndpointSlice]
  clusters: [https://two.example.com]
""",
    "resource.customizations.ignoreDifferences.apps_Deployment": "jsonPointers: [/spec/replicas]",
    "resource.customizations.ignoreDifferences.all": "managedFieldsManagers: [kube-controller-manager]",
    "resource.customizations": """
admissionregistration.k8s.io/MutatingWebhookConfiguration:
  ignoreDifferences: |
    jqPathExpressions: ['.webhooks[]?.clientConfig.caBundle']
""",
}


def key(group: str, kind: str) -> ObjectKey:
    return ObjectKey(group, kind, "shop", "a")


def test_exclusions_reach_the_agent_of_their_clusters() -> None:
    found, wrong = comparing.of(CM)
    assert wrong == ""
    told = found.applied(Policy(sync_options=("Prune=false",)), (SERVER, "one")).sync_options
    assert told[0] == "Prune=false"
    excluded = {
        (group, kind): exclusions.excluded(told, key(group, kind))
        for group, kind in (
            ("cilium.io", "CiliumIdentity"),
            ("wgpolicyk8s.kyverno.io", "Report"),
            ("", "Endpoints"),
            ("discovery.k8s.io", "EndpointSlice"),
            ("apps", "Deployment"),
        )
    }
    assert list(excluded.values()) == [True, True, True, False, False]


def test_groups_of_exclusions_are_argo_cds_globs() -> None:
    found, _ = comparing.of({"resource.exclusions": "- {apiGroups: ['{a,b}.test'], kinds: ['*']}"})
    told = found.applied(Policy(), (SERVER,)).sync_options
    assert [exclusions.excluded(told, key(group, "Any")) for group in ("a.test", "b.test", "c.test")] == [
        *(True, True, False)
    ]


def test_inclusions_exclude_everything_else() -> None:
    found, _ = comparing.of({"resource.inclusions": "- {apiGroups: [apps], kinds: [Deployment]}"})
    told = found.applied(Policy(), (SERVER,)).sync_options
    assert not exclusions.excluded(told, key("apps", "Deployment"))
    assert exclusions.excluded(told, key("apps", "StatefulSet"))
    assert exclusions.excluded(told, key("", "ConfigMap"))


def test_records_of_what_happens_are_never_compared() -> None:
    for group, kind in (("", "Event"), ("events.k8s.io", "Event"), ("coordination.k8s.io", "Lease")):
        assert exclusions.excluded((), key(group, kind))
    assert not exclusions.excluded((), key("", "ConfigMap"))


def test_ignored_differences_of_all_applications_join_their_own() -> None:
    found, _ = comparing.of(CM)
    own = orjson.dumps([{"kind": "ConfigMap", "jsonPointers": ["/data/k"]}]).decode()
    rules = drift.ignores(found.applied(Policy(ignore_differences=own), ()).ignore_differences)
    assert drift.ignored(rules, key("", "ConfigMap")).pointers == ("/data/k",)
    deployment = drift.ignored(rules, key("apps", "Deployment"))
    assert (deployment.pointers, deployment.managers) == (("/spec/replicas",), {"kube-controller-manager"})
    webhook = drift.ignored(rules, key("admissionregistration.k8s.io", "MutatingWebhookConfiguration"))
    assert webhook.expressions == (".webhooks[]?.clientConfig.caBundle",)


def test_a_configmap_that_says_nothing_changes_no_policy() -> None:
    found, wrong = comparing.of({"other": "x"})
    assert (found.told('{"automated":true}', (SERVER,)), wrong) == ('{"automated":true}', "")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        ({"resource.exclusions": "{"}, "resource.exclusions"),
        ({"resource.exclusions": "a: b"}, "resource.exclusions: a list is expected"),
        ({"resource.exclusions": "- kinds: Pod"}, "resource.exclusions[0]"),
        (
            {"resource.customizations.ignoreDifferences.apps_Deployment": "[]"},
            "ignoreDifferences.apps_Deployment",
        ),
    ],
)
def test_what_is_not_understood_is_named_and_holds_up_nothing(data: dict[str, str], named: str) -> None:
    found = settings.of({**data, "installationID": "x"})
    assert named in found.wrong
    assert (found.installation, found.comparing) == ("x", comparing.Comparing())
