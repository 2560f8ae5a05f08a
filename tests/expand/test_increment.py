"""Evaluating only what a change concerns gives, always, what evaluating everything gives."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from argosy.objects import Manifest
from hub.core.appsets import increment, mentions
from hub.core.appsets.expand import Evaluation, Evaluator, expand
from hub.core.appsets.mentions import ALL, Mentions
from hub.core.fleet import Fleet, Move
from hub.core.generators.base import Inputs, ProviderRequest, TreeRequest
from hub.core.schema.parse import AppSet, application_set
from hub.core.tree import MemoryTree, Tree
from hub.core.types import LOCAL_SERVER, Answer, ClusterFacts, Complete, Failed, Partial

REPO = "https://git.test/fleet.git"
KEYS = ("env", "tier", "example.com/zone")


def _complete(tree: Tree, commit: str) -> Answer[Tree]:
    return Complete(tree, commit)


@dataclass
class World:
    """Everything that sets look at."""

    fleet: Fleet = field(default_factory=Fleet)
    answer: Answer[Tree] = field(default_factory=lambda: _complete(MemoryTree({}, "0"), "0"))

    def clusters(self) -> Fleet:
        return self.fleet

    def tree(self, request: TreeRequest) -> Answer[Tree]:
        return self.answer

    def provided(self, request: ProviderRequest) -> Answer[Sequence[Mapping[str, Any]]]:
        return Failed("nobody is asked here")

    def objects(self, group: str, resource: str, namespace: str) -> Sequence[Manifest]:
        return ()


@dataclass
class Kept:
    """One set as the hub's loop keeps it: evaluated only when something it looked at may answer differently."""

    appset: AppSet
    evaluator: Evaluator
    found: Evaluation | None = None
    state: object = None

    def look(self, world: World, moves: list[Move]) -> bool:
        """Evaluates where that is due; True where it did."""
        if self.found is None or self._due(self.found.inputs, world, moves):
            self.found = self.evaluator.evaluate(world)
            self.state = _state(world)
            return True
        self.state = _state(world)
        return False

    def _due(self, inputs: Inputs, world: World, moves: list[Move]) -> bool:
        if any(increment.concerns(inputs, move) for move in moves):
            return True
        if not inputs.trees or self.state == _state(world):
            return False
        if not isinstance(world.answer, Complete) or self.state[1] is not Complete:  # type: ignore[index]
            return True
        tree = world.answer.value
        return any(increment.tree_concerns(inputs, request, tree) for request in inputs.trees)


def _state(world: World) -> object:
    answer = world.answer
    return ("" if isinstance(answer, Failed) else answer.value.commit, type(answer))


GIT_FOLDERS = {"git": {"repoURL": REPO, "revision": "main", "directories": [{"path": "apps/*"}]}}
GIT_FILES = {"git": {"repoURL": REPO, "revision": "main", "files": [{"path": "apps/*/config.json"}]}}
EVERY_CLUSTER: dict[str, Any] = {"clusters": {}}
PROD = {"clusters": {"selector": {"matchLabels": {"env": "a"}}}}
NOT_B = {
    "clusters": {
        "selector": {
            "matchExpressions": [
                {"key": "env", "operator": "Exists"},
                {"key": "tier", "operator": "NotIn", "values": ["b"]},
            ]
        },
        "values": {"zone": '{{ index .metadata.labels "example.com/zone" }}'},
    }
}
GO: list[tuple[list[Any], dict[str, str]]] = [
    ([PROD], {"name": "{{.name}}"}),
    ([PROD], {"name": "{{.name}}-{{ .metadata.labels.tier }}"}),
    ([EVERY_CLUSTER], {"name": "{{.name}}", "annotations": '{{ index .metadata.annotations "note" }}'}),
    ([NOT_B], {"name": "{{.nameNormalized}}", "annotations": "{{.values.zone}}"}),
    ([EVERY_CLUSTER], {"name": "{{.name}}", "annotations": "{{ toJson .metadata }}"}),
    (
        [EVERY_CLUSTER],
        {"name": "{{.name}}", "annotations": "{{ range $k, $v := .metadata.labels }}{{$k}}{{$v}}{{ end }}"},
    ),
    (
        [{"clusters": {"flatList": True}}],
        {"name": "all", "annotations": "{{ len .clusters }}{{ toJson .clusters }}"},
    ),
    ([GIT_FOLDERS], {"name": "{{.path.basename}}"}),
    ([GIT_FILES], {"name": "{{.path.basename}}", "annotations": "{{.value}}"}),
    ([{"matrix": {"generators": [PROD, GIT_FOLDERS]}}], {"name": "{{.name}}-{{.path.basename}}"}),
    (
        [{"matrix": {"generators": [GIT_FILES, EVERY_CLUSTER]}}],
        {"name": "{{.name}}-{{.path.basename}}-{{.value}}"},
    ),
    (
        [
            {
                "matrix": {
                    "generators": [
                        GIT_FILES,
                        {
                            "clusters": {
                                "selector": {"matchLabels": {"env": "{{.value}}"}},
                                "values": {"v": "{{.text}}"},
                            }
                        },
                    ]
                }
            }
        ],
        {"name": "{{.name}}-{{.path.basename}}", "annotations": "{{.values.v}}"},
    ),
    (
        [
            {
                "merge": {
                    "mergeKeys": ["name"],
                    "generators": [EVERY_CLUSTER, {"list": {"elements": [{"name": "c1", "x": "1"}]}}],
                }
            }
        ],
        {"name": "{{.name}}", "annotations": '{{ default "none" .x }}'},
    ),
    (
        [{**EVERY_CLUSTER, "selector": {"matchLabels": {"metadata.labels.tier": "b"}}}],
        {"name": "{{.name}}"},
    ),
    ([PROD, {**EVERY_CLUSTER, "selector": {"matchLabels": {"name": "c2"}}}], {"name": "{{.name}}"}),
]
FAST: list[tuple[list[Any], dict[str, str]]] = [
    ([PROD], {"name": "{{name}}", "annotations": "{{metadata.labels.tier}}"}),
    ([EVERY_CLUSTER], {"name": "{{name}}", "annotations": "{{ metadata.labels.example.com/zone }}"}),
    ([{"matrix": {"generators": [EVERY_CLUSTER, GIT_FILES]}}], {"name": "{{name}}-{{path.basename}}"}),
    (
        [{"merge": {"mergeKeys": ["metadata.labels.env"], "generators": [EVERY_CLUSTER, PROD]}}],
        {"name": "{{name}}"},
    ),
]


