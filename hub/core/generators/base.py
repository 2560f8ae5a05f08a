"""What every generator is given, and what it may say.

A generator is a function from its spec and a `Context` to parameter sets. It asks for inputs through
`Sources`; an input that nobody has fetched yet becomes a request, and the evaluation is repeated once the
answer is there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from argosy.objects import Manifest
from hub.core.params import Params
from hub.core.template.base import Engine
from hub.core.tree import Tree
from hub.core.types import Answer, ClusterFacts, Failed, Partial


class GeneratorFailed(Exception):
    """A generator cannot produce its parameters; the whole set stays as it is."""

    def __init__(self, message: str, path: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = path


class NotYet(Exception):
    """An input was asked for that has not been fetched; the request is on record."""


@dataclass(frozen=True, slots=True)
class TreeRequest:
    """The files of a repository (git or `oci://`) at a revision; answered with a `Tree`."""

    repo_url: str
    revision: str
    project: str = ""


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A question to an SCM provider, a pull request provider or a plugin; answered with a list of JSON
    objects.

    `kind` is "scmProvider", "pullRequest" or "plugin"; `spec` is the generator's spec in canonical JSON.
    `namespace` is where referred Secrets and ConfigMaps are looked up, `appset` is the set's name (plugins
    are told).
    """

    kind: str
    spec: str
    namespace: str
    appset: str


Request: TypeAlias = TreeRequest | ProviderRequest


class Sources(Protocol):
    """The world as of now. Everything is answered from memory; None means that a request must be fetched
    first.
    """

    def clusters(self) -> Sequence[ClusterFacts]: ...

    def tree(self, request: TreeRequest) -> Answer[Tree] | None: ...

    def provided(self, request: ProviderRequest) -> Answer[Sequence[Mapping[str, Any]]] | None: ...

    def objects(self, group: str, resource: str, namespace: str) -> Sequence[Manifest]:
        """All objects of a resource (plural, lower case: "configmaps") in a namespace, in name order."""
        ...


@dataclass(slots=True)
class Inputs:
    """What an evaluation looked at: what may change its result."""

    clusters: bool = False
    label_keys: set[str] = field(default_factory=set)
    all_labels: bool = False
    """True where parameters hold all labels and annotations, so that any of them may matter."""
    trees: dict[TreeRequest, str] = field(default_factory=dict)
    """Request -> commit that answered it."""
    providers: set[ProviderRequest] = field(default_factory=set)
    objects: set[tuple[str, str, str]] = field(default_factory=set)
    """(group, resource, namespace) looked into."""
    requeue: int = 0
    """Seconds after which to look again, 0 for never by itself."""

    def requeue_after(self, seconds: int) -> None:
        if seconds > 0:
            self.requeue = min(self.requeue, seconds) if self.requeue else seconds


Evaluate: TypeAlias = Callable[[dict[str, Any], "Context"], list[Params]]
"""A generator: its spec (decoded) and the context -> parameter sets, fresh ones that the caller may change.
"""


@dataclass(slots=True)
class Context:
    """One evaluation of one set."""

    appset: str
    namespace: str
    """Where Secrets and ConfigMaps of generators are looked up: Argo CD's own namespace."""
    project: str
    """The template's project, "" when it is templated."""
    engine: Engine
    sources: Sources
    table: Mapping[str, Evaluate]
    strict: bool = True
    new_globbing: bool = False
    scm_providers: bool = True
    inputs: Inputs = field(default_factory=Inputs)
    wanted: list[Request] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)

    @property
    def go(self) -> bool:
        return self.engine.go

    def tree(self, request: TreeRequest) -> Tree:
        """Raises `NotYet`, or `GeneratorFailed` when the repository could not be read."""
        answer = self.sources.tree(request)
        if answer is None:
            self.wanted.append(request)
            raise NotYet
        if isinstance(answer, Failed):
            self.inputs.trees[request] = ""
            raise GeneratorFailed(answer.reason)
        self.inputs.trees[request] = answer.value.commit
        if isinstance(answer, Partial):
            self.partial.append(answer.reason)
        return answer.value

    def provided(self, request: ProviderRequest) -> Sequence[Mapping[str, Any]]:
        """Raises `NotYet`, or `GeneratorFailed` when the provider gave no usable answer."""
        self.inputs.providers.add(request)
        answer = self.sources.provided(request)
        if answer is None:
            self.wanted.append(request)
            raise NotYet
        if isinstance(answer, Failed):
            raise GeneratorFailed(answer.reason)
        if isinstance(answer, Partial):
            self.partial.append(answer.reason)
        return answer.value

    def object_named(self, group: str, resource: str, name: str) -> Manifest:
        """An object in Argo CD's namespace. Raises `GeneratorFailed` when it is not there."""
        self.inputs.objects.add((group, resource, self.namespace))
        for found in self.sources.objects(group, resource, self.namespace):
            if found.get("metadata", {}).get("name") == name:
                return found
        raise GeneratorFailed(f"{resource}.{group} {name!r} not found".replace(". ", " "))
