"""Real kubectl against the hub's API: every command people and scripts use."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import pytest
import yaml
from hubapi import READER_TOKEN, STRANGER_TOKEN, Kubectl, RunningApi

from hub.store import audit, events


def application(name: str, **spec: object) -> dict[str, object]:
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "labels": {"team": "a"}},
        "spec": {
            "project": "default",
            "destination": {"name": "c1", "namespace": "web"},
            "source": {
                "repoURL": "https://git.example.com/x.git",
                "path": "apps/web",
                "targetRevision": "main",
            },
            **spec,
        },
    }


def text(*manifests: object) -> str:
    return yaml.safe_dump_all(manifests)


def get(kubectl: Kubectl, namespace: str, *what: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(kubectl("get", "-n", namespace, *what, "-o", "json"))
    return found


def test_api_resources_lists_kinds_with_argo_cds_short_names(kubectl: Kubectl) -> None:
    lines = {line.split()[0]: line.split() for line in kubectl("api-resources").splitlines()}
    assert lines["applications"][1] == "app,apps"
    assert lines["applicationsets"][1] == "appset,appsets"
    assert lines["appprojects"][1] == "appproj,appprojs"
    assert lines["clusters"] == ["clusters", "argosy.dev/v1alpha1", "false", "Cluster"]
    assert "argosy.dev/v1alpha1" in kubectl("api-versions").split()


def test_version_is_a_version(kubectl: Kubectl) -> None:
    assert "Server Version: v1." in kubectl("version")


@pytest.mark.parametrize("name", ["app", "apps", "application", "applications.argoproj.io"])
def test_kinds_answer_to_all_their_names(kubectl: Kubectl, name: str) -> None:
    assert kubectl.run("get", name).returncode == 0


def test_client_side_apply_creates_leaves_and_changes(kubectl: Kubectl, namespace: str) -> None:
    assert "created" in kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("web")))
    before = get(kubectl, namespace, "app", "web")
    assert "unchanged" in kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("web")))
    assert get(kubectl, namespace, "app", "web")["metadata"] == before["metadata"]
    changed = text(application("web", project="other"))
    assert "configured" in kubectl("apply", "-n", namespace, "-f", "-", stdin=changed)
    after = get(kubectl, namespace, "app", "web")
    assert after["spec"]["project"] == "other"
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1


def test_server_side_apply_takes_over_from_client_side_apply(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("web")))
    changed = text(application("web", project="other"))
    kubectl("apply", "--server-side", "-n", namespace, "-f", "-", stdin=changed)
    found = json.loads(kubectl("get", "app", "web", "-n", namespace, "-o", "json", "--show-managed-fields"))
    owners = {(entry["manager"], entry["operation"]) for entry in found["metadata"]["managedFields"]}
    assert owners == {("kubectl", "Apply"), ("kubectl-last-applied", "Apply")}
    assert found["spec"]["project"] == "other"


def test_a_conflict_names_the_other_manager_and_can_be_forced(kubectl: Kubectl, namespace: str) -> None:
    apply = ("apply", "--server-side", "-n", namespace, "-f", "-")
    kubectl(*apply, "--field-manager=first", stdin=text(application("web")))
    other = text(application("web", project="other"))
    refused = kubectl.run(*apply, "--field-manager=second", stdin=other, check=False)
    assert refused.returncode == 1
    assert 'conflict with "first": .spec.project' in refused.stderr
    assert "--force-conflicts" in refused.stderr
    kubectl(*apply, "--field-manager=second", "--force-conflicts", stdin=other)
    assert get(kubectl, namespace, "app", "web")["spec"]["project"] == "other"


@pytest.mark.parametrize("way", [(), ("--server-side",)])
def test_diff_shows_exactly_what_changes(kubectl: Kubectl, namespace: str, way: tuple[str, ...]) -> None:
    apply = ("apply", *way, "-n", namespace, "-f", "-")
    kubectl(*apply, stdin=text(application("web")))
    same = kubectl.run("diff", *way, "-n", namespace, "-f", "-", stdin=text(application("web")), check=False)
    assert (same.returncode, same.stdout) == (0, "")
    changed = text(application("web", project="other"))
    differs = kubectl.run("diff", *way, "-n", namespace, "-f", "-", stdin=changed, check=False)
    assert differs.returncode == 1
    lines = [
        line for line in differs.stdout.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")
    ]
    assert [line for line in lines if "generation" not in line] == [
        "-  project: default",
        "+  project: other",
    ]


def test_a_misspelt_field_is_refused_by_its_name(kubectl: Kubectl, namespace: str) -> None:
    wrong = application("web", syncPolicy={"automated": {"prun": True}})
    for way in ((), ("--server-side",)):
        refused = kubectl.run("apply", *way, "-n", namespace, "-f", "-", stdin=text(wrong), check=False)
        assert refused.returncode == 1
        assert "spec.syncPolicy.automated.prun" in refused.stderr


def test_a_missing_field_is_refused_by_its_name(kubectl: Kubectl, namespace: str) -> None:
    wrong = application("web")
    del wrong["spec"]["project"]
    refused = kubectl.run("apply", "-n", namespace, "-f", "-", stdin=text(wrong), check=False)
    assert "spec.project: Required value" in refused.stderr


def test_validation_can_be_a_warning(kubectl: Kubectl, namespace: str) -> None:
    wrong = application("web", notAField=1)
    done = kubectl.run("apply", "--validate=warn", "-n", namespace, "-f", "-", stdin=text(wrong))
    assert 'Warning: unknown field "spec.notAField"' in done.stderr


def test_what_looks_like_a_mistake_is_a_warning_once(kubectl: Kubectl, namespace: str) -> None:
    """Argo CD accepts these without a word."""
    odd = application("web", syncPolicy={"syncOptions": ["createNamespace=true"]})
    done = kubectl.run("apply", "-n", namespace, "-f", "-", stdin=text(odd))
    assert "Warning: spec.syncPolicy.syncOptions: unknown sync option" in done.stderr
    assert "did you mean CreateNamespace?" in done.stderr
    assert "Warning" not in kubectl.run("apply", "-n", namespace, "-f", "-", stdin=text(odd)).stderr
    labelled = {**odd, "metadata": {**odd["metadata"], "labels": {"a": "b"}}}
    assert "Warning" not in kubectl.run("apply", "-n", namespace, "-f", "-", stdin=text(labelled)).stderr


def test_a_sets_templates_are_looked_at_as_well(kubectl: Kubectl, namespace: str) -> None:
    template = {"metadata": {"name": "{{.name}}"}, "spec": application("x")["spec"]}
    appset = {
        **application("set"),
        "kind": "ApplicationSet",
        "spec": {"generators": [{"list": {"elements": [{"name": "a"}]}}, {}], "template": template},
    }
    told = kubectl.run("apply", "-n", namespace, "-f", "-", stdin=text(appset)).stderr
    assert "Warning: spec.generators[1]: names no generator" in told
    assert "Warning: spec.template.metadata.name: holds a Go template, but goTemplate is not set" in told


def test_get_in_all_its_forms(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("web"), application("api")))
    plain = kubectl("get", "app", "-n", namespace).splitlines()
    assert plain[0].split() == ["NAME", "SYNC", "STATUS", "HEALTH", "STATUS", "CLUSTER", "AGE"]
    assert [line.split()[0] for line in plain[1:]] == ["api", "web"]
    assert "PROJECT" in kubectl("get", "app", "-n", namespace, "-o", "wide").splitlines()[0]
    found = yaml.safe_load(kubectl("get", "app", "web", "-n", namespace, "-o", "yaml"))
    assert found["spec"]["source"]["path"] == "apps/web"
    path = "jsonpath={.items[*].metadata.name}"
    assert kubectl("get", "app", "-n", namespace, "-o", path) == "api web"
    assert kubectl("get", "app", "-n", namespace, "-l", "team=b", "-o", "name") == ""
    assert kubectl("get", "app", "-n", namespace, "-l", "team in (a,b)", "-o", "name").count("\n") == 2
    one = kubectl("get", "app", "-n", namespace, "--field-selector=metadata.name=api", "-o", "name")
    assert one == "application.argoproj.io/api\n"
    ordered = kubectl("get", "app", "-n", namespace, "--sort-by=.metadata.name", "--no-headers")
    assert [line.split()[0] for line in ordered.splitlines()] == ["api", "web"]
    assert kubectl("get", "app", "-A", "--server-print=false").splitlines()[0].split()[0] == "NAMESPACE"
    assert "application.argoproj.io/web" in kubectl("get", "all", "-n", namespace, "-o", "name")
    assert "web" in kubectl("get", "--raw", f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/applications")


def test_lists_come_in_chunks(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(*(application(f"app-{n}") for n in range(5))))
    names = kubectl("get", "app", "-n", namespace, "--chunk-size=2", "--no-headers").splitlines()
    assert [line.split()[0] for line in names] == [f"app-{n}" for n in range(5)]


def test_describe_shows_fields_and_events(kubectl: Kubectl, namespace: str, api: RunningApi) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("web")))
    manifest = get(kubectl, namespace, "app", "web")
    api.write(
        lambda tx: events.note(
            tx,
            api.resources,
            manifest,
            kind="Normal",
            reason="Synced",
            message="all is well",
            now=time.time(),
        )
    )
    shown = kubectl("describe", "app", "web", "-n", namespace)
    assert "Target Revision:  main" in shown
    assert "all is well" in shown
    assert "all is well" in kubectl("events", "-n", namespace, "--for", "application/web")
    assert "Synced" in kubectl("get", "events", "-n", namespace)


def test_edit_changes_what_the_editor_changed(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("web")))
    edited = kubectl.run("edit", "app", "web", "-n", namespace, EDITOR="sed -i s/main/release/")
    assert "edited" in edited.stdout
    assert get(kubectl, namespace, "app", "web")["spec"]["source"]["targetRevision"] == "release"


def test_label_annotate_patch_and_replace(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("web")))
    web = ("app", "web", "-n", namespace)
    kubectl("label", *web, "tier=front")
    kubectl("label", *web, "team-")
    kubectl("annotate", *web, "argocd.argoproj.io/refresh=hard")
    metadata = get(kubectl, namespace, "app", "web")["metadata"]
    assert metadata["labels"] == {"tier": "front"}
    assert metadata["annotations"]["argocd.argoproj.io/refresh"] == "hard"
    kubectl("patch", *web, "--type=merge", "-p", '{"spec":{"project":"merged"}}')
    kubectl("patch", *web, "--type=json", "-p", '[{"op":"test","path":"/spec/project","value":"merged"}]')
    strategic = kubectl.run("patch", *web, "-p", "{}", check=False)
    assert strategic.returncode == 1
    assert "application/merge-patch+json" in strategic.stderr
    found = get(kubectl, namespace, "app", "web")
    found["spec"]["project"] = "replaced"
    kubectl("replace", "-n", namespace, "-f", "-", stdin=json.dumps(found))
    stale = kubectl.run("replace", "-n", namespace, "-f", "-", stdin=json.dumps(found), check=False)
    assert "the object has been modified" in stale.stderr
    assert get(kubectl, namespace, "app", "web")["spec"]["project"] == "replaced"


def test_core_kinds_take_strategic_patches(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "configmap", "settings", "-n", namespace, "--from-literal=a=1")
    kubectl("patch", "configmap", "settings", "-n", namespace, "-p", '{"data":{"b":"2"}}')
    assert get(kubectl, namespace, "cm", "settings")["data"] == {"a": "1", "b": "2"}


def test_core_objects_are_created_by_protobuf_bodies(kubectl: Kubectl, namespace: str) -> None:
    kubectl("create", "configmap", "settings", "-n", namespace, "--from-literal=key=value")
    kubectl("create", "secret", "generic", "pass", "-n", namespace, "--from-literal=key=value")
    assert get(kubectl, namespace, "cm", "settings")["data"] == {"key": "value"}
    assert get(kubectl, namespace, "secret", "pass")["data"] == {"key": "dmFsdWU="}
    assert get(kubectl, namespace, "ns", namespace)["status"] == {"phase": "Active"}


def test_wait_for_jsonpath_condition_and_delete(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("web")))
    web = ("app/web", "-n", namespace)
    waiting = _start(kubectl, "wait", "--for=jsonpath={.status.health.status}=Healthy", *web, "--timeout=60s")
    status = '{"status":{"health":{"status":"Healthy"},"conditions":[{"type":"Done","status":"True","message":"m"}]}}'
    kubectl("patch", *web, "--subresource=status", "--type=merge", "-p", status)
    assert waiting.wait(60) == 0
    gone = _start(kubectl, "wait", "--for=delete", *web, "--timeout=60s")
    kubectl("delete", *web)
    assert gone.wait(60) == 0
    late = kubectl.run("wait", "--for=jsonpath={.spec.x}=1", *web, "--timeout=1s", check=False)
    assert late.returncode == 1


def test_wait_for_a_clusters_condition(kubectl: Kubectl, namespace: str) -> None:
    cluster = {"apiVersion": "argosy.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": namespace}}
    kubectl("apply", "-f", "-", stdin=text(cluster))
    kubectl("wait", "--for=condition=Ready=false", f"cluster/{namespace}", "--timeout=60s")
    late = kubectl.run("wait", "--for=condition=Ready", f"cluster/{namespace}", "--timeout=1s", check=False)
    assert late.returncode == 1
    assert "timed out" in late.stderr


def test_watch_prints_rows_as_they_change(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("web")))
    watching = _start(kubectl, "get", "app", "-n", namespace, "-w", "--no-headers")
    assert watching.stdout is not None
    assert watching.stdout.readline().split()[0] == "web"
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("api")))
    assert watching.stdout.readline().split()[0] == "api"
    kubectl("delete", "app", "web", "-n", namespace)
    assert watching.stdout.readline().split()[0] == "web"
    watching.terminate()
    watching.communicate(timeout=60)


def _start(kubectl: Kubectl, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [kubectl.path, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=kubectl.environment(),
    )


def _deletes(api: RunningApi, namespace: str) -> int:
    records = api.read(lambda tx: audit.newest(tx, 20))
    return sum(record.verb == "delete" and record.namespace == namespace for record in records)


def test_delete_waits_for_finalizers(kubectl: Kubectl, namespace: str, api: RunningApi) -> None:
    manifest = application("web")
    manifest["metadata"]["finalizers"] = ["resources-finalizer.argocd.argoproj.io"]
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(manifest))
    kubectl("delete", "app", "web", "-n", namespace, "--wait=false")
    assert get(kubectl, namespace, "app", "web")["metadata"]["deletionTimestamp"]
    deleting = _start(kubectl, "delete", "app", "web", "-n", namespace)
    deadline = time.monotonic() + 60
    while _deletes(api, namespace) < 2:
        assert time.monotonic() < deadline, "the second delete did not arrive"
        time.sleep(0.02)
    kubectl("patch", "app", "web", "-n", namespace, "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert deleting.wait(60) == 0
    missing = kubectl.run("get", "app", "web", "-n", namespace, check=False)
    assert 'applications.argoproj.io "web" not found' in missing.stderr


def test_delete_by_label_and_all(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(*(application(f"app-{n}") for n in range(3))))
    kubectl("label", "app", "app-0", "-n", namespace, "keep=no")
    kubectl("delete", "app", "-n", namespace, "-l", "keep=no")
    assert kubectl("get", "app", "-n", namespace, "-o", "name").count("\n") == 2
    kubectl("delete", "app", "--all", "-n", namespace)
    assert kubectl("get", "app", "-n", namespace, "-o", "name") == ""


def test_a_namespace_with_objects_stays(kubectl: Kubectl, namespace: str) -> None:
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("web")))
    refused = kubectl.run("delete", "namespace", namespace, check=False)
    assert "not empty" in refused.stderr
    kubectl("delete", "app", "web", "-n", namespace)
    kubectl("delete", "namespace", namespace)


def test_dry_runs_store_nothing(kubectl: Kubectl, namespace: str) -> None:
    dry = ("--dry-run=server", "-n", namespace)
    for way in ((), ("--server-side",)):
        assert "dry run" in kubectl("apply", *way, *dry, "-f", "-", stdin=text(application("web")))
    assert kubectl("get", "app", "-n", namespace, "-o", "name") == ""
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(application("web")))
    kubectl("delete", "app", "web", *dry)
    kubectl("label", "app", "web", *dry, "a=b")
    assert get(kubectl, namespace, "app", "web")["metadata"]["labels"] == {"team": "a"}


def test_prune_deletes_what_is_no_longer_in_the_files(kubectl: Kubectl, namespace: str) -> None:
    both = text(application("web"), application("api"))
    prune = ("--prune", "-l", "team=a", "--prune-allowlist=argoproj.io/v1alpha1/Application")
    kubectl("apply", "-n", namespace, "-f", "-", *prune, stdin=both)
    done = kubectl("apply", "-n", namespace, "-f", "-", *prune, stdin=text(application("web")))
    assert "api pruned" in done
    assert kubectl("get", "app", "-n", namespace, "-o", "name") == "application.argoproj.io/web\n"


def test_explain_describes_fields(kubectl: Kubectl) -> None:
    assert "Branch, tag, commit" in kubectl("explain", "app.spec.source.targetRevision")
    assert "One set for each folder or file" in kubectl("explain", "appset.spec.generators.git")
    assert "Namespace of objects that name none" in kubectl(
        "explain", "appset.spec.template.spec.destination"
    )
    assert "permitOnlyProjectScopedClusters" in kubectl("explain", "appproj.spec", "--recursive")
    assert "name" in kubectl("explain", "cluster.metadata")


def test_create_with_a_generated_name(kubectl: Kubectl, namespace: str) -> None:
    manifest = application("x")
    manifest["metadata"] = {"generateName": "web-"}
    created = kubectl("create", "-n", namespace, "-f", "-", "-o", "name", stdin=text(manifest))
    assert created.startswith("application.argoproj.io/web-")
    assert len(created.strip().rpartition("web-")[2]) == 5


def test_a_join_token_is_shown_once(kubectl: Kubectl, namespace: str) -> None:
    cluster = {"apiVersion": "argosy.dev/v1alpha1", "kind": "Cluster", "metadata": {"name": namespace}}
    token = {
        "apiVersion": "argosy.dev/v1alpha1",
        "kind": "JoinToken",
        "metadata": {"name": namespace},
        "spec": {"cluster": namespace},
    }
    missing = kubectl.run("create", "-f", "-", stdin=text(token), check=False)
    assert f'clusters.argosy.dev "{namespace}" not found' in missing.stderr
    kubectl("create", "-f", "-", stdin=text(cluster))
    created = kubectl("create", "-f", "-", "-o", "jsonpath={.status.token}", stdin=text(token))
    assert len(created) > 20
    assert "token" not in json.loads(kubectl("get", "jointoken", namespace, "-o", "json"))["status"]


def test_an_appset_may_have_every_generator(kubectl: Kubectl, namespace: str) -> None:
    appset = yaml.safe_load(Path("tests/cases/api/appset.yaml").read_text())
    kubectl("apply", "-n", namespace, "-f", "-", stdin=text(appset))
    kubectl("apply", "--server-side", "-n", namespace, "-f", "-", stdin=text(appset))
    found = get(kubectl, namespace, "appset", "all-generators")
    assert found["spec"] == appset["spec"]
    appset["spec"]["generators"][0]["clustres"] = appset["spec"]["generators"][0].pop("clusters")
    refused = kubectl.run("apply", "-n", namespace, "-f", "-", stdin=text(appset), check=False)
    assert "spec.generators[0].clustres" in refused.stderr


def test_who_may_what(kubectl: Kubectl, api: RunningApi) -> None:
    assert kubectl("auth", "can-i", "delete", "apps").strip() == "yes"
    assert "argosy:admins" in kubectl("auth", "whoami")
    assert "[*]" in kubectl("auth", "can-i", "--list")
    reader = Kubectl(kubectl.path, api.kubeconfig_of(READER_TOKEN), kubectl.cache)
    assert "ruth" in reader("auth", "whoami")
    assert reader("auth", "can-i", "list", "apps").strip() == "yes"
    assert reader.run("auth", "can-i", "get", "secrets", check=False).stdout.strip() == "no"
    assert reader.run("auth", "can-i", "delete", "apps", check=False).returncode == 1
    assert reader.run("get", "app").returncode == 0
    refused = reader.run("get", "secrets", check=False).stderr
    assert 'User "ruth" cannot list resource "secrets" in API group "" in the namespace "argocd"' in refused
    refused = reader.run("label", "appproj", "default", "a=b", check=False).stderr
    assert 'appprojects.argoproj.io "default" is forbidden: User "ruth" cannot patch' in refused
    stranger = Kubectl(kubectl.path, api.kubeconfig_of(STRANGER_TOKEN), kubectl.cache)
    assert "Forbidden" in stranger.run("get", "app", check=False).stderr
    assert "sam" in stranger("auth", "whoami")
    nobody = Kubectl(kubectl.path, api.kubeconfig_of("no-such-token"), kubectl.cache)
    assert "must be logged in" in nobody.run("get", "app", check=False).stderr


def test_admins_may_look_through_others_eyes(kubectl: Kubectl) -> None:
    refused = kubectl.run("get", "secrets", "--as=eve", "--as-group=argosy:readers", check=False)
    assert 'User "eve" cannot list resource "secrets"' in refused.stderr


def test_the_default_project_stays(kubectl: Kubectl) -> None:
    assert "may not be deleted" in kubectl.run("delete", "appproj", "default", check=False).stderr
    assert "may not be deleted" in kubectl.run("delete", "ns", "argocd", check=False).stderr
