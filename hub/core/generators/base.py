"""What every generator is given, and what it may say.

A generator is a function from its spec and a `Context` to parameter sets. It asks for inputs through
`Sources`; an input that nobody has fetched yet becomes a request, and the evaluation is repeated once the
answer is there.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from argosy.objects import Manifest
from hub.core.matching.labels import Selector
from hub.core.memo import Memo
from hub.core.template.base import Engine
from hub.core.template.params import Params
from hub.core.tree import Tree
from hub.core.types import Answer, ClusterFacts, Failed, Partial

T = TypeVar("T")


MAX_SETS = 20_000
"""Parameter sets that one generator may make, and applications of one set, unless the set says otherwise."""
LIMIT_ANNOTATION = "argosy.dev/max-applications"


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
    """A question to a plugin or to a provider of repositories or pull requests; answered with JSON objects.

    `kind` is "plugin", "scmProvider" or "pullRequest"; `spec` is what to ask, as canonical JSON. `secrets`
    are pairs of a dotted field of the spec ("github.tokenRef") and the text it refers to.
    """

    kind: str
    spec: str
    secrets: tuple[tuple[str, str], ...] = field(default=(), repr=False)


Request: TypeAlias = TreeRequest | ProviderRequest


class Look(Protocol):
    """A question to a tree: a hashable value of its own. `folder` is where all that it may find is; "" is the root."""

    @property
    def folder(self) -> str: ...

    def __call__(self, tree: Tree) -> Hashable:
        """What there is to be found: equal answers are equal parameters."""
        ...

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look found, and the id of its folder then; `links`: with symbolic links, content may lie elsewhere."""

    answer: Hashable
    folder: str | None
    links: bool


def look_at(look: Look, tree: Tree) -> Seen:
    return Seen(look(tree), tree.tree_id(look.folder), bool(tree.symlinks()))


def looks_same(look: Look, seen: Seen, tree: Tree) -> bool:
    """True where a look at another commit finds what it found before. Raises as the look does."""
    if not seen.links and not tree.symlinks() and tree.tree_id(look.folder) == seen.folder:
        return True
    return look(tree) == seen.answer


class Sources(Protocol):
    """The world as of now. Everything is answered from memory; None means that a request must be fetched
    first.
    """

    def clusters(self) -> Iterable[ClusterFacts]: ...

    def tree(self, request: TreeRequest) -> Answer[Tree] | None: ...

    def provided(self, request: ProviderRequest) -> Answer[Sequence[Mapping[str, Any]]] | None: ...

    def objects(self, group: str, resource: str, namespace: str) -> Sequence[Manifest]:
        """All objects of a resource (plural, lower case: "configmaps") in a namespace, in name order."""
        ...


@dataclass(slots=True)
class Inputs:
    """What an evaluation looked at: what may change its result."""

    clusters: bool = False
    selectors: set[Selector] = field(default_factory=set)
    """Clusters that none of them picks do not matter."""
    every_name: bool = False
    """True where the name and the server of any cluster matter."""
    label_keys: set[str] = field(default_factory=set)
    """Labels, and annotations, of clusters that selectors and templates mention."""
    all_labels: bool = False
    """True where any label or annotation of a selected cluster may matter."""
    trees: dict[TreeRequest, str] = field(default_factory=dict)
    """Request -> commit that answered it."""
    looks: dict[tuple[TreeRequest, Look], Seen] = field(default_factory=dict)
    """What was looked for in a tree, and what was found: another commit with the same answers changes nothing."""
    providers: set[ProviderRequest] = field(default_factory=set)
    objects: set[tuple[str, str, str]] = field(default_factory=set)
    """(group, resource, namespace) looked into."""
    requeue: int = 0
    """Seconds after which to look again, 0 for never by itself."""

    def requeue_after(self, seconds: int) -> None:
        if seconds > 0:
            self.requeue = min(self.requeue, seconds) if self.requeue else seconds


Evaluate: TypeAlias = Callable[[dict[str, Any], "Context"], list[Params]]
"""A generator: its spec (decoded) and the context -> parameter sets, shared ones that nobody may change. What an earlier
evaluation made, and what is the same now, is the same object again.
"""


@dataclass(slots=True)
class Context:
    """One evaluation of one set."""

    appset: str
    namespace: str
    """Argo CD's own: where the ConfigMaps of plugins and cluster decisions and their Secrets are."""
    set_namespace: str
    """The set's own: where the Secrets that it refers to are."""
    project: str
    """The template's project, "" when it is templated."""
    engine: Engine
    sources: Sources
    table: Mapping[str, Evaluate]
    strict: bool = True
    allowed_providers: tuple[str, ...] = ()
    limit: int = MAX_SETS
    memo: Memo = field(default_factory=Memo)
    inputs: Inputs = field(default_factory=Inputs)
    wanted: list[Request] = field(default_factory=list)
    partial: list[str] = field(default_factory=list)

    @property
    def go(self) -> bool:
        return self.engine.go

    def count(self, number: int, path: str) -> None:
        """Raises `GeneratorFailed` where something would generate more than is accepted, before it does."""
        if number > self.limit:
            raise GeneratorFailed(
                f"would generate {number} parameter sets or more, at most {self.limit} are accepted: "
                f"narrow a selector, or raise the set's annotation {LIMIT_ANNOTATION}",
                path,
            )

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

    def look(self, request: TreeRequest, look: Callable[[Tree], T], tree: Tree) -> T:
        """Asks a tree, and keeps the answer beside the question."""
        question = cast("Look", look)
        seen = self.inputs.looks[request, question] = look_at(question, tree)
        return cast(T, seen.answer)

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

    def objects(self, group: str, resource: str, namespace: str) -> Sequence[Manifest]:
        self.inputs.objects.add((group, resource, namespace))
        return self.sources.objects(group, resource, namespace)

    def config_map(self, name: str, namespace: str) -> dict[str, str]:
        """The data of a ConfigMap. Raises `GeneratorFailed` when it is not there."""
        found = self._named("configmaps", name, namespace)
        return {key: str(text) for key, text in (found.get("data") or {}).items()}

    def secret_texts(self, name: str, namespace: str) -> dict[str, str]:
        """All texts of a Secret. Raises `GeneratorFailed` when it is not there."""
        return secret_texts(self._named("secrets", name, namespace))

    def secret(self, name: str, key: str, namespace: str) -> str:
        """One text of a Secret. Raises `GeneratorFailed` when it is not there."""
        texts = self.secret_texts(name, namespace)
        if key not in texts:
            raise GeneratorFailed(f"key {key!r} in secret {name!r} not found")
        return texts[key]

    def _named(self, resource: str, name: str, namespace: str) -> Manifest:
        for found in self.objects("", resource, namespace):
            if found.get("metadata", {}).get("name") == name:
                return found
        raise GeneratorFailed(f"{resource} {name!r} not found in namespace {namespace!r}")


def secret_texts(secret: Manifest) -> dict[str, str]:
    """`data` (base64) and `stringData` of a Secret. Raises `GeneratorFailed` for data that is not base64."""
    texts = {}
    for key, encoded in (secret.get("data") or {}).items():
        try:
            texts[key] = base64.b64decode(str(encoded), validate=True).decode("utf-8")
        except ValueError:
            name = (secret.get("metadata") or {}).get("name")
            raise GeneratorFailed(f"secret {name!r}: data.{key} is not base64 of text") from None
    return {**texts, **{key: str(text) for key, text in (secret.get("stringData") or {}).items()}}
