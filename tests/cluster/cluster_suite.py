"""What every cluster behind the agent's contract promises: one list of promises, run against all implementations.

Only the contract itself is used, another field manager included, so the same promises hold for a real API server.
Each takes the cluster and a fresh namespace; kinds are served by every Kubernetes.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from agent.cluster.base import (
    ApplyConflict,
    Cause,
    Changed,
    ClusterApi,
    Event,
    KindMissing,
    NamespaceMissing,
    Refused,
)
from argosy.kinds import CONFIG_MAP, CRD, NAMESPACE, Gvk
from argosy.objects import Manifest

DEPLOYMENT = Gvk("apps", "v1", "Deployment")
SERVICE = Gvk("", "v1", "Service")
WIDGET = Gvk("suite.argosy.dev", "v1", "Widget")
SECONDS = 60.0

Promise = Callable[[ClusterApi, str], Awaitable[None]]
PROMISES: list[Promise] = []


def promise(function: Promise) -> Promise:
    PROMISES.append(function)
    return function


def config_map(
    namespace: str, name: str = "one", labels: dict[str, str] | None = None, **data: Any
) -> Manifest:
    metadata: dict[str, Any] = {"name": name, "namespace": namespace}
    if labels is not None:
        metadata["labels"] = labels
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(namespace: str, *containers: dict[str, Any], **spec: Any) -> Manifest:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": list(containers)}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"selector": {"matchLabels": labels}, "template": template, **spec},
    }


async def live(api: ClusterApi, namespace: str, name: str = "one") -> Manifest:
    found = await api.get(CONFIG_MAP, namespace, name)
    assert found is not None, f"{name} is not there"
    return found


def version(manifest: Manifest) -> str:
    return str(manifest["metadata"]["resourceVersion"])


class Listening:
    """Collects a watch's events in the background."""

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self.events: list[Event] = []
        self._more = asyncio.Event()
        self._task = asyncio.create_task(self._collect(events))

    async def _collect(self, events: AsyncIterator[Event]) -> None:
        async for event in events:
            self.events.append(event)
            self._more.set()
            self._more = asyncio.Event()

    async def until(self, met: Callable[[list[Event]], bool]) -> list[Event]:
        try:
            async with asyncio.timeout(SECONDS):
                while not met(self.events):
                    await self._more.wait()
        except TimeoutError:
            raise AssertionError(f"the watch only brought {self.events}") from None
        return self.events


@contextlib.asynccontextmanager
async def listening(events: AsyncIterator[Event]) -> AsyncIterator[Listening]:
    made = Listening(events)
    try:
        yield made
    finally:
        made._task.cancel()
        await asyncio.gather(made._task, return_exceptions=True)


def told(events: list[Event]) -> list[tuple[str, str]]:
    """(type, name) of all but bookmarks."""
    return [(event.type, event.object["metadata"]["name"]) for event in events if event.type != "BOOKMARK"]


@promise
async def it_says_which_cluster_it_is(api: ClusterApi, namespace: str) -> None:
    first, second = await api.identity(), await api.identity()
    assert first == second
    system = await api.get(NAMESPACE, "", "kube-system")
    assert system is not None
    assert first.uid == system["metadata"]["uid"]
    assert first.version.startswith("v1.")


@promise
async def it_knows_its_kinds(api: ClusterApi, namespace: str) -> None:
    kinds = await api.kinds()
    assert (kinds[CONFIG_MAP].plural, kinds[CONFIG_MAP].namespaced) == ("configmaps", True)
    assert not kinds[NAMESPACE].namespaced
    assert kinds[DEPLOYMENT].verbs >= {"get", "list", "watch", "patch", "delete"}
    assert not any("/" in kind.plural for kind in kinds.values())


@promise
async def what_is_not_there_is_none_and_unknown_kinds_are_missing(api: ClusterApi, namespace: str) -> None:
    assert await api.get(CONFIG_MAP, namespace, "nothing") is None
    with pytest.raises(KindMissing):
        await api.get(Gvk("nowhere.dev", "v1", "Nothing"), namespace, "nothing")
    with pytest.raises(KindMissing):
        await api.apply(
            {
                "apiVersion": "nowhere.dev/v1",
                "kind": "Nothing",
                "metadata": {"name": "x", "namespace": namespace},
            }
        )


