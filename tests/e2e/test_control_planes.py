"""The harness itself: what every other test on real control planes takes for granted."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
from testbed import binaries, controlplane, credentials


def namespace(plane: controlplane.ControlPlane, name: str) -> str:
    made = plane.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert made.status == 201, made.body
    return name


def test_clusters_on_one_etcd_are_different_clusters(control_planes: list[controlplane.ControlPlane]) -> None:
    red, blue = control_planes
    assert red.uid() != blue.uid()
    namespace(red, "only-red")
    assert blue.request("GET", "/api/v1/namespaces/only-red").status == 404


def test_the_api_server_has_the_version_of_this_run(control_planes: list[controlplane.ControlPlane]) -> None:
    found = control_planes[0].request("GET", "/version", user=None).json()["gitVersion"]
    if binaries.find("kube-apiserver").parent != binaries.cache(binaries.version()):
        pytest.skip(f"the API server is not ours but one of the environment, {found}")
    assert found == f"v{binaries.version()}"


def test_server_side_apply_reports_the_other_manager(control_planes: list[controlplane.ControlPlane]) -> None:
    plane = control_planes[0]
    path = f"/api/v1/namespaces/{namespace(plane, 'apply')}/configmaps/one"
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "one"}, "data": {"k": "1"}}
    assert plane.apply(path, manifest, manager="first").status == 201

    refused = plane.apply(path, manifest | {"data": {"k": "2"}}, manager="second", force=False)

    assert refused.status == 409
    (cause,) = refused.json()["details"]["causes"]
    assert cause["field"] == ".data.k"
    assert '"first"' in cause["message"]


async def test_asynchronous_clients_reach_it(control_planes: list[controlplane.ControlPlane]) -> None:
    plane = control_planes[1]
    headers = {"Authorization": f"Bearer {credentials.ADMIN.token}"}
    async with (
        aiohttp.ClientSession(plane.server, headers=headers) as session,
        session.get("/api/v1/namespaces/kube-system", ssl=plane.ssl_context()) as answer,
    ):
        assert answer.status == 200
        assert (await answer.json())["metadata"]["uid"] == await asyncio.to_thread(plane.uid)


def test_users_have_the_rights_of_their_groups(control_planes: list[controlplane.ControlPlane]) -> None:
    plane = control_planes[0]
    path = "/api/v1/namespaces/default/configmaps"
    assert plane.request("GET", path, user=credentials.ADMIN).status == 200
    refused = plane.request("GET", path, user=credentials.AGENT)
    assert refused.status == 403
    assert 'User "agent" cannot list' in refused.json()["message"]
    assert plane.request("GET", path, user=credentials.User("stranger")).status == 401


def test_client_certificates_are_accepted(
    control_planes: list[controlplane.ControlPlane], testbed_clusters: controlplane.Testbed
) -> None:
    plane = control_planes[0]
    certificate, key = testbed_clusters.clients.issue(credentials.User("by-certificate", ("system:masters",)))
    context = plane.ssl_context()
    context.load_cert_chain(certificate, key)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}

    answer = plane.request(
        "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", review, user=None, context=context
    )

    assert answer.status == 201, answer.body
    assert answer.json()["status"]["userInfo"]["username"] == "by-certificate"


def test_kubectl_works_with_the_kubeconfig(
    control_planes: list[controlplane.ControlPlane], kubectl: Path
) -> None:
    command = [
        str(kubectl),
        "--kubeconfig",
        str(control_planes[0].kubeconfig()),
        "get",
        "namespaces",
        "-o",
        "name",
    ]
    listed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30)
    assert "namespace/kube-system" in listed.stdout.split()


def test_a_crashed_api_server_comes_back_with_its_data(testbed_clusters: controlplane.Testbed) -> None:
    (plane,) = testbed_clusters.add("crashing")
    before, server, uid = plane.pid, plane.server, plane.uid()
    namespace(plane, "kept")

    plane.kill()

    with pytest.raises(OSError, match="refused"):
        plane.uid()
    plane.restart()
    assert plane.pid != before
    assert plane.server == server
    assert plane.uid() == uid
    assert plane.request("GET", "/api/v1/namespaces/kept").status == 200
    plane.stop()


def test_controllers_end_namespaces_and_fill_roles(managed_control_plane: controlplane.ControlPlane) -> None:
    plane = managed_control_plane
    path = f"/api/v1/namespaces/{namespace(plane, 'ending')}"
    assert plane.request("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles/edit").json()["rules"]
    assert plane.request("DELETE", path).status == 200
    controlplane.wait_until(
        lambda: plane.request("GET", path).status == 404, "the namespace is still there", seconds=60
    )


@pytest.mark.soak  # it must wait longer than the 50 s after which a controller manager gives up a silent node
async def test_a_node_without_heartbeats_is_never_taken_for_dead(
    living_control_plane: controlplane.ControlPlane,
) -> None:
    await asyncio.sleep(70)
    (ready,) = (
        one
        for one in living_control_plane.request("GET", "/api/v1/nodes/kwok").json()["status"]["conditions"]
        if one["type"] == "Ready"
    )
    assert ready["status"] == "True"
    assert ready["lastHeartbeatTime"] == ready["lastTransitionTime"], "it died and came back"


ABANDONED = """
import os, sys, time
from testbed import controlplane
with controlplane.running("lone") as bed:
    print(bed.folder, bed.add("second")[0].pid, flush=True)
    time.sleep(600)
"""


@pytest.mark.usefixtures("testbed_clusters")  # skips where there are no programs
def test_nothing_is_left_of_a_run_that_was_killed() -> None:
    support = Path(controlplane.__file__).parents[1]
    run = subprocess.Popen(
        [sys.executable, "-c", ABANDONED],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(support)},
    )
    assert run.stdout is not None
    folder, pid = run.stdout.readline().split()

    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()

    controlplane.wait_until(
        lambda: not Path(folder).exists() and not Path(f"/proc/{pid}").exists(),
        f"{folder} or process {pid} is still there",
    )
