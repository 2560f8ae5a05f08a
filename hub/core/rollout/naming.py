"""Which strategy an ApplicationSet or a lone Application names.

A set says `spec.strategy: {type: Rollout, rollout: {policy: NAME}}`, or Argo CD's `RollingSync`; the annotation
`argosy.dev/rollout-policy: NAME` is for objects that must stay valid in Argo CD, and wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.rollout import policy, rolling
from hub.core.rollout.model import SINGLE, Strategy

ANNOTATION = "argosy.dev/rollout-policy"
ROLLOUT, ROLLING_SYNC = "Rollout", "RollingSync"
SINGLE_STAGE = "Single"


@dataclass(frozen=True, slots=True)
class Source:
    """Where a strategy comes from, as it is kept with a rollout: a later change of the policy is for the next one.

    `kind` is `Rollout`, `RollingSync` or `Single`; `name` is the RolloutPolicy's; `spec` the policy's spec, or the
    set's `spec.strategy`.
    """

    kind: str = SINGLE_STAGE
    name: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict)

    def strategy(self) -> Strategy:
        """Raises `Invalid` where the spec is none."""
        if self.kind == ROLLOUT:
            return policy.parse(self.spec)
        if self.kind == ROLLING_SYNC:
            return rolling.strategy(self.spec) or SINGLE
        return SINGLE


def policy_of(owner: Manifest) -> str:
    """The name of the RolloutPolicy that an ApplicationSet or Application follows, "" for none."""
    annotated = (owner["metadata"].get("annotations") or {}).get(ANNOTATION)
    if annotated:
        return str(annotated)
    strategy = (owner.get("spec") or {}).get("strategy") or {}
    if strategy.get("type") != ROLLOUT:
        return ""
    return str((strategy.get("rollout") or {}).get("policy") or "")


def rolling_of(owner: Manifest) -> Source | None:
    """An ApplicationSet's RollingSync, None where it has none. One without steps never syncs anything in Argo CD."""
    strategy = (owner.get("spec") or {}).get("strategy") or {}
    if strategy.get("type") != ROLLING_SYNC or not rolling.strategy(strategy):
        return None
    return Source(ROLLING_SYNC, "", strategy)


def check(strategy: Mapping[str, Any]) -> None:
    """Raises `Invalid` where `spec.strategy` of a set is `Rollout` without a policy, or names one otherwise."""
    named = (strategy.get("rollout") or {}).get("policy")
    if strategy.get("type") == ROLLOUT and not named:
        raise Invalid("spec.strategy.rollout.policy: expected the name of a RolloutPolicy, found none")
    if named and strategy.get("type") != ROLLOUT:
        found = strategy.get("type") or "none"
        raise Invalid(f"spec.strategy.type: expected {ROLLOUT} together with `rollout`, found {found}")
