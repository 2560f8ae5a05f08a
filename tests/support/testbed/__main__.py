"""`python -m testbed`: builds the programs of a real control plane that are nowhere to be found, once.

They are built from Go modules into the user cache with the module files and checksums in `modules/`, from
copies of those files, so that a build never changes the work tree. What exists is skipped by its presence
alone: asking `go` whether there is something to do takes seconds each time. A program is built under
another name and renamed when it is complete; one builder per cache at a time; a build that was cut short
goes on where Go's own cache left it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from testbed import binaries

MODULES = Path(__file__).parent / "modules"
ORDER = (
    *("etcd", "kube-apiserver", "kubectl", "kustomize", "helm"),
    *("kube-controller-manager", "kube-scheduler", "kwok"),
)
KWOK_MODULE = "sigs.k8s.io/kwok"
KWOK_STAGES = ("node/fast", "node/heartbeat-with-lease", "pod/fast", "volume/fast")
"""The folders of kwok's module whose Stages make nodes ready, Pods run and claims bound, at once."""
# Where a program of Kubernetes reads its own version: for --version, and for its User-Agent.
STAMPED = ("component-base/version", "client-go/pkg/version")


class Failed(Exception):
    """A program could not be built; the text says which and why."""


@dataclass(frozen=True)
class Recipe:
    """What `go build` needs for one program: folder in `modules/`, package, linker flags."""

    module: str
    package: str
    flags: str


def recipe(name: str, kubernetes: str) -> Recipe:
    """How one program of one Kubernetes version is built."""
    if name == "etcd":
        return Recipe(f"etcd-{binaries.ETCD}", "go.etcd.io/etcd/server/v3", "-s -w")
    if name == "kustomize":
        return Recipe(f"kustomize-{binaries.KUSTOMIZE}", "sigs.k8s.io/kustomize/kustomize/v5", "-s -w")
    if name == "kwok":
        flags = f"-s -w -X {KWOK_MODULE}/pkg/consts.Version=v{binaries.KWOK}"
        return Recipe(f"kwok-{binaries.KWOK}", f"{KWOK_MODULE}/cmd/kwok", flags)
    if name == "helm":
        flags = f"-s -w -X helm.sh/helm/v4/internal/version.version=v{binaries.HELM}"
        return Recipe(f"helm-{binaries.HELM}", "helm.sh/helm/v4/cmd/helm", flags)
    return Recipe(f"kubernetes-{kubernetes}", f"k8s.io/kubernetes/cmd/{name}", f"-s -w {_stamp(kubernetes)}")


def _stamp(kubernetes: str) -> str:
    major, minor, _ = kubernetes.split(".")
    values = {"gitVersion": f"v{kubernetes}", "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    return " ".join(
        f"-X k8s.io/{package}.{key}={value}" for package in STAMPED for key, value in values.items()
    )


def build(go: str, name: str, kubernetes: str) -> float:
    """Builds one program into the cache and answers how many seconds that took. Raises Failed."""
    made = recipe(name, kubernetes)
    source = MODULES / made.module
    if not (source / "go.mod").is_file():
        raise Failed(f"{name} {kubernetes}: no {source}/go.mod; known are {', '.join(binaries.KUBERNETES)}")
    folder = binaries.cache(kubernetes)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=".building-", dir=folder) as temporary:
        work = Path(temporary)
        for file in source.iterdir():
            shutil.copy(file, work / file.name)
        # GOFLAGS and GOWORK of the user's own projects must not leak in.
        environment = os.environ | {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOWORK": "off"}
        command = [go, "build", "-trimpath", "-ldflags", made.flags, "-o", str(work / name), made.package]
        ended = subprocess.run(command, cwd=work, env=environment, stdout=sys.stderr, check=False)
        if ended.returncode != 0:
            raise Failed(f"{name} {kubernetes}: `go build {made.package}` ended with {ended.returncode}")
        if name == "kwok":
            (work / binaries.STAGES).write_text(_stages(go, work, environment))
            (work / binaries.STAGES).rename(folder / binaries.STAGES)
        (work / name).rename(folder / name)
    return time.monotonic() - began


def _stages(go: str, work: Path, environment: Mapping[str, str]) -> str:
    """The Stages of kwok's module as one file: kwok ends at once without any."""
    asked = [go, "list", "-m", "-f", "{{.Dir}}", KWOK_MODULE]
    found = subprocess.run(asked, cwd=work, env=environment, capture_output=True, text=True, check=True)
    base = Path(found.stdout.strip()) / "kustomize" / "stage"
    files = (file for part in KWOK_STAGES for file in sorted((base / part).glob("*.yaml")))
    texts = (file.read_text() for file in files)
    return "\n---\n".join(text for text in texts if "\nkind: Stage\n" in text)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Waits until no other builder works on this cache folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"another build is at work in {folder}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def prepare(kubernetes: str, names: Sequence[str]) -> None:
    """Builds what of `names` is nowhere to be found for one Kubernetes version. Raises Failed."""
    if not binaries.missing(tuple(names), kubernetes):
        return
    go = shutil.which("go")
    if go is None:
        raise Failed(
            f"{binaries.missing(tuple(names), kubernetes)}, but that needs Go, which is not on $PATH"
        )
    folder = binaries.cache(kubernetes)
    with _alone(folder):
        for left in folder.glob(".building-*"):  # of a build that was killed
            shutil.rmtree(left)
        for name in names:
            if not binaries.missing((name,), kubernetes):
                continue
            _say(f"building {name} for Kubernetes {kubernetes} (the first build: minutes, 4 GB)")
            _say(f"built {name} in {build(go, name, kubernetes):.0f} s")


def _say(text: str) -> None:
    sys.stderr.write(f"testbed: {text}\n")
    sys.stderr.flush()


def _chosen(text: str) -> list[str]:
    names = {"required": binaries.REQUIRED, "all": ORDER}.get(text) or tuple(text.replace(",", " ").split())
    if unknown := sorted(set(names) - set(ORDER)):
        raise argparse.ArgumentTypeError(f"unknown program {unknown[0]!r}; known are {', '.join(ORDER)}")
    return sorted(names, key=ORDER.index)


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0: all there, or not to be had and not demanded.

    1: demanded by ARGOSY_E2E=required and not to be had.
    """
    parser = argparse.ArgumentParser(prog="testbed", description="Builds missing control-plane programs.")
    parser.add_argument(
        "--versions", nargs="+", default=[binaries.NEWEST], help=f"of Kubernetes (default: {binaries.NEWEST})"
    )
    parser.add_argument(
        "--binaries",
        type=_chosen,
        default=list(binaries.BUILT),
        help=f"'required', 'all', or names (default: {' '.join(binaries.BUILT)})",
    )
    parser.add_argument(
        "--cached", action="store_true", help="only print the versions that can be used, one a line"
    )
    chosen = parser.parse_args(arguments)
    if chosen.cached:
        print("\n".join(binaries.cached_versions()))
        return 0
    try:
        for kubernetes in chosen.versions:
            prepare(kubernetes, chosen.binaries)
            for name in chosen.binaries:
                _say(f"{name} for Kubernetes {kubernetes}: {binaries.find(name, kubernetes)}")
    except Failed as failure:
        _say(str(failure))
        _say(
            "tests against real API servers cannot run"
            + ("" if binaries.demanded() else " and will be skipped")
        )
        return 1 if binaries.demanded() else 0
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
