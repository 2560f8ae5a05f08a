"""What the in-memory cluster can do that no real one offers: a life on disk, faults on demand, toy controllers."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agent.cluster import journal as journals
from agent.cluster.base import Changed, Event, Expired, Refused, TryLater
from agent.cluster.faults import Fault
from agent.cluster.memory import MemoryCluster
from argosy import errors
from argosy.kinds import CONFIG_MAP, CRD, NAMESPACE, Gvk
from argosy.objects import Manifest

DEPLOYMENT = Gvk("apps", "v1", "Deployment")
JOB = Gvk("batch", "v1", "Job")


def config(name: str, value: str = "1", **metadata: Any) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": "default", **metadata},
        "data": {"k": value},
    }


def workload(kind: Gvk, name: str, image: str = "img:1", **spec: Any) -> Manifest:
    pods: dict[str, Any] = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": image}]},
    }
    if kind == JOB:
        pods["spec"]["restartPolicy"] = "Never"
    else:
        spec["selector"] = {"matchLabels": {"app": name}}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": name, "namespace": "default"},
        "spec": {**spec, "template": pods},
    }


def definition(plural: str = "foos", kind: str = "Foo") -> Manifest:
    structural = {"type": "object", "properties": {"spec": {"type": "object"}, "status": {"type": "object"}}}
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": structural},
        "subresources": {"status": {}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.argosy.test"},
        "spec": {
            "group": "argosy.test",
            "scope": "Namespaced",
            "names": {"plural": plural, "kind": kind},
            "versions": [version],
        },
    }


# --- a life on disk -----------------------------------------------------------------------------------------------


async def test_a_cluster_is_found_again_as_it_was_left(tmp_path: Path) -> None:
    file = tmp_path / "state" / "cluster"
    first = MemoryCluster(journal=file)
    await first.apply(definition())
    await first.apply(
        {"apiVersion": "argosy.test/v1", "kind": "Foo", "metadata": {"name": "f", "namespace": "default"}}
    )
    await first.apply(config("kept"))
    gone = await first.apply(config("gone"))
    await first.delete(CONFIG_MAP, "default", "gone", uid=gone["metadata"]["uid"])
    identity, before = await first.identity(), first.objects()
    await first.close()

    second = MemoryCluster(journal=file)
    assert await second.identity() == identity
    assert second.objects() == before
    assert Gvk("argosy.test", "v1", "Foo") in await second.kinds()
    same = await second.apply(config("kept"))
    assert (
        same["metadata"]["resourceVersion"]
        == before[("", "ConfigMap", "default", "kept")]["metadata"]["resourceVersion"]
    )
    with pytest.raises(Expired):
        async for _ in second.watch(CONFIG_MAP, resource_version="1"):
            pass
    await second.close()


async def test_a_half_written_line_is_as_if_it_had_never_been(tmp_path: Path) -> None:
    file = tmp_path / "cluster"
    first = MemoryCluster(journal=file)
    await first.apply(config("one"))
    await first.close()
    whole = file.read_bytes()
    with file.open("ab") as end:
        end.write(b'[9,["","ConfigMap","default","tw')
    second = MemoryCluster(journal=file)
    assert await second.get(CONFIG_MAP, "default", "two") is None
    assert await second.get(CONFIG_MAP, "default", "one") is not None
    await second.close()
    assert file.read_bytes() == whole


async def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes"
    file.write_text("dear diary\nnothing happened\n")
    with pytest.raises(errors.Invalid, match="not the journal"):
        MemoryCluster(journal=file)
    assert file.read_text() == "dear diary\nnothing happened\n"


async def test_a_journal_does_not_grow_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journals, "FOLD_AFTER", 50)
    file = tmp_path / "cluster"
    first = MemoryCluster(journal=file)
    for number in range(500):
        await first.apply(config("one", str(number)))
    assert len(file.read_bytes().splitlines()) < 70
    before = first.objects()
    version = before[("", "ConfigMap", "default", "one")]["metadata"]["resourceVersion"]
    await first.close()
    second = MemoryCluster(journal=file)
    assert second.objects() == before
    later = await second.apply(config("one", "last"))
    assert int(later["metadata"]["resourceVersion"]) > int(version)
    await second.close()


_WRITER = """
import asyncio, pathlib, sys
from agent.cluster.memory import MemoryCluster
async def main():
    cluster = MemoryCluster(journal=pathlib.Path(sys.argv[1]))
    for number in range(100000):
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"c{number}", "namespace": "default"}}
        await cluster.apply(body)
        print(number, flush=True)
