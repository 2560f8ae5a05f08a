"""The records that the hub's decisions are made of: plain values, no behaviour beyond construction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")

LOCAL_CLUSTER = "in-cluster"
LOCAL_SERVER = "https://kubernetes.default.svc"


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What generators and selectors may know of a cluster. `id` is immutable; all else may change.

    `labels` and `annotations` are those of Argo CD's cluster Secret, or of the `Cluster` object. `project` is "" for a
    cluster that belongs to no project.
    """

    name: str
    server: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class Complete(Generic[T]):
    """The whole truth as of `revision` (a commit, an ETag, a digest; "" where there is none)."""

    value: T
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Partial(Generic[T]):
    """Something was read, but not all of it: good enough to show, never good enough to remove by."""

    value: T
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing was read. `reason` names the input and what went wrong with it."""

    reason: str


Answer: TypeAlias = Complete[T] | Partial[T] | Failed
