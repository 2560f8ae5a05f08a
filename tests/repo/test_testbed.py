"""Where real control planes come from: the order of places, and what is said when there are none."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from testbed import __main__ as builder
from testbed import binaries, controlplane, processes, reaper


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Empty folders in the role of the places where programs may be."""
    found = {"assets": tmp_path / "assets", "path": tmp_path / "path", "cache": tmp_path / "cache"}
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(found["assets"]))
    monkeypatch.setenv("PATH", str(found["path"]))
    monkeypatch.setenv("XDG_CACHE_HOME", str(found["cache"]))
    monkeypatch.delenv("ARGOSY_KUBERNETES", raising=False)
    monkeypatch.delenv("ARGOSY_E2E", raising=False)
    found["cache"] = binaries.cache(binaries.NEWEST)
    for folder in found.values():
        folder.mkdir(parents=True)
    return found


def put(folder: Path, name: str, script: str = "exit 0") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def test_each_program_is_looked_up_by_itself_in_order(places: dict[str, Path]) -> None:
    for place in ("cache", "path", "assets"):
        expected = put(places[place], "etcd")
        assert binaries.find("etcd") == expected
    only = put(places["cache"], "kube-apiserver")
    assert binaries.find("kube-apiserver") == only
    assert binaries.missing() == ""


def test_an_old_kubectl_on_the_path_does_not_hide_the_newest(places: dict[str, Path]) -> None:
    put(places["path"], "kubectl")
    assert binaries.find("kubectl").parent != places["path"]


def test_another_version_comes_from_its_own_cache_only(
    places: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in places.values():
        put(place, "etcd")
    monkeypatch.setenv("ARGOSY_KUBERNETES", binaries.OLDEST)
    with pytest.raises(binaries.Absent, match=re.escape(f'VERSIONS="{binaries.OLDEST}"')):
        binaries.find("etcd")
    old = put(binaries.cache(binaries.OLDEST), "etcd")
    assert binaries.find("etcd") == old


def test_the_reason_names_program_and_remedy(places: dict[str, Path]) -> None:
    put(places["path"], "etcd")
    assert re.search(r"^no kube-apiserver in .*; `make testbed` builds it$", binaries.missing())


def test_usable_versions_are_those_with_all_required_programs(places: dict[str, Path]) -> None:
    for name in binaries.REQUIRED:
        put(binaries.cache(binaries.OLDEST), name)
    put(places["cache"], "etcd")
    assert binaries.cached_versions() == [binaries.OLDEST]


@pytest.mark.parametrize(("demand", "code"), [("", 0), ("required", 1)])
def test_without_go_it_says_so(
    demand: str,
    code: int,
    places: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("ARGOSY_E2E", demand)
    assert builder.main([]) == code
    said = capsys.readouterr().err
    assert "Go, which is not on $PATH" in said
    assert ("skipped" in said) is (code == 0)


def test_a_failed_build_leaves_nothing_that_looks_finished(
    places: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    put(places["path"], "go", 'echo half > "$6"; exit 3')
    assert builder.main([]) == 0
    assert "ended with 3" in capfd.readouterr().err
    assert [path.name for path in places["cache"].iterdir()] == [".lock"]


def test_what_was_built_is_found_and_not_built_again(
    places: dict[str, Path], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # `go build -trimpath -ldflags F -o OUT PACKAGE`, and `go list` for the folder of kwok's module
    calls, module = tmp_path / "calls", tmp_path / "module"
    stages = module / "kustomize" / "stage" / "pod" / "fast"
    stages.mkdir(parents=True)
    (stages / "pod-ready.yaml").write_text("apiVersion: kwok.x-k8s.io/v1alpha1\nkind: Stage\n")
    (stages / "kustomization.yaml").write_text("kind: Kustomization\n")
    put(
        places["path"],
        "go",
        f'[ "$1" = list ] && {{ echo {module}; exit; }}; '
        f'echo "$7" >> {calls}; printf "#!/bin/sh\\n" > "$6"; /bin/chmod 755 "$6"',
    )
    assert builder.main([]) == 0
    assert builder.main([]) == 0
    assert calls.read_text().split() == [
        "go.etcd.io/etcd/server/v3",
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "helm.sh/helm/v4/cmd/helm",
        "k8s.io/kubernetes/cmd/kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-scheduler",
        "sigs.k8s.io/kwok/cmd/kwok",
    ]
    assert binaries.missing() == ""
    assert "kind: Stage" in (places["cache"] / binaries.STAGES).read_text()
    assert "Kustomization" not in (places["cache"] / binaries.STAGES).read_text()
    assert str(places["cache"] / "etcd") in capfd.readouterr().err


def test_a_version_without_module_files_is_refused_by_name(
    places: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    put(places["path"], "go")
    builder.main(["--versions", "1.2.3", "--binaries", "kube-apiserver"])
    assert "kube-apiserver 1.2.3" in capsys.readouterr().err


@pytest.mark.parametrize("kubernetes", binaries.KUBERNETES)
def test_every_program_of_a_known_version_has_its_module_files(kubernetes: str) -> None:
    for name in builder.ORDER:
        recipe = builder.recipe(name, kubernetes)
        folder = builder.MODULES / recipe.module
        required = re.findall(r"^require (\S+) v(\S+)$", (folder / "go.mod").read_text(), re.MULTILINE)
        ((module, version),) = required
        assert recipe.package.startswith(module)
        assert recipe.module.endswith(version)
        assert f"{module} v{version} h1:" in (folder / "go.sum").read_text()


def test_programs_tell_their_version_in_both_places() -> None:
    flags = builder.recipe("kubectl", "1.37.2").flags
    assert "-X k8s.io/component-base/version.gitVersion=v1.37.2" in flags
    assert "-X k8s.io/client-go/pkg/version.gitMinor=37" in flags


def test_the_reaper_kills_what_did_not_end() -> None:
    assert reaper.remaining(["+1\n", "+2\n", "-1\n", "+3\n"]) == {2, 3}


def test_a_program_that_ignores_sigterm_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "GRACE", 0.1)
    stubborn = (
        "import signal as s, time; s.signal(s.SIGTERM, s.SIG_IGN); print(1, flush=True); time.sleep(60)"
    )
    warden = processes.Reaper(tmp_path / "work")
    program = processes.Program(
        [sys.executable, "-c", stubborn], log=tmp_path / "log", reaper=warden, environment=os.environ
    )
    program.start()
    try:
        controlplane.wait_until(lambda: program.tail() == "1", "it does not start")
        program.stop()
        assert not program.alive
    finally:
        program.kill()
        warden.close()


def test_the_command_line_works_from_a_checkout() -> None:
    environment = os.environ | {"PYTHONPATH": str(builder.MODULES.parents[1])}
    command = [sys.executable, "-m", "testbed", "--cached"]
    listed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    assert listed.split() == binaries.cached_versions()
