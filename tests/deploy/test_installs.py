"""The images' own steps, followed in a folder: what they install is enough for every program in them to run."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
from imagefolder import ROOT, ImageFolder, pins

PROGRAMS = ("hub", "agent")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, helm: Path) -> ImageFolder:
    return ImageFolder("hub", tmp_path_factory.mktemp("hub-image"), helm / "helm" if helm.is_dir() else helm)


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> ImageFolder:
    return ImageFolder("agent", tmp_path_factory.mktemp("agent-image"))


@pytest.mark.parametrize("program", PROGRAMS)
def test_what_is_locked_for_an_image_is_what_is_tested(program: str) -> None:
    tested = pins(ROOT / "requirements/dev.txt")
    for name, (version, hashes) in pins(ROOT / f"requirements/{program}.txt").items():
        assert hashes, f"{name} has no hash"
        assert tested.get(name) == (version, hashes), name


@pytest.mark.parametrize(
    "command",
    [
        ("argosy-hub", "--help"),
        ("argosy-hub", "serve", "--help"),
        ("argosy-hub", "doctor", "--help"),
        ("argosy", "--help"),
        ("argosy", "appset", "generate", "--help"),
        ("argosy-agent", "--help"),
        ("kubectl", "kustomize", "--help"),
        ("helm", "version", "--short"),
    ],
    ids=" ".join,
)
def test_programs_of_the_hubs_image_run(hub: ImageFolder, command: tuple[str, ...]) -> None:
    done = hub.run(*command)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "command", [("argosy-agent", "--help"), ("argosy-agent", "run", "--help")], ids=" ".join
)
def test_programs_of_the_agents_image_run(agent: ImageFolder, command: tuple[str, ...]) -> None:
    done = agent.run(*command)
    assert done.returncode == 0, done.stderr


def test_programs_are_of_this_version(hub: ImageFolder, agent: ImageFolder) -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert hub.run("argosy-hub", "--version").stdout.split() == ["argosy-hub", version]
    asked = "from agent.main import version; print(version())"
    beside = str(hub.folder / "opt/agent/bin/python")
    for image, python in ((hub, beside), (agent, "python")):
        assert image.run(python, "-c", asked).stdout.split() == [version]


@pytest.mark.parametrize(
    ("modules", "missing"),
    [
        (
            "agent.program, agent.cluster.kube, agent.sops.opening, argosy.lua, argosy.cel",
            "hub, git, starlette",
        ),
    ],
)
def test_the_agents_image_has_all_of_its_own_and_nothing_of_the_hubs(
    agent: ImageFolder, modules: str, missing: str
) -> None:
    assert agent.run("python", "-c", f"import {modules}").returncode == 0
    for name in missing.split(", "):
        assert agent.run("python", "-c", f"import {name}").returncode != 0, name


def test_the_hubs_image_renders_with_its_own_tools(hub: ImageFolder, tmp_path: Path) -> None:
    chart = tmp_path / "chart"
    (chart / "templates").mkdir(parents=True)
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: web\nversion: 1.0.0\n")
    template = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: {{ .Release.Name }}}\n"
    (chart / "templates/a.yaml").write_text(template)
    folder = tmp_path / "kustomized"
    folder.mkdir()
    (folder / "kustomization.yaml").write_text("namePrefix: new-\nresources: [a.yaml]\n")
    (folder / "a.yaml").write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\n")
    for path, name in (("chart", "web"), ("kustomized", "new-web")):
        app = tmp_path / "app.json"
        source = {"repoURL": "https://git.example.com/a", "path": path}
        spec = {"project": "default", "source": source, "destination": {"name": "x", "namespace": "y"}}
        manifest = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "web"}}
        app.write_text(json.dumps({**manifest, "spec": spec}))
        repo = f"https://git.example.com/a={tmp_path}"
        done = hub.run("argosy", "app", "render", "-f", str(app), "--repo", repo, "-o", "json")
        assert done.returncode == 0, done.stderr
        assert [item["metadata"]["name"] for item in json.loads(done.stdout)["items"]] == [name]


async def test_the_hubs_image_serves_and_has_an_agent_of_its_own(hub: ImageFolder, tmp_path: Path) -> None:
    data = tmp_path / "data"
    entry, serve, *_ = hub.command
    environment = hub.environment() | {"ARGOSY_KUBECONFIG": str(data / "admin.kubeconfig")}
    program = shutil.which(entry, path=environment["PATH"])
    assert program is not None
    options = ["--data", str(data), "--api", "127.0.0.1:0", "--link", "127.0.0.1:0", "--in-cluster"]
    log = tmp_path / "log"
    with log.open("wb") as file:
        child = await asyncio.create_subprocess_exec(
            program, serve, *options, env=environment, stdout=file, stderr=file, stdin=subprocess.DEVNULL
        )
    try:
        argosy = shutil.which("argosy", path=environment["PATH"])
        assert argosy is not None
        deadline, said = time.monotonic() + 90, b""
        while b'"Ready": true' not in said:
            assert child.returncode is None, log.read_text()
            assert time.monotonic() < deadline, f"{said.decode()}\n{log.read_text()}"
            said = await _ready(argosy, environment) if (data / "admin.kubeconfig").exists() else b""
            await asyncio.sleep(0.2)
    finally:
        if child.returncode is None:
            child.terminate()
        assert await asyncio.wait_for(child.wait(), 30) == 0


async def _ready(argosy: str, environment: dict[str, str]) -> bytes:
    asked = await asyncio.create_subprocess_exec(
        *(argosy, "cluster", "list", "-o", "json"),
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    out, _ = await asked.communicate()
    try:
        items = json.loads(out)["items"]
    except ValueError:
        return out
    ready = any(
        one["metadata"]["name"] == "in-cluster"
        and condition["type"] == "Ready"
        and condition["status"] == "True"
        for one in items
        for condition in (one.get("status") or {}).get("conditions") or ()
    )
    return json.dumps({"Ready": ready}).encode()


@pytest.mark.soak
@pytest.mark.parametrize("program", PROGRAMS)
def test_the_lock_files_install_by_hash_alone(program: str, tmp_path: Path) -> None:
    """Fetches from a package index, as the build of an image does."""
    target = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(target)], check=True, timeout=120)
    install = ["install", "--no-deps", "--require-hashes", "-r", str(ROOT / f"requirements/{program}.txt")]
    pip = [sys.executable, "-m", "pip", "--python", str(target / "bin/python"), *install]
    subprocess.run(pip, check=True, timeout=900, capture_output=True)
