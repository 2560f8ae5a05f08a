"""Charts and artifacts of Debian's docker-registry, which speaks the distribution API as the big ones do."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from chart_case import archive, packed
from chartserver import CHART_LAYER, MANIFEST

from hub.charts import keyring
from hub.charts.charts import Charts
from hub.core.apps import charts as addresses
from hub.core.secret import SECRET_TYPE


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[str]:
    """HOST:PORT of a registry without users."""
    program = shutil.which("docker-registry", path=f"{os.environ['PATH']}:/usr/bin")
    if program is None:
        pytest.skip("docker-registry is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = {
        "version": "0.1",
        "log": {"level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(tmp_path / "registry")}},
        "http": {"addr": host},
    }
    (tmp_path / "config.yml").write_text(json.dumps(settings))
    process = subprocess.Popen(
        [program, "serve", str(tmp_path / "config.yml")], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 60
        while not _answers(f"http://{host}/v2/"):
            assert time.monotonic() < deadline, "the registry does not answer"
            assert process.poll() is None, "the registry ended"
            time.sleep(0.1)
        yield host
    finally:
        process.terminate()
        process.wait(10)


def _answers(url: str) -> bool:
    try:
        urllib.request.urlopen(url, timeout=1).close()
    except OSError:
        return False
    return True


def _send(method: str, url: str, body: bytes = b"", **headers: str) -> str:
    """Returns the Location of the answer."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, data=body, method=method, headers=given)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return urljoin(url, answer.headers.get("Location", ""))


def _blob(host: str, repository: str, data: bytes) -> dict[str, object]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    place = _send("POST", f"http://{host}/v2/{repository}/blobs/uploads/")
    sign = "&" if "?" in place else "?"
    _send("PUT", f"{place}{sign}digest={digest}", data, Content_Type="application/octet-stream")
    return {"digest": digest, "size": len(data)}


def push(host: str, repository: str, tag: str, layer: bytes, media: str) -> None:
    config = {**_blob(host, repository, b"{}"), "mediaType": "application/vnd.cncf.helm.config.v1+json"}
    layers = [{**_blob(host, repository, layer), "mediaType": media}]
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    place = f"http://{host}/v2/{repository}/manifests/{tag}"
    _send("PUT", place, json.dumps(manifest).encode(), Content_Type=MANIFEST)


async def test_charts_and_artifacts(registry: str, tmp_path: Path) -> None:
    for version in ("1.0.0", "1.2.0", "2.0.0"):
        push(registry, "team/web", version, packed("web", version), CHART_LAYER)
    layer = "application/vnd.oci.image.layer.v1.tar+gzip"
    push(registry, "team/files", "latest", archive({"a.yaml": "one"}), layer)
    fields = {
        SECRET_TYPE: "repo-creds",
        "type": "helm",
        "url": registry,
        "insecureOCIForceHttp": "true",
    }
    charts = Charts(tmp_path / "charts", keyring.keyring([fields]))
    url = addresses.address(f"{registry}/team", "web", "x")
    commit = await charts.resolve(url, "^1", refs=await charts.refs(url))
    assert commit == "1.2.0"
    assert (await charts.tree(url, commit)).read(
        "Chart.yaml"
    ) == b"apiVersion: v2\nname: web\nversion: 1.2.0\n"
    url = f"oci://{registry}/team/files"
    commit = await charts.resolve(url, "latest", refs=await charts.refs(url))
    assert commit.startswith("sha256:")
    assert (await charts.tree(url, commit)).read("a.yaml") == b"one"
    await charts.close()
