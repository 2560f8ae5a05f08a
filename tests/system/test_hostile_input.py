"""Hostile content in Git and at the API: a clear problem on the right object, and the hub and the other apps go on."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import hubs
import orjson
import pytest
import spokes
import yaml
from fleet import application
from hubs import Repo, config_map

from agent.link import channels
from agent.state import identity
from hub.assembly import Hub
from hub.core.served import table

GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good}\ndata: {value: '%s'}\n"

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
)
DEEP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: deep}\ndata: " + "[" * 5000 + "]" * 5000 + "\n"
KUSTOMIZE = "kustomization.yaml"

FILES: Mapping[str, tuple[dict[str, str | bytes], tuple[str, ...]]] = {
    "bomb": ({"bomb.yaml": BOMB}, ("bomb.yaml", "alias")),
    "deep": ({"deep.yaml": DEEP}, ("deep.yaml", "nest")),
    "latin": ({"latin.yaml": config_map("latin", "caf\xe9").encode("latin-1")}, ("latin.yaml", "UTF-8")),
    "nokind": ({"nokind.yaml": "apiVersion: v1\nmetadata: {name: x}\n"}, ("nokind.yaml", "kind")),
    "noname": ({"noname.yaml": "apiVersion: v1\nkind: ConfigMap\n"}, ("noname.yaml", "name")),
    "broken": ({"broken.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: [\n"}, ("broken.yaml:",)),
    "kup": ({KUSTOMIZE: "resources: [../../../../../etc/passwd]\n"}, ("etc/passwd",)),
    "kremote": ({KUSTOMIZE: "resources: ['https://example.com/x.yaml']\n"}, ("example.com",)),
    "kself": ({KUSTOMIZE: "resources: [.]\n"}, ("kself", "cycle")),
}
"""Folder -> (its files, what the problem must name)."""

PASSED_OVER: Mapping[str, str | bytes] = {
    "scalar": "just a sentence\n",
    "binary": bytes(range(256)) * 40,
    "template": "a: [1, 2\nb: }\n",
}
"""Folder -> content of a file that no one means as an object: Argo CD passes over such."""

LINKS = {"passwd": "/etc/passwd", "upwards": "../../../../../etc/hostname", "circle": "circle.yaml"}
"""Folder -> where a symbolic link `FOLDER.yaml` in it leads."""


async def test_hostile_files_are_problems_of_their_own_application(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        _write(repo)
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            names = {
                **{name: words for name, (_, words) in FILES.items()},
                **{name: (f"{name}.yaml",) for name in LINKS},
            }
            for name in (*names, *PASSED_OVER):
                await _apply(system.hub, repo, name, f"hostile/{name}")
            for name, path in (("dotdot", "../../etc"), ("absolute", "/etc"), ("nowhere", "hostile/nowhere")):
                await _apply(system.hub, repo, name, path)
                names[name] = (path.strip("/"),)
            await _apply(system.hub, repo, "good", "apps/good")
            await hubs.until(lambda: spoke.ours() == {"good": "1"}, "the good app in the middle of it")
            wrong = await _unclear(system.hub, names)
            assert not wrong, "\n".join(wrong)
            assert len(names) >= 15
            apps = await hubs.apps(system.hub)
            assert not [problem for name in PASSED_OVER if (problem := spokes.problems(apps[name]))]
            repo.commit({"apps/good/good.yaml": GOOD % 2})
            system.pull()
            await hubs.until(lambda: spoke.ours() == {"good": "2"}, "the good app goes on")
            assert all(not loop.record.error for loop in system.hub.loops), "no loop stumbled"
            spoke.unharmed()


def _write(repo: Repo) -> None:
    files: dict[str, str | bytes | None] = {"apps/good/good.yaml": GOOD % 1}
    for folder, (contents, _) in FILES.items():
        files.update({f"hostile/{folder}/{name}": content for name, content in contents.items()})
    files.update({f"hostile/{name}/{name}.yaml": content for name, content in PASSED_OVER.items()})
    for folder, target in LINKS.items():
        (repo.work / "hostile" / folder).mkdir(parents=True, exist_ok=True)
        os.symlink(target, repo.work / "hostile" / folder / f"{folder}.yaml")
    repo.commit(files)


async def _apply(hub: Hub, repo: Repo, name: str, path: str) -> None:
    await hubs.add(hub, table.APPLICATION, application(repo, name, "one", path, "default"))


async def _unclear(hub: Hub, names: Mapping[str, tuple[str, ...]]) -> list[str]:
    """The applications whose conditions do not name what they must, after they had the time to."""
    wrong: list[str] = []

    async def clear() -> bool:
        apps = await hubs.apps(hub)
        wrong[:] = [
            f"{name}: {spokes.problems(apps[name])!r} lacks one of {words}"
            for name, words in names.items()
            if not all(word in spokes.problems(apps[name]) for word in words)
        ]
        return not wrong

    with contextlib.suppress(AssertionError):
        await hubs.until(clear, "every mistake is named")
    return wrong


async def test_a_file_of_51_megabytes_is_refused_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        line = b"# nothing but a very long comment to fill the disk with\n"
        repo.commit(
            {
                "hostile/huge/huge.yaml": line * (51 * 1024 * 1024 // len(line)),
                "apps/good/good.yaml": GOOD % 1,
            }
        )
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            await _apply(system.hub, repo, "huge", "hostile/huge")
            await _apply(system.hub, repo, "good", "apps/good")
            await hubs.until(lambda: spoke.ours() == {"good": "1"}, "the good app")
            wrong = await _unclear(system.hub, {"huge": ("huge.yaml", "bytes")})
            assert not wrong, "\n".join(wrong)


async def test_two_documents_of_one_name_and_doubled_keys_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        doubled = (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: doubled}\ndata:\n  value: '1'\n  value: '2'\n"
        )
        repo.commit({"hostile/keys/keys.yaml": doubled, "apps/good/good.yaml": GOOD % 1})
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            await _apply(system.hub, repo, "keys", "hostile/keys")
            await _apply(system.hub, repo, "good", "apps/good")
            await hubs.until(lambda: spoke.ours().get("good") == "1", "the good app")
            wrong = await _unclear(system.hub, {"keys": ("keys.yaml", "value")})
            assert not wrong, "\n".join(wrong)


def _huge() -> dict[str, Any]:
    """More parameters than any request may hold."""
    return _list_set("huge", [{"name": f"element-{n}", "fill": "x" * 100} for n in range(40_000)])


def _deep() -> dict[str, Any]:
    value: Any = "x"
    for _ in range(200):
        value = {"nested": value}
    return _list_set("deep", [{"name": "a", "deep": value}])


def _list_set(name: str, elements: list[Any]) -> dict[str, Any]:
    template = {
        "metadata": {"name": "{{.name}}"},
        "spec": {
            "project": "default",
            "source": {"repoURL": "https://example.com/x.git", "path": "."},
            "destination": {"name": "one"},
        },
    }
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "ApplicationSet",
        "metadata": {"name": name, "namespace": "argocd"},
        "spec": {"goTemplate": True, "generators": [{"list": {"elements": elements}}], "template": template},
    }


BODIES: Mapping[str, Callable[[], bytes]] = {
    "huge set": lambda: orjson.dumps(_huge()),
    "brackets": lambda: b"[" * 100_000,
    "no JSON": lambda: b"\xff\xfe\x00",
    "a list": lambda: b"[1, 2, 3]",
    "wrong kind": lambda: orjson.dumps({**_list_set("x", []), "kind": "Application"}),
    "no template": lambda: orjson.dumps({**_list_set("x", []), "spec": {"generators": [{}]}}),
    "bad name": lambda: orjson.dumps(_list_set("../../etc", [])),
}


async def test_hostile_requests_get_a_status_and_harm_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/good/good.yaml": GOOD % 1})
        async with spokes.system(tmp_path, monkeypatch) as system:
            spoke = await system.join("one")
            refused = 0
            async with _client(system.hub, tmp_path) as client:
                for what, body in BODIES.items():
                    status, answer = await _post(client, system.hub, body())
                    assert 400 <= status < 500, f"{what}: {status} {answer}"
                    assert answer["kind"] == "Status", what
                    assert answer["message"], what
                    refused += 1
                status, answer = await _post(client, system.hub, orjson.dumps(_deep()))
                assert status in (201, 400, 422), answer
            assert refused == len(BODIES)
            await _apply(system.hub, repo, "good", "apps/good")
            await hubs.until(lambda: spoke.ours() == {"good": "1"}, "the good app")


def _client(hub: Hub, folder: Path) -> aiohttp.ClientSession:
    config = yaml.safe_load(hub.settings.kubeconfig.read_text())
    user = config["users"][0]["user"]
    for name in ("client-certificate-data", "client-key-data"):
        (folder / name).write_bytes(base64.b64decode(user[name]))
    context = ssl.create_default_context(cadata=hub.ca.bundle.decode())
    context.load_cert_chain(folder / "client-certificate-data", folder / "client-key-data")
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context))


async def _post(client: aiohttp.ClientSession, hub: Hub, body: bytes) -> tuple[int, Any]:
    url = f"https://{hub.api_address}/apis/argoproj.io/v1alpha1/namespaces/argocd/applicationsets"
    async with client.post(url, data=body, headers={"Content-Type": "application/json"}) as answer:
        return answer.status, orjson.loads(await answer.read())


async def test_garbage_on_the_link_ends_its_own_stream_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hubs.repository(tmp_path) as repo:
        repo.commit({"apps/good/good.yaml": GOOD % 1})
        async with spokes.system(tmp_path, monkeypatch) as system:
            good, bad = await system.join("one"), await system.join("two")
            await _apply(system.hub, repo, "good", "apps/good")
            await hubs.until(lambda: good.ours() == {"good": "1"}, "the good app")
            streams = good.program.link.state.streams if good.program and good.program.link else 0
            await bad.stop()
            own = identity.load(bad.folder)
            assert own is not None
            sent = 0
            async with channels.mutual(own, identity.key_in(bad.folder)) as channel:
                for raw in (b"\xff" * 40, b"\x0a\x05\x08", os.urandom(500), os.urandom(100_000)):
                    call: Any = channel.stream_stream("/argosy.v1.LinkService/Connect")()
                    await call.write(raw)
                    code = await asyncio.wait_for(call.code(), 60)
                    assert code.name in ("INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"), code
                    sent += 1
            assert sent == 4
            repo.commit({"apps/good/good.yaml": GOOD % 2})
            system.pull()
            await hubs.until(lambda: good.ours() == {"good": "2"}, "the neighbour goes on")
            assert good.program is not None
            assert good.program.link is not None
            assert good.program.link.state.streams == streams, "on the stream it had"
            await bad.start()
            await hubs.until(lambda: bad.connected, "an agent that behaves again is let in")
