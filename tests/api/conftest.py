"""One running API for each test module, and every kubectl there is."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import hubapi
import pytest
from hubapi import ApiThread, Kubectl, RunningApi

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningApi]:
    thread = ApiThread(tmp_path_factory.mktemp("hub"))
    yield thread.start()
    thread.stop()


@pytest.fixture(scope="module", params=hubapi.kubectls(), ids=lambda path: Path(path).parent.parent.name)
def kubectl(
    request: pytest.FixtureRequest, api: RunningApi, tmp_path_factory: pytest.TempPathFactory
) -> Kubectl:
    return Kubectl(request.param, api.kubeconfig, tmp_path_factory.mktemp("cache"))


@pytest.fixture
def namespace(kubectl: Kubectl) -> str:
    """A namespace of the test's own."""
    name = f"ns-{next(_numbers)}"
    kubectl("create", "namespace", name)
    return name