def appset(generators: list[Any], texts: dict[str, str], *, go: bool) -> AppSet:
    metadata: dict[str, Any] = {"name": texts["name"]}
    if "annotations" in texts:
        metadata["annotations"] = {"shown": texts["annotations"]}
    return application_set(
        {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "ApplicationSet",
            "metadata": {"name": "fleet", "namespace": "argocd"},
            "spec": {
                "goTemplate": go,
                "generators": copy.deepcopy(generators),
                "template": {
                    "metadata": metadata,
                    "spec": {
                        "project": "default",
                        "source": {"repoURL": REPO, "path": "x", "targetRevision": "main"},
                        "destination": {"server": "{{.server}}" if go else "{{server}}", "namespace": "x"},
                    },
                },
            },
        }
    )


SETS = [appset(*one, go=True) for one in GO] + [appset(*one, go=False) for one in FAST]

names = st.sampled_from(["c1", "c2", "c3", "in-cluster"])
labels = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(["a", "b"]), max_size=3)
clusters = st.builds(
    lambda name, labels, notes, where, project: ClusterFacts(
        name,
        LOCAL_SERVER if name == "in-cluster" else f"https://{name}.{where}",
        labels,
        notes,
        project,
    ),
    names,
    labels,
    st.dictionaries(st.just("note"), st.sampled_from(["x", "y"])),
    st.sampled_from(["east", "west"]),
    st.sampled_from(["", "team"]),
)
files = st.dictionaries(
    st.sampled_from(
        ["apps/web/config.json", "apps/db/config.json", "apps/web/x", "other/config.json", "README"]
    ),
    st.sampled_from(
        [
            b'{"value": "a", "text": "t"}',
            b'{"value": "b", "text": "{{.metadata.labels.tier}}"}',
            b"[]",
            b"{",
            b"",
            None,
        ]
    ),
    max_size=3,
)
changes = st.one_of(
    st.tuples(st.just("cluster"), clusters),
    st.tuples(st.just("leave"), names),
    st.tuples(st.just("files"), files),
    st.tuples(st.just("trouble"), st.sampled_from(["partial", "failed", "healed"])),
    st.tuples(st.just("template"), st.integers(0, len(SETS) - 1)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(st.lists(changes, min_size=1, max_size=2), max_size=8))
def test_what_is_evaluated_by_need_is_what_a_full_evaluation_gives(
    steps: list[list[tuple[str, Any]]],
) -> None:
    world = World()
    state: dict[str, Any] = {"files": {}, "trouble": "healed", "number": 0}
    known: dict[str, ClusterFacts] = {}
    kept = [Kept(one, Evaluator(one)) for one in SETS]
    for step in [[], *steps]:
        moves: list[Move] = []
        for what, value in step:
            if what in ("cluster", "leave"):
                name = value if what == "leave" else value.name
                move = Move(known.pop(name, None), None if what == "leave" else value)
                if move.new is not None:
                    known[name] = move.new
                if move != Move(None, None):
                    moves.append(move)
            elif what == "template":
                kept[value] = Kept(SETS[value], Evaluator(SETS[value]))
            else:
                _write(state, what, value)
        world.fleet = world.fleet.moved(moves)
        world.answer = _answer(state)
        full = World(Fleet(known.values()), world.answer)
        for one in kept:
            one.look(world, moves)
            wanted = expand(one.appset, full)
            assert one.found is not None
            assert replace(one.found, inputs=Inputs()) == replace(wanted, inputs=Inputs())


def _write(state: dict[str, Any], what: str, value: Any) -> None:
    if what == "trouble":
        state["trouble"] = value
        return
    state["number"] += 1
    state["files"] = {path: data for path, data in {**state["files"], **value}.items() if data is not None}


def _answer(state: dict[str, Any]) -> Answer[Tree]:
    commit = str(state["number"])
    tree = MemoryTree(dict(state["files"]), commit)
    if state["trouble"] == "failed":
        return Failed("no answer")
    return Partial(tree, "no answer") if state["trouble"] == "partial" else Complete(tree, commit)


def cluster(name: str, **labels: str) -> ClusterFacts:
    return ClusterFacts(name, f"https://{name}", labels)


def test_a_label_concerns_only_the_sets_that_mention_it() -> None:
    world = World(Fleet([cluster("c1", env="a", tier="a"), cluster("c2", env="b")]))
    old = cluster("c1", env="a", tier="a")
    plain, shown = SETS[0], SETS[1]
    for one, wanted in ((plain, False), (shown, True)):
        inputs = expand(one, world).inputs
        assert increment.concerns(inputs, Move(old, cluster("c1", env="a", tier="b"))) is wanted
        assert increment.concerns(inputs, Move(old, cluster("c1", env="b", tier="a")))
        assert not increment.concerns(inputs, Move(cluster("c2", env="b"), cluster("c2", env="b", tier="a")))


def test_a_commit_elsewhere_concerns_nobody() -> None:
    tree = MemoryTree({"apps/web/config.json": b"{}", "docs/x": b"1"}, "1")
    other = MemoryTree({"apps/web/config.json": b"{}", "docs/x": b"2", "apps/web/more": b""}, "2")
    world = World(answer=Complete(tree, "1"))
    for one in (SETS[7], SETS[8]):
        inputs = expand(one, world).inputs
        (request,) = inputs.trees
        assert not increment.tree_concerns(inputs, request, other)


def test_what_did_not_change_is_the_same_object_again() -> None:
    world = World(Fleet([cluster("c1", env="a"), cluster("c2", env="a")]))
    evaluator = Evaluator(SETS[0])
    before = evaluator.evaluate(world).applications
    world.fleet = world.fleet.moved([Move(None, cluster("c0", env="a"))])
    after = evaluator.evaluate(world).applications
    assert [app["metadata"]["name"] for app in after] == ["c0", "c1", "c2"]
    assert after[1] is before[0]
    assert after[2] is before[1]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{{ .name }}", Mentions()),
        ("{{ .metadata.labels.env | lower }}", Mentions(frozenset({"env"}))),
        ('{{ index .metadata.labels "a.b/c" }}', Mentions(frozenset({"a.b/c"}))),
        ('{{ if eq (get .metadata.annotations "x") "}}" }}y{{ end }}', Mentions(frozenset({"x"}))),
        ("{{ .metadata.labels }}", ALL),
        ("{{ toJson . }}", ALL),
        ("{{ $x := .metadata }}{{ $x.labels.env }}", ALL),
        ("{{ with .metadata.labels }}{{ .env }}{{ end }}", ALL),
        ('{{ index .metadata "labels" "env" }}', ALL),
        ('{{ index .metadata.labels (printf "e%s" "nv") }}', ALL),
        ('{{ index $ "metadata" }}', ALL),
        ('{{ tpl "{{ .metadata.labels.env }}" . }}', ALL),
        ("{{ .a", ALL),
    ],
)
def test_what_a_template_mentions(text: str, wanted: Mentions) -> None:
    spec = {"goTemplate": True, "generators": [{"clusters": {}}], "template": {"metadata": {"name": text}}}
    assert mentions.of(spec) == wanted


def test_one_bad_application_of_ten_thousand_is_one_problem() -> None:
    elements = [{"name": f"app-{number}", "server": "https://x"} for number in range(10_000)]
    del elements[4_321]["server"]
    one = appset([{"list": {"elements": elements}}], {"name": "{{.name}}"}, go=True)
    one.spec["goTemplateOptions"] = ["missingkey=error"]
    found = expand(one, World())
    assert len(found.applications) == 9_999
    (problem,) = found.problems
    assert problem.app == "app-4321"
    assert "server" in problem.message
