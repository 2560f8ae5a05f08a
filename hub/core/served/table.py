"""All kinds that the hub's API serves: one row each."""

from __future__ import annotations

from hub.core.served.argo import APP_PROJECT, APPLICATION, APPLICATION_SET
from hub.core.served.base import Served
from hub.core.served.basic import CONFIG_MAP, EVENT, NAMESPACE, SECRET
from hub.core.served.fleet import CLUSTER, JOIN_TOKEN, RELEASE
from hub.core.served.freezes import FREEZE, OVERRIDE
from hub.core.served.removals import REMOVAL
from hub.core.served.rollouts import ROLLOUT, ROLLOUT_POLICY
from hub.core.served.tokens import API_TOKEN

SERVED: tuple[Served, ...] = (
    NAMESPACE,
    CONFIG_MAP,
    SECRET,
    EVENT,
    APPLICATION,
    APPLICATION_SET,
    APP_PROJECT,
    CLUSTER,
    JOIN_TOKEN,
    RELEASE,
    FREEZE,
    OVERRIDE,
    REMOVAL,
    ROLLOUT,
    ROLLOUT_POLICY,
    API_TOKEN,
)

BY_RESOURCE = {served.resource: served for served in SERVED}
"""By the store's name, `argoproj.io/applications`."""
BY_PATH = {(served.kind.group, served.kind.version, served.kind.plural): served for served in SERVED}
"""By the URL's parts."""

__all__ = [
    "API_TOKEN",
    "APPLICATION",
    "APPLICATION_SET",
    "APP_PROJECT",
    "BY_PATH",
    "BY_RESOURCE",
    "CLUSTER",
    "CONFIG_MAP",
    "EVENT",
    "FREEZE",
    "JOIN_TOKEN",
    "NAMESPACE",
    "OVERRIDE",
    "RELEASE",
    "REMOVAL",
    "ROLLOUT",
    "ROLLOUT_POLICY",
    "SECRET",
    "SERVED",
]
