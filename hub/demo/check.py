"""Is the fleet as it must be? Pure: what is there against what must be, every difference in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from argosy import objects
from argosy.objects import Manifest, ObjectKey
from hub.cli import states
from hub.demo.content import Objects
from hub.demo.display import Fleet

_STARTED = ("Moving", "Soaking", "Done")
GREETING = ObjectKey("", "ConfigMap", "web", "web-settings")


def applications(apps: Sequence[Manifest], expected: Collection[str]) -> list[str]:
    """What is wrong with the hub's Applications: one too many or missing, not Synced, not Healthy."""
    found = {str(app["metadata"]["name"]): states.app_state(app, {}) for app in apps}
    wrong = [f"application {name} is missing" for name in sorted(set(expected) - set(found))]
    wrong += [f"application {name} should be gone" for name in sorted(set(found) - set(expected))]
    wrong += [
        f"application {name} is {app.sync}, {app.health}{f' ({app.trouble})' if app.trouble else ''}"
        for name, app in sorted(found.items())
        if name in expected and not app.done
    ]
    return wrong


def behind(apps: Sequence[Manifest], commit: str) -> list[str]:
    """The web applications, which the second commit changes, that are not at it yet."""
    found = [states.app_state(app, {}) for app in apps]
    return [
        f"application {app.name} is at {app.revision[:7] or 'nothing'}"
        for app in found
        if app.name.startswith("web-") and app.revision != commit
    ]


def not_ready(clusters: Sequence[Manifest]) -> list[str]:
    """The clusters whose agent is not connected."""
    found = {str(item["metadata"]["name"]): states.cluster_state(item) for item in clusters}
    return [f"cluster {name} is {state}: {why}" for name, (state, why) in found.items() if state != "Ready"]


def offline(clusters: Sequence[Manifest]) -> list[str]:
    """The names of the clusters whose agent went away."""
    return [str(item["metadata"]["name"]) for item in clusters if states.cluster_state(item)[0] == "offline"]


def number(rollout: Manifest) -> int:
    """Which of its set's rollouts it is."""
    tail = str(rollout["metadata"]["name"]).rpartition("-")[2]
    return int(tail) if tail.isdecimal() else 0


def order(rollout: Manifest, first: str, then: str) -> list[str]:
    """What is wrong with the order of two stages: a member of the later one that began before the earlier was done."""
    members = (rollout.get("status") or {}).get("members") or ()
    earlier = [str(one["since"]) for one in members if one["stage"] == first]
    later = [str(one["since"]) for one in members if one["stage"] == then and one["state"] in _STARTED]
    if not earlier or not later:
        return [f"rollout {rollout['metadata']['name']}: stages {first} and {then} are not both there"]
    return [] if max(earlier) <= min(later) else [f"stage {then} began before stage {first} was done"]


def fleet(clusters: Sequence[Manifest], apps: Sequence[Manifest]) -> Fleet:
    """What a display shows: each cluster with its state and its applications, by name."""
    servers = states.names_by_server(list(clusters))
    found = sorted((states.app_state(app, servers) for app in apps), key=lambda app: app.name)
    return {
        name: (states.cluster_state(item)[0], [app for app in found if app.cluster == name])
        for name, item in sorted((str(item["metadata"]["name"]), item) for item in clusters)
    }


def cluster(name: str, held: Iterable[Manifest], expected: Objects, namespaces: Collection[str]) -> list[str]:
    """What is wrong with the objects of one cluster in the demo's namespaces, by exact counts."""
    found: Mapping[ObjectKey, Manifest] = {
        objects.key_of(item): item for item in held if item["metadata"].get("namespace") in namespaces
    }
    wrong = [f"{name}: {key} is missing" for key in sorted(expected.keys - set(found))]
    wrong += [f"{name}: {key} should not be there" for key in sorted(set(found) - expected.keys)]
    greeting = (found.get(GREETING) or {}).get("data", {}).get("greeting")
    if greeting != expected.greeting:
        wrong.append(f'{name}: the web app says "{greeting}" and not "{expected.greeting}"')
    return wrong
