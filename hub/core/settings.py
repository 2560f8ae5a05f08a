"""What the ConfigMap `argocd-cm` says about rendering and health, in Argo CD's keys (3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from argosy import bundle
from argosy.annotations import INSTANCE_LABEL
from argosy.health import user
from hub.core import comparing
from hub.core.apps import finish
from hub.core.comparing import Comparing

CONFIG_MAP = "argocd-cm"


@dataclass(frozen=True, slots=True)
class Settings:
    """`wrong` says what is not understood; everything else holds all the same."""

    method: str = finish.ANNOTATION
    instance_label: str = INSTANCE_LABEL
    installation: str = ""
    build_options: str = ""
    impersonation: bool | None = None
    """`application.sync.impersonation.enabled`; None where it is not said."""
    checks: tuple[tuple[str, str], ...] = ()
    """The keys with the users' own health checks, which agents are given (`argosy.health.user.carried`)."""
    wrong: str = ""
    comparing: Comparing = comparing.NOTHING

    def target(self, namespace: str, app: str) -> finish.Target:
        return finish.Target(namespace, app, self.method, self.instance_label, self.installation)


def of(data: Mapping[str, Any]) -> Settings:
    """Reads `data` of the ConfigMap; an unknown tracking method is the default one, as in Argo CD."""
    compared, unread = comparing.of(data)
    method = str(data.get("application.resourceTrackingMethod") or "") or finish.ANNOTATION
    wrong = ""
    if method not in finish.METHODS:
        wrong = f"application.resourceTrackingMethod: {method!r} is none of {', '.join(finish.METHODS)}"
        method = finish.ANNOTATION
    return Settings(
        method=method,
        instance_label=str(data.get("application.instanceLabelKey") or "") or INSTANCE_LABEL,
        installation=str(data.get("installationID") or ""),
        build_options=str(data.get("kustomize.buildOptions") or ""),
        impersonation={"true": True, "false": False}.get(
            str(data.get("application.sync.impersonation.enabled") or "")
        ),
        checks=tuple(sorted(user.carried(data).items())),
        wrong="; ".join(filter(None, (wrong, unread))),
        comparing=compared,
    )


def packed_checks(checks: tuple[tuple[str, str], ...]) -> tuple[str, bytes]:
    """(digest, blob) of the bundle that brings the users' own health checks to agents; ("", b"") for none."""
    if not checks:
        return "", b""
    return bundle.pack(
        [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": CONFIG_MAP}, "data": dict(checks)}]
    )
