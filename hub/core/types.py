"""The records that the hub's decisions are made of: plain values, no behaviour beyond construction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeAlias, TypeVar

T = TypeVar("T")

NAMESPACE = "argocd"
"""Where Argo CD's objects live unless they say otherwise, and what exists from the first start."""
LOCAL_CLUSTER = "in-cluster"
LOCAL_SERVER = "https://kubernetes.default.svc"


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """What generators and selectors may know of a cluster. `id` is immutable; all else may change.

    `labels` and `annotations` are those of Argo CD's cluster Secret, or of the `Cluster` object. `project`
    is "" for a cluster that belongs to no project. `time_zone` is an IANA name, "" for UTC.
    """

    name: str
    server: str
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    project: str = ""
    id: str = ""
    time_zone: str = ""


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


@dataclass(frozen=True, slots=True)
class SetProblem:
    """A user's mistake in an ApplicationSet, or an input that could not be read.

    `reason` is Argo CD's condition reason; `where` names generator and field ("spec.generators[0].git");
    `app` is the generated Application concerned, "" when it is the whole set or has no name.
    """

    reason: str
    where: str
    message: str
    app: str = ""

    def __str__(self) -> str:
        who = f"application {self.app}: " if self.app else ""
        return f"{who}{self.where}: {self.message}" if self.where else f"{who}{self.message}"


GENERATION_FAILED = "ApplicationGenerationFromParamsError"
RENDER_FAILED = "RenderTemplateParamsError"
VALIDATION_FAILED = "ApplicationValidationError"
