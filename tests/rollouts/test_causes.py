"""What made a release, and who: by table, and in a hub whose users write through its API."""

from __future__ import annotations

from typing import Any

import hubs
import pytest
import rolling
import users
from hubs import Repo, config_map
from obedient import Obedient

from argosy.objects import Manifest
from hub.assembly import Hub
from hub.cli.resources import APPSETS, CLUSTERS
from hub.core.releases import cause, images
from hub.core.releases.cause import Cause, Since, Step
from hub.core.served import table

SAME, MOVED, PICTURE = Step(True), Step(True, commits=("c2",)), Step(True, images=True)
NEW, NEW_MOVED = Step(False), Step(False, commits=("c2",))


@pytest.mark.parametrize(
    ("steps", "since", "expected"),
    [
        ([NEW], Since(first=True, edited=True), Cause.FIRST),
        ([MOVED, SAME], Since(), Cause.COMMIT),
        ([MOVED], Since(edited=True), Cause.COMMIT_AND_EDIT),
        ([SAME], Since(edited=True), Cause.EDIT),
        ([PICTURE], Since(edited=True), Cause.IMAGE),
        ([PICTURE, SAME], Since(edited=True), Cause.EDIT),
        ([Step(True, chart=True)], Since(), Cause.CHART),
        ([Step(True, chart=True, images=True)], Since(), Cause.IMAGE),
        ([Step(True, commits=("c2",), images=True)], Since(), Cause.COMMIT),
        ([SAME], Since(relabelled=True), Cause.LABELS),
        ([NEW_MOVED], Since(joined=["z9"]), Cause.JOIN),
        ([NEW, SAME], Since(joined=["z9"]), Cause.LABELS),
        ([NEW_MOVED], Since(relabelled=True), Cause.LABELS),
        ([NEW_MOVED], Since(), Cause.COMMIT),
        ([NEW], Since(edited=True), Cause.EDIT),
        ([NEW_MOVED, SAME], Since(), Cause.LABELS),
    ],
)
def test_what_made_a_release(steps: list[Step], since: Since, expected: Cause) -> None:
    assert cause.cause(steps, since) is expected


def test_a_source_that_moved_is_told_by_its_commit_whichever_source_it_is() -> None:
    before = [("git", "main", "c1"), ("oci://r/chart", "1.x", "1.0.0")]
    assert cause.step(before, before, had=True, images=False) == Step(True)
    now = [("git", "main", "c1"), ("oci://r/chart", "1.x", "1.1.0")]
    assert cause.step(before, now, had=True, images=False) == Step(True, chart=True)
    now = [("git", "main", "c2"), ("oci://r/chart", "1.x", "1.0.0")]
    assert cause.step(before, now, had=True, images=False) == Step(True, commits=("c2",))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"author Ada L <ada@example.com> 1700000000 +0100", "Ada L <ada@example.com>"),
        (b"author \x1b[31mred\x1b[0m <a@b> 1 +0000", "[31mred[0m <a@b>"),
        (b"author " + b"x" * 500 + b" <a@b> 1 +0000", "x" * cause.LONGEST),
        (b"committer Ben <ben@b> 1 +0000", ""),
    ],
)
def test_the_author_of_a_commit_is_bounded_and_printable(line: bytes, expected: str) -> None:
    assert cause.author(b"tree 1234\n" + line + b"\n\nauthor nobody <n@n> 1 +0000") == expected


def pod(image: str, **more: Any) -> Manifest:
    return {"containers": [{"name": "a", "image": image, **more}]}


def workload(kind: str, spec: Manifest) -> Manifest:
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": "web"}, "spec": spec}


@pytest.mark.parametrize(
    "made",
    [
        lambda spec: workload("Pod", spec),
        lambda spec: workload("Deployment", {"replicas": 2, "template": {"spec": spec}}),
        lambda spec: workload("CronJob", {"jobTemplate": {"spec": {"template": {"spec": spec}}}}),
    ],
)
def test_bundles_of_one_shape_differ_in_images_alone(made: Any) -> None:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "image": "no container's"}
    one = images.shape([service, made(pod("web:1"))])
    assert one
    assert one == images.shape([service, made(pod("web:2"))])
    assert one != images.shape([service, made(pod("web:2", command=["x"]))])
    assert one != images.shape([made(pod("web:1"))])
    init = {"initContainers": [{"name": "i", "image": "init:1"}], **pod("web:1")}
    assert images.shape([made(init)]) == images.shape(
        [made({**init, "initContainers": [{"name": "i", "image": "init:2"}]})]
    )