asyncio.run(main())
"""


def test_an_answered_write_survives_a_kill(tmp_path: Path) -> None:
    file = tmp_path / "cluster"
    writer = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(file)], stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    )
    assert writer.stdout is not None
    answered = -1
    deadline = time.monotonic() + 60
    while answered < 100:
        assert time.monotonic() < deadline, "the writer wrote too little"
        answered = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    answered = max([answered, *(int(line) for line in writer.stdout.read().split())])
    writer.wait()
    writer.stdout.close()
    found = {key[3] for key in MemoryCluster(journal=file).objects() if key[1] == "ConfigMap"}
    assert {f"c{number}" for number in range(answered + 1)} <= found


# --- faults -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "error"),
    [
        ("unavailable", errors.Unavailable),
        ("error", errors.Unavailable),
        ("busy", TryLater),
        ("throttled", TryLater),
        ("conflict", Changed),
        ("forbidden", errors.Forbidden),
        ("refused", Refused),
    ],
)
async def test_a_fault_hits_the_call_it_is_meant_for_and_is_counted(
    effect: Any, error: type[Exception]
) -> None:
    cluster = MemoryCluster()
    cluster.faults.inject(Fault("apply", effect, after=1, times=2, kind="ConfigMap"))
    await cluster.apply(config("one"))
    await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    for _ in range(2):
        with pytest.raises(error):
            await cluster.apply(config("one", "2"))
    live = await cluster.get(CONFIG_MAP, "default", "one")
    assert live is not None
    assert live["data"] == {"k": "1"}
    await cluster.apply(config("one", "2"))
    assert cluster.faults.counts[effect] == 2
    await cluster.close()


async def test_a_lost_answer_is_a_write_all_the_same() -> None:
    cluster = MemoryCluster()
    cluster.faults.inject(Fault("apply", "lost"))
    with pytest.raises(errors.Unavailable):
        await cluster.apply(config("one"))
    assert await cluster.get(CONFIG_MAP, "default", "one") is not None
    await cluster.close()


async def test_a_fault_without_an_end_lasts_until_it_is_cleared() -> None:
    cluster = MemoryCluster()
    cluster.faults.inject(Fault("any", "unavailable", times=0))
    for _ in range(5):
        with pytest.raises(errors.Unavailable):
            await cluster.identity()
    cluster.faults.clear()
    await cluster.identity()
    assert cluster.faults.counts["unavailable"] == 5
    await cluster.close()


async def _watched(
    cluster: MemoryCluster, until: Callable[[list[Event]], bool], **options: Any
) -> list[Event]:
    seen: list[Event] = []
    async with asyncio.timeout(60):
        async for event in cluster.watch(CONFIG_MAP, **options):
            seen.append(event)
            if until(seen):
                break
    return seen


@pytest.mark.parametrize(
    ("strike", "error", "counted"),
    [
        (MemoryCluster.drop_watches, errors.Unavailable, "dropped watch"),
        (MemoryCluster.expire_watches, Expired, "expired watch"),
    ],
)
async def test_running_watches_end_on_demand(
    strike: Callable[[MemoryCluster], None], error: type[Exception], counted: str
) -> None:
    cluster = MemoryCluster()
    await cluster.apply(config("one"))
    begun = asyncio.Event()
    watch = asyncio.create_task(_watched(cluster, lambda seen: bool(begun.set())))
    await begun.wait()
    await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}})
    strike(cluster)
    with pytest.raises(error):
        await watch
    assert cluster.faults.counts[counted] == 1
    await cluster.close()


async def test_a_watch_from_a_forgotten_version_has_to_list_again() -> None:
    cluster = MemoryCluster(history=5)
    first = await cluster.apply(config("one"))
    for number in range(10):
        await cluster.apply(config("one", str(number)))
    with pytest.raises(Expired):
        await _watched(cluster, lambda seen: False, resource_version=first["metadata"]["resourceVersion"])
    await cluster.close()


async def test_a_watch_ends_by_itself_when_its_time_is_over() -> None:
    cluster = MemoryCluster(watch_seconds=0.05)
    seen = await _watched(cluster, lambda seen: False)
    assert [event.type for event in seen[:1]] == ["BOOKMARK"]
    await cluster.close()


async def test_a_write_in_the_moment_a_watch_ends_is_told() -> None:
    cluster = MemoryCluster(watch_seconds=0.05)
    await cluster.apply(config("one"))
    begun = asyncio.Event()
    watch = asyncio.create_task(_watched(cluster, lambda seen: bool(begun.set())))
    await begun.wait()
    loop = asyncio.get_running_loop()
    # A busy loop comes to both in one go: the watch is told that its time is over, and then there is the write.
    loop.call_later(0.1, cluster.edit, CONFIG_MAP, "default", "one", {"data": {"k": "2"}})
    loop.call_soon(time.sleep, 0.2)
    seen = await watch
    seen += await _watched(cluster, lambda seen: False, resource_version=seen[-1].resource_version)
    assert [event.object["data"]["k"] for event in seen if event.type != "BOOKMARK"] == ["1", "2"]
    await cluster.close()


# --- toy controllers ----------------------------------------------------------------------------------------------


async def test_workloads_are_well_at_once_or_when_asked() -> None:
    cluster = MemoryCluster(settled=False)
    await cluster.apply(workload(DEPLOYMENT, "web", replicas=2))
    live = await cluster.get(DEPLOYMENT, "default", "web")
    assert live is not None
    assert "availableReplicas" not in live["status"]
    assert cluster.settle() >= 1
    live = await cluster.get(DEPLOYMENT, "default", "web")
    assert live is not None
    assert (live["status"]["availableReplicas"], live["status"]["observedGeneration"]) == (2, 1)
    assert live["metadata"]["generation"] == 1
    assert cluster.settle() == 0
    await cluster.close()


async def test_what_is_well_is_not_written_again() -> None:
    cluster = MemoryCluster()
    await cluster.apply(workload(JOB, "once"))
    first = await cluster.get(JOB, "default", "once")
    await cluster.apply(workload(JOB, "once"))
    assert await cluster.get(JOB, "default", "once") == first
    assert first is not None
    assert {each["type"]: each["status"] for each in first["status"]["conditions"]} == {"Complete": "True"}
    await cluster.close()


async def test_a_broken_image_never_starts() -> None:
    cluster = MemoryCluster()
    await cluster.apply(workload(DEPLOYMENT, "web", image="registry/broken:1"))
    live = await cluster.get(DEPLOYMENT, "default", "web")
    assert live is not None
    conditions = {each["type"]: each["status"] for each in live["status"]["conditions"]}
    assert conditions == {"Available": "False", "Progressing": "False"}
    await cluster.close()


async def test_children_follow_their_owner_unless_they_are_orphaned() -> None:
    cluster = MemoryCluster()
    for policy, left in (("Background", False), ("Foreground", False), ("Orphan", True)):
        owner = await cluster.apply(config("owner"))
        uid = owner["metadata"]["uid"]
        reference = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid}
        await cluster.apply(config("child", ownerReferences=[reference]))
        await cluster.delete(CONFIG_MAP, "default", "owner", uid=uid, propagation=policy)
        child = await cluster.get(CONFIG_MAP, "default", "child")
        assert (child is not None) == left
    assert child is not None
    assert not child["metadata"].get("ownerReferences")
    await cluster.close()


async def test_a_namespace_waits_for_the_last_finalizer_in_it() -> None:
    cluster = MemoryCluster()
    made = await cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "end"}})
    held = config("held", finalizers=["argosy.test/hold"])
    held["metadata"]["namespace"] = "end"
    await cluster.apply(held)
    await cluster.delete(NAMESPACE, "", "end", uid=made["metadata"]["uid"])
    namespace = await cluster.get(NAMESPACE, "", "end")
    assert namespace is not None
    assert namespace["status"]["phase"] == "Terminating"
    late = config("late")
    late["metadata"]["namespace"] = "end"
    with pytest.raises(TryLater):
        await cluster.apply(late)
    cluster.edit(CONFIG_MAP, "end", "held", {"metadata": {"finalizers": None}})
    assert await cluster.get(CONFIG_MAP, "end", "held") is None
    assert await cluster.get(NAMESPACE, "", "end") is None
    await cluster.close()


async def test_a_kind_goes_with_its_definition_and_takes_its_objects_along() -> None:
    cluster = MemoryCluster()
    made = await cluster.apply(definition())
    foo = Gvk("argosy.test", "v1", "Foo")
    await cluster.apply(
        {"apiVersion": "argosy.test/v1", "kind": "Foo", "metadata": {"name": "f", "namespace": "default"}}
    )
    await cluster.delete(CRD, "", "foos.argosy.test", uid=made["metadata"]["uid"])
    assert foo not in await cluster.kinds()
    await cluster.apply(definition())
    assert await cluster.get(foo, "default", "f") is None
    await cluster.close()


async def test_what_is_answered_belongs_to_the_caller() -> None:
    cluster = MemoryCluster()
    sent = config("one")
    answered = await cluster.apply(sent)
    answered["data"]["k"] = sent["data"]["k"] = "changed outside"
    page = await cluster.list(CONFIG_MAP)
    page.items[0]["data"]["k"] = "changed outside"
    live = await cluster.get(CONFIG_MAP, "default", "one")
    assert live is not None
    assert live["data"] == {"k": "1"}
    await cluster.close()
