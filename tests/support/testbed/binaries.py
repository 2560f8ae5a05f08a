"""Where the programs of a real control plane are.

Anything that wants a real kube-apiserver (tests, benchmarks) asks here and never looks by itself, so that
all agree on one order of places: `KUBEBUILDER_ASSETS` (envtest's convention), `PATH`, the cache that `make
testbed` fills. Each program is looked up by itself: assets without a controller-manager are completed from
the cache. This module only looks; it never builds and never starts anything.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

NEWEST = "1.37.2"
OLDEST = "1.35.4"
KUBERNETES = (NEWEST, OLDEST)
ETCD = "3.7.3"
KUSTOMIZE = "5.8.2"
HELM = "4.3.1"
KWOK = "0.8.0"

REQUIRED = ("etcd", "kube-apiserver")
WORKLOADS = ("kube-controller-manager", "kube-scheduler", "kwok")
"""What a cluster needs for its Deployments, Jobs and claims to come to life, on nodes that are not there."""
BUILT = (*REQUIRED, "helm", *WORKLOADS)
"""What is built unless something else is asked for."""
OPTIONAL = ("kubectl", "kustomize", "helm", *WORKLOADS)
STAGES = "kwok-stages.yaml"
"""The file beside a built kwok that says how its nodes and Pods live. It ships in kwok's module."""


class Absent(LookupError):
    """A program is nowhere to be found; the text says where it was looked for and what would help."""


def version() -> str:
    """The Kubernetes version this run is about: `ARGOSY_KUBERNETES`, or the newest one we know."""
    return os.environ.get("ARGOSY_KUBERNETES") or NEWEST


def cache(kubernetes: str) -> Path:
    """The folder that `make testbed` fills for one Kubernetes version. It need not exist."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "argosy-testbed" / kubernetes


def find(name: str, kubernetes: str | None = None) -> Path:
    """The program `name` for one Kubernetes version (default: `version()`). Raises Absent with the reason.

    Only the default version may come from `KUBEBUILDER_ASSETS` or `PATH`: what lies there has a version of
    its own, and a run that asks for another one must get exactly that. kubectl is also looked for beside
    the Python in use, where its wheel installs it.
    """
    wanted = kubernetes or version()
    cached = cache(wanted) / name
    if wanted != NEWEST:
        if _runs(cached):
            return cached
        raise Absent(f'no {name} {wanted} in {cached.parent}; `make testbed VERSIONS="{wanted}"` builds it')
    for place in _places(name, cached):
        if place is not None and _runs(place):
            return place
    raise Absent(
        f"no {name} in $KUBEBUILDER_ASSETS, on $PATH or in {cached.parent}; `make testbed` builds it"
    )


def missing(names: tuple[str, ...] = REQUIRED, kubernetes: str | None = None) -> str:
    """Why programs cannot be had, one sentence; empty when all are there."""
    for name in names:
        try:
            find(name, kubernetes)
        except Absent as error:
            return str(error)
    return ""


def cached_versions() -> list[str]:
    """The known Kubernetes versions whose required programs are all in the cache, newest first."""
    return [known for known in KUBERNETES if all(_runs(cache(known) / name) for name in REQUIRED)]


def demanded() -> bool:
    """Whether an absent required program is a failure (`ARGOSY_E2E=required`, as CI sets it) and not a
    skip.
    """
    return os.environ.get("ARGOSY_E2E") == "required"


def _places(name: str, cached: Path) -> Iterator[Path | None]:
    """Where the default version of a program may be, the best place first."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    yield Path(assets) / name if assets else None
    on_path = shutil.which(name)
    if name == "kubectl":
        # What a machine has on its PATH is often years old; the wheel's lies beside the Python in use.
        yield cached
        yield Path(sys.executable).parent / name
    yield Path(on_path) if on_path else None
    yield cached


def _runs(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
