"""The fixtures that give tests real control planes, for any folder of tests.

Whatever uses one of them carries the marker `e2e`; every worker process has a testbed of its own. When a
required program is missing, such tests are skipped with the reason, or fail with it where
`ARGOSY_E2E=required`; so do tests that need helm or living workloads. Other programs from
`binaries.OPTIONAL` are never demanded.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from testbed import binaries, controlplane

GIVERS = frozenset({"testbed_clusters", "control_planes", "managed_control_plane", "living_control_plane"})


@pytest.hookimpl(tryfirst=True)  # `-m` reads the markers in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "e2e" in item.path.parent.parts or GIVERS & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.e2e)


def pytest_report_header() -> str:
    lacking = binaries.missing()
    if lacking:
        return f"control planes: none ({lacking})"
    found = (f"{name} = {binaries.find(name)}" for name in binaries.REQUIRED)
    return f"control planes: Kubernetes {binaries.version()} wanted, {', '.join(found)}"


def _refuse(reason: str) -> NoReturn:
    if binaries.demanded():
        pytest.fail(f"ARGOSY_E2E=required, but {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def helm() -> Iterator[Path]:
    """helm, which the tests and what they start find at the end of PATH."""
    try:
        found = binaries.find("helm")
    except binaries.Absent as absent:
        _refuse(str(absent))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{os.environ['PATH']}{os.pathsep}{found.parent}")
        yield found


@pytest.fixture(scope="session")
def testbed_clusters() -> Iterator[controlplane.Testbed]:
    """A running etcd on which clusters can be added by name (`add("x")`), each 3 s and a quarter of a
    gigabyte.
    """
    if reason := binaries.missing():
        _refuse(reason)
    with controlplane.running() as bed:
        yield bed


@pytest.fixture(scope="session")
def control_planes(testbed_clusters: controlplane.Testbed) -> list[controlplane.ControlPlane]:
    """Two clusters without controllers, shared by the whole run: use a namespace of your own, never wait
    for its end.
    """
    return testbed_clusters.add("red", "blue")


@pytest.fixture(scope="session")
def managed_control_plane(testbed_clusters: controlplane.Testbed) -> controlplane.ControlPlane:
    """One cluster whose namespaces end, owners take their children along, and roles are aggregated."""
    try:
        return testbed_clusters.add("managed", controllers=True)[0]
    except binaries.Absent as absent:
        _refuse(str(absent))


@pytest.fixture(scope="session")
def living_control_plane(testbed_clusters: controlplane.Testbed) -> controlplane.ControlPlane:
    """One cluster whose workloads come to life: every controller, a scheduler, and a node that kwok plays."""
    try:
        return testbed_clusters.add("living", nodes=True)[0]
    except binaries.Absent as absent:
        _refuse(str(absent))


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """The newest kubectl to be had."""
    try:
        return binaries.find("kubectl", binaries.NEWEST)
    except binaries.Absent as absent:
        _refuse(str(absent))
        raise
