"""What the demo's repository holds, what its second commit changes, and what clusters must hold after
each."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable

from argosy import yamlio
from argosy.objects import Manifest, ObjectKey

SET = "fleet"
CLUSTERS: Mapping[str, Mapping[str, str]] = {
    "amsterdam": {"env": "prod", "region": "eu"},
    "boston": {"env": "prod", "region": "us"},
    "chennai": {"env": "staging", "region": "asia"},
}
OFFLINE = "boston"
"""The cluster that is away while the second commit arrives."""


@dataclass(frozen=True, slots=True)
class Objects:
    """What one cluster must hold of the demo: keys, and the greeting that the web app says."""

    keys: frozenset[ObjectKey]
    greeting: str


_KEPT = frozenset(
    {
        ObjectKey("", "ConfigMap", "web", "web-settings"),
        ObjectKey("", "Service", "web", "web"),
        ObjectKey("apps", "Deployment", "web", "web"),
        ObjectKey("", "ServiceAccount", "queue", "queue"),
        ObjectKey("", "ConfigMap", "queue", "queue-settings"),
    }
)
BEFORE = Objects(
    _KEPT | {ObjectKey("", "Service", "web", "web-old"), ObjectKey("", "ConfigMap", "banner", "banner")},
    "hello",
)
AFTER = Objects(_KEPT, "hello, fleet")

APPS_BEFORE = frozenset(f"{app}-{cluster}" for app in ("web", "queue", "banner") for cluster in CLUSTERS)
APPS_AFTER = frozenset(f"{app}-{cluster}" for app in ("web", "queue") for cluster in CLUSTERS)


def _folder() -> Traversable:
    return importlib.resources.files("hub.demo") / "fleet"


def appset(url: str) -> Manifest:
    """The set, reading from the repository at `url`."""
    text = (_folder() / "appset.yaml").read_text(encoding="utf-8").replace("REPO", url)
    return dict(yamlio.load_first(text, source="appset.yaml"))


def policy() -> Manifest:
    """How the second commit goes over the fleet."""
    text = (_folder() / "policy.yaml").read_text(encoding="utf-8")
    return dict(yamlio.load_first(text, source="policy.yaml"))


STRATEGY: Manifest = {"spec": {"strategy": {"type": "Rollout", "rollout": {"policy": "staging-first"}}}}
"""What makes the set follow the policy."""


def first_commit() -> dict[str, str]:
    """Path -> content of the repository at its first commit."""
    return dict(_files(_folder() / "apps", "apps"))


def second_commit() -> dict[str, str | None]:
    """Changes the web app's greeting, takes one of its Services out and removes the banner app."""
    files = first_commit()
    settings, kustomization = "apps/web/settings.yaml", "apps/web/kustomization.yaml"
    return {
        settings: files[settings].replace(f"greeting: {BEFORE.greeting}", f"greeting: {AFTER.greeting}"),
        kustomization: files[kustomization].replace("  - old-service.yaml\n", ""),
        "apps/web/old-service.yaml": None,
        "apps/banner/banner.yaml": None,
    }


def _files(folder: Traversable, path: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for entry in sorted(folder.iterdir(), key=lambda item: item.name):
        inside = f"{path}/{entry.name}"
        found += _files(entry, inside) if entry.is_dir() else [(inside, entry.read_text(encoding="utf-8"))]
    return found