@promise
async def an_apply_creates(api: ClusterApi, namespace: str) -> None:
    made = await api.apply(config_map(namespace, k="1"))
    assert made["data"] == {"k": "1"}
    assert made["metadata"]["uid"]
    (entry,) = made["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("argosy", "Apply")
    assert entry["fieldsV1"]["f:data"] == {"f:k": {}}
    assert await live(api, namespace) == made


@promise
async def an_apply_that_changes_nothing_changes_nothing(api: ClusterApi, namespace: str) -> None:
    made = await api.apply(config_map(namespace, k="1"))
    assert await api.apply(config_map(namespace, k="1")) == made


@promise
async def managers_share_an_object_field_by_field(api: ClusterApi, namespace: str) -> None:
    await api.apply(config_map(namespace, mine="1"))
    merged = await api.apply(config_map(namespace, labels={"l": "x"}, theirs="2"), manager="other")
    assert merged["data"] == {"mine": "1", "theirs": "2"}
    again = await api.apply(config_map(namespace, mine="3"))
    assert again["data"] == {"mine": "3", "theirs": "2"}
    assert again["metadata"]["labels"] == {"l": "x"}


@promise
async def lists_with_keys_merge_by_their_keys(api: ClusterApi, namespace: str) -> None:
    await api.apply(
        deployment(namespace, {"name": "a", "image": "a:1", "env": [{"name": "X", "value": "1"}]})
    )
    merged = await api.apply(
        deployment(
            namespace,
            {"name": "b", "image": "b:1"},
            {"name": "a", "image": "a:1", "env": [{"name": "Y", "value": "2"}]},
        ),
        manager="other",
    )
    containers = {item["name"]: item for item in merged["spec"]["template"]["spec"]["containers"]}
    assert set(containers) == {"a", "b"}
    assert {item["name"] for item in containers["a"]["env"]} == {"X", "Y"}


@promise
async def what_an_applier_no_longer_says_goes_unless_shared(api: ClusterApi, namespace: str) -> None:
    await api.apply(config_map(namespace, alone="1", shared="1"))
    await api.apply(config_map(namespace, shared="1"), manager="other")
    assert (await api.apply(config_map(namespace, kept="1")))["data"] == {"shared": "1", "kept": "1"}


@promise
async def a_foreign_value_is_a_conflict_and_nothing_is_written(api: ClusterApi, namespace: str) -> None:
    before = await api.apply(
        config_map(namespace, labels={"app.dev/x": "1"}, k="1", free="1"), manager="other"
    )
    with pytest.raises(ApplyConflict) as caught:
        await api.apply(config_map(namespace, labels={"app.dev/x": "2"}, k="2", new="1"))
    assert set(caught.value.causes) == {
        Cause("other", ".data.k"),
        Cause("other", ".metadata.labels.app.dev/x"),
    }
    assert await live(api, namespace) == before


@promise
async def a_conflict_names_the_item_of_a_list(api: ClusterApi, namespace: str) -> None:
    await api.apply(deployment(namespace, {"name": "a", "image": "a:1"}), manager="other")
    with pytest.raises(ApplyConflict) as caught:
        await api.apply(deployment(namespace, {"name": "a", "image": "a:2"}))
    assert caught.value.causes == (Cause("other", '.spec.template.spec.containers[name="a"].image'),)


@promise
async def force_takes_the_field(api: ClusterApi, namespace: str) -> None:
    await api.apply(config_map(namespace, k="1", other="1"), manager="other")
    taken = await api.apply(config_map(namespace, k="2"), force=True)
    assert taken["data"] == {"k": "2", "other": "1"}
    with pytest.raises(ApplyConflict) as caught:
        await api.apply(config_map(namespace, k="1", other="1"), manager="other")
    assert caught.value.causes == (Cause("argosy", ".data.k"),)


@promise
async def a_dry_run_answers_and_writes_nothing(api: ClusterApi, namespace: str) -> None:
    fresh = await api.apply(config_map(namespace, k="1"), dry_run=True)
    assert fresh["data"] == {"k": "1"}
    assert "resourceVersion" not in fresh["metadata"]
    assert await api.get(CONFIG_MAP, namespace, "one") is None
    made = await api.apply(config_map(namespace, k="1"), manager="other")
    merged = await api.apply(config_map(namespace, more="1"), dry_run=True)
    assert merged["data"] == {"k": "1", "more": "1"}
    assert version(merged) == version(made)
    with pytest.raises(ApplyConflict):
        await api.apply(config_map(namespace, k="2"), dry_run=True)
    assert await live(api, namespace) == made


@promise
async def a_uid_guards_an_apply(api: ClusterApi, namespace: str) -> None:
    made = await api.apply(config_map(namespace, k="1"))
    guarded = config_map(namespace, k="2")
    guarded["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises((Changed, Refused)):
        await api.apply(guarded)
    assert await live(api, namespace) == made


@promise
async def a_delete_hits_only_its_uid(api: ClusterApi, namespace: str) -> None:
    made = await api.apply(config_map(namespace, k="1"))
    with pytest.raises(Changed):
        await api.delete(CONFIG_MAP, namespace, "one", uid="00000000-0000-0000-0000-000000000000")
    assert await live(api, namespace) == made
    assert await api.delete(CONFIG_MAP, namespace, "one", uid=made["metadata"]["uid"])
    assert await api.get(CONFIG_MAP, namespace, "one") is None
    assert not await api.delete(CONFIG_MAP, namespace, "one", uid=made["metadata"]["uid"])


@promise
async def a_finalizer_holds_a_deleted_object(api: ClusterApi, namespace: str) -> None:
    held = config_map(namespace, k="1")
    held["metadata"]["finalizers"] = ["suite.argosy.dev/hold"]
    made = await api.apply(held)
    assert await api.delete(CONFIG_MAP, namespace, "one", uid=made["metadata"]["uid"])
    assert (await live(api, namespace))["metadata"]["deletionTimestamp"]
    await api.apply(config_map(namespace, k="1"))
    assert await api.get(CONFIG_MAP, namespace, "one") is None


@promise
async def a_missing_namespace_is_named(api: ClusterApi, namespace: str) -> None:
    with pytest.raises(NamespaceMissing):
        await api.apply(config_map(f"{namespace}-nowhere", k="1"))


@promise
async def what_can_never_be_accepted_is_refused(api: ClusterApi, namespace: str) -> None:
    with pytest.raises(Refused):
        await api.apply(config_map(namespace, "Bad_Name", k="1"))
    with pytest.raises(Refused):
        await api.apply({**config_map(namespace), "data": "text"})
    with pytest.raises(Refused):
        await api.apply(deployment(namespace, {"name": "a", "image": "a:1"}, replicas="three"))


@promise
async def lists_select_and_page(api: ClusterApi, namespace: str) -> None:
    for number in range(5):
        await api.apply(config_map(namespace, f"m{number}", {"half": str(number % 2)}, k="1"))
    names: list[str] = []
    more = ""
    for _ in range(3):
        page = await api.list(CONFIG_MAP, namespace=namespace, selector="half", limit=2, more=more)
        names += [item["metadata"]["name"] for item in page.items]
        more = page.more
    assert (names, more) == ([f"m{number}" for number in range(5)], "")
    assert page.items[0]["kind"] == "ConfigMap"
    plain = await api.list(CONFIG_MAP, namespace=namespace, selector="half=0", metadata=True)
    for item in plain.items:
        assert (set(item), item["kind"]) == ({"apiVersion", "kind", "metadata"}, "ConfigMap")
        assert item["metadata"]["labels"]["half"] == "0"
    assert plain.items
    even = await api.list(CONFIG_MAP, namespace=namespace, selector="half=0")
    assert len(even.items) == 3


@promise
async def a_watch_begins_with_all_there_is_and_loses_nothing(api: ClusterApi, namespace: str) -> None:
    await api.apply(config_map(namespace, "old", k="1"))
    async with listening(api.watch(CONFIG_MAP, namespace=namespace)) as watch:
        first = await watch.until(lambda events: any(event.listed for event in events))
        assert ("ADDED", "old") in told(first)
        for number in range(15):
            await api.apply(config_map(namespace, k=str(number)))
        made = await live(api, namespace)
        await api.delete(CONFIG_MAP, namespace, "one", uid=made["metadata"]["uid"])
        events = await watch.until(lambda events: ("DELETED", "one") in told(events))
    mine = [event for event in events if event.object.get("metadata", {}).get("name") == "one"]
    assert [event.type for event in mine] == ["ADDED", *["MODIFIED"] * 14, "DELETED"]
    assert [event.object["data"]["k"] for event in mine[:-1]] == [str(number) for number in range(15)]
    assert mine[-2].resource_version == version(made)


@promise
async def a_watch_goes_on_from_a_version(api: ClusterApi, namespace: str) -> None:
    made = await api.apply(config_map(namespace, k="1"))
    await api.apply(config_map(namespace, k="2"))
    await api.apply(config_map(namespace, "two", k="1"))
    stream = api.watch(CONFIG_MAP, namespace=namespace, resource_version=version(made))
    async with listening(stream) as watch:
        events = await watch.until(lambda events: len(told(events)) >= 2)
    assert told(events)[:2] == [("MODIFIED", "one"), ("ADDED", "two")]


@promise
async def a_watch_with_a_selector_tells_who_comes_and_goes(api: ClusterApi, namespace: str) -> None:
    await api.apply(config_map(namespace, "out", {"l": "no"}, k="1"))
    stream = api.watch(CONFIG_MAP, namespace=namespace, selector="l=yes")
    async with listening(stream) as watch:
        await watch.until(lambda events: any(event.listed for event in events))
        await api.apply(config_map(namespace, "out", {"l": "no"}, k="2"))
        await api.apply(config_map(namespace, "in", {"l": "yes"}, k="1"))
        await api.apply(config_map(namespace, "in", {"l": "no"}, k="1"))
        events = await watch.until(lambda events: ("DELETED", "in") in told(events))
    assert told(events) == [("ADDED", "in"), ("DELETED", "in")]


@promise
async def a_new_kind_can_be_used_once_it_is_established(api: ClusterApi, namespace: str) -> None:
    schema = {
        "type": "object",
        "properties": {"spec": {"type": "object", "properties": {"size": {"type": "integer"}}}},
    }
    crd = {
        "apiVersion": CRD.api_version,
        "kind": CRD.kind,
        "metadata": {"name": "widgets.suite.argosy.dev"},
        "spec": {
            "group": WIDGET.group,
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
            "versions": [
                {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
            ],
        },
    }
    widget = {
        "apiVersion": WIDGET.api_version,
        "kind": WIDGET.kind,
        "metadata": {"name": "w", "namespace": namespace},
        "spec": {"size": 3},
    }
    await api.apply(crd)
    made: Manifest = {}
    for _ in range(1200):
        try:
            await api.kinds(refresh=True)
            made = await api.apply(widget)
            break
        except KindMissing:
            await asyncio.sleep(0.05)
    assert made.get("spec") == {"size": 3}
    assert WIDGET in await api.kinds()
    assert await api.get(WIDGET, namespace, "w") == made


@promise
async def many_calls_may_run_at_once(api: ClusterApi, namespace: str) -> None:
    made = await asyncio.gather(
        *(api.apply(config_map(namespace, f"m{number}", k="1")) for number in range(40))
    )
    assert len({item["metadata"]["uid"] for item in made}) == 40
    page = await api.list(CONFIG_MAP, namespace=namespace)
    assert {item["metadata"]["name"] for item in page.items} >= {f"m{number}" for number in range(40)}


@promise
async def what_is_created_is_there_and_created_once(api: ClusterApi, namespace: str) -> None:
    wanted = config_map(namespace, k="1")
    await api.create(wanted, dry_run=True)
    assert await api.get(CONFIG_MAP, namespace, "one") is None
    made = await api.create(wanted)
    assert await live(api, namespace) == made
    with pytest.raises(Changed):
        await api.create(wanted)
    with pytest.raises(NamespaceMissing):
        await api.create(config_map("nowhere", k="1"))


@promise
async def an_update_replaces_the_object_it_names(api: ClusterApi, namespace: str) -> None:
    made = await api.create(config_map(namespace, k="1", old="x"))
    wanted = {**made, "data": {"k": "2"}}
    dry = await api.update(wanted, dry_run=True)
    assert dry["data"] == {"k": "2"}
    assert await live(api, namespace) == made
    await api.update(wanted)
    assert (await live(api, namespace))["data"] == {"k": "2"}
    assert (await live(api, namespace))["metadata"]["uid"] == made["metadata"]["uid"]
    with pytest.raises(Changed):
        await api.update(wanted)


@promise
async def an_update_of_what_is_gone_changed(api: ClusterApi, namespace: str) -> None:
    made = await api.create(config_map(namespace, k="1"))
    await api.delete(CONFIG_MAP, namespace, "one", uid=made["metadata"]["uid"])
    with pytest.raises(Changed):
        await api.update({**made, "data": {"k": "2"}})
    assert await api.get(CONFIG_MAP, namespace, "one") is None


@promise
async def unknown_fields_are_refused_unless_validation_is_off(api: ClusterApi, namespace: str) -> None:
    wanted: Manifest = {**config_map(namespace, k="1"), "datas": {"k": "1"}}
    with pytest.raises(Refused):
        await api.create(wanted)
    assert "datas" not in await api.create(wanted, validate=False)


@promise
async def an_immutable_change_is_refused_as_invalid(api: ClusterApi, namespace: str) -> None:
    frozen = {**config_map(namespace, k="1"), "immutable": True}
    await api.apply(frozen)
    for dry_run in (True, False):
        with pytest.raises(Refused) as refused:
            await api.apply({**frozen, "data": {"k": "2"}}, dry_run=dry_run)
        assert refused.value.reason == "Invalid"