def test_bundles_without_containers_have_no_shape() -> None:
    found = [
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"image": "web:1"}},
        workload("Deployment", {"template": None}),
    ]
    assert images.shape(found) == ""


# --- in a hub -------------------------------------------------------------------------------------------------------

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "web:1"}]}
"""
KUSTOMIZATION = "resources: [web.yaml]\n"


async def told(hub: Hub, number: int) -> tuple[str, str]:
    """(reason, by) of a release that is awaited."""

    async def made() -> Manifest | None:
        return (await hubs.listed(hub, table.RELEASE)).get(f"fleet-{number}")

    spec = (await hubs.until(made, f"release {number}"))["spec"]
    await rolling.reaches(hub, f"fleet-{number}", phase="Completed")
    return spec["reason"], spec.get("by", "")


async def edit(hub: Hub, change: Manifest) -> None:
    await users.asks(hub, lambda client: client.merge(APPSETS.path("argocd", "fleet"), change))


async def test_a_release_says_what_made_it_and_who(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    repo.commit({"apps/web/web.yaml": DEPLOYMENT, "apps/web/kustomization.yaml": KUSTOMIZATION})
    await hubs.add(hub, table.ROLLOUT_POLICY, rolling.policy(rolling.stage("all")))
    await users.asks(hub, lambda client: client.create(APPSETS.path("argocd"), rolling.appset(repo)))
    assert await told(hub, 1) == ("first", "admin: create")

    repo.commit({"apps/web/more.yaml": config_map("more")}, author="Nobody <n@example.com>")
    added = KUSTOMIZATION.replace("[", "[more.yaml, ")
    repo.commit({"apps/web/kustomization.yaml": added}, author="Ada Lovelace <ada@example.com>")
    hub.poller.ask(lambda url: True)
    assert await told(hub, 2) == ("commit", "Ada Lovelace <ada@example.com>")

    source = {"kustomize": {"images": ["web=registry.example.com/web:2"]}}
    await edit(hub, {"spec": {"template": {"spec": {"source": source}}}})
    assert await told(hub, 3) == ("image", "admin: patch")

    labels = {"commonLabels": {"tier": "{{.metadata.labels.ring}}"}}
    await edit(hub, {"spec": {"template": {"spec": {"source": {"kustomize": labels}}}}})
    assert await told(hub, 4) == ("edit", "admin: patch")

    ring = {"metadata": {"labels": {"ring": "later"}}}
    await users.asks(hub, lambda client: client.merge(CLUSTERS.path(name="z1"), ring))
    assert await told(hub, 5) == ("labels", "admin: patch cluster z1")

    await fleet.join("z9", env="prod", ring="late")
    assert await told(hub, 6) == ("join", "cluster z9 joined")

    queue = {
        "apps/queue/queue.yaml": config_map("queue"),
        "apps/queue/kustomization.yaml": "resources: [queue.yaml]\n",
    }
    repo.commit({**queue}, author="Ben <ben@example.com>")
    hub.poller.ask(lambda url: True)
    assert await told(hub, 7) == ("commit", "Ben <ben@example.com>")


async def test_who_moved_a_second_source_is_named(hub: Hub, repo: Repo, fleet: Obedient) -> None:
    repo.git("push", "--quiet", str(repo.server.root / "fleet.git"), "HEAD:refs/heads/stable")
    made = hubs.appset(repo)
    spec = made["spec"]["template"]["spec"]
    spec["sources"] = [
        {"repoURL": repo.url, "targetRevision": "stable", "path": "apps/web"},
        {"repoURL": repo.url, "targetRevision": "main", "path": "more"},
    ]
    del spec["source"]
    repo.commit({"more/more.yaml": config_map("more")})
    await hubs.add(hub, table.APPLICATION_SET, made)

    async def release(number: int) -> Manifest | None:
        found = (await hubs.listed(hub, table.RELEASE)).get(f"fleet-{number}")
        return found["spec"] if found else None

    await hubs.until(lambda: release(1), "the first release")
    repo.commit({"more/more.yaml": config_map("more", "2")}, author="Ada <ada@example.com>")
    hub.poller.ask(lambda url: True)
    second = await hubs.until(lambda: release(2), "the second release")
    assert (second["reason"], second["by"]) == ("commit", "Ada <ada@example.com>")
