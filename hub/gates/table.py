"""All gates that are asked: one row each."""

from __future__ import annotations

from collections.abc import Mapping

from hub.core.rollout.model import GateKind
from hub.gates import http, objects, prometheus
from hub.gates.base import Ask

GATES: Mapping[GateKind, Ask] = {
    GateKind.HTTP: http.ask,
    GateKind.PROMETHEUS: prometheus.ask,
    GateKind.OBJECT: objects.ask,
}
