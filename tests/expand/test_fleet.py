"""The label index answers what a look at every cluster would."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from argosy.errors import Invalid
from hub.core.apps import destinations
from hub.core.apps.destinations import Directory
from hub.core.fleet import Fleet
from hub.core.matching import labels
from hub.core.types import LOCAL_CLUSTER, LOCAL_SERVER, ClusterFacts

KEYS, VALUES = ["env", "tier", "a/b"], ["", "x", "y"]
LABELS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))
CLUSTERS = st.lists(
    st.builds(ClusterFacts, st.sampled_from("abcdefgh"), st.just("https://s"), LABELS), max_size=20
)
CHOSEN = st.lists(st.sampled_from(VALUES), min_size=1, max_size=2)
EXPRESSION = st.one_of(
    st.builds(
        lambda key, operator, values: {"key": key, "operator": operator, "values": values},
        st.sampled_from(KEYS),
        st.sampled_from(["In", "NotIn"]),
        CHOSEN,
    ),
    st.builds(
        lambda key, operator: {"key": key, "operator": operator},
        st.sampled_from(KEYS),
        st.sampled_from(["Exists", "DoesNotExist"]),
    ),
)
SELECTOR = st.fixed_dictionaries(
    {"matchLabels": LABELS, "matchExpressions": st.lists(EXPRESSION, max_size=3)}
)


@settings(max_examples=300, deadline=None)
@given(CLUSTERS, SELECTOR)
def test_the_index_agrees_with_looking_at_every_cluster(
    clusters: list[ClusterFacts], spec: dict[str, Any]
) -> None:
    selector = labels.compile_selector(spec, any_value=False)
    named = {cluster.name: cluster for cluster in clusters}
    wanted = [named[name] for name in sorted(named) if selector.matches(named[name].labels)]
    assert Fleet(clusters).select(selector) == wanted


def test_the_local_cluster_exists_without_being_registered() -> None:
    assert Fleet([]).servers == {LOCAL_CLUSTER: LOCAL_SERVER}
    assert Fleet([ClusterFacts("home", LOCAL_SERVER)]).servers == {"home": LOCAL_SERVER}


def test_parameters_are_what_generators_may_know() -> None:
    one = ClusterFacts(
        "a", "https://a", {"env": "x"}, {"kubectl.kubernetes.io/last-applied-configuration": "{}"}
    )
    assert Fleet([one]).params([one], True) == [
        {
            "name": "a",
            "nameNormalized": "a",
            "server": "https://a",
            "project": "",
            "metadata": {"labels": {"env": "x"}, "annotations": {}},
        }
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["https://1", "https://1/", "https://2"])),
        max_size=5,
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "name": st.sampled_from("abcde"),
            "server": st.sampled_from(["https://1/", "https://2", ""]),
        },
    ),
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["https://1", "https://2/"])),
)
def test_whose_destination_a_cluster_changes_is_aimed_at_it(
    before: list[tuple[str, str]], destination: dict[str, str], joins: tuple[str, str]
) -> None:
    """A destination means another cluster only where a cluster moved that it names."""
    facts = [ClusterFacts(name, server, {}, id=f"{name} {server}") for name, server in dict(before).items()]
    new = ClusterFacts(*joins, {}, id="new")
    found = []
    for clusters in (facts, [*facts, new]):
        try:
            found.append(destinations.resolve(destination, Directory(clusters)).id)
        except Invalid:
            found.append("")
    if found[0] != found[1]:
        assert destinations.aimed_at(destination) & set(destinations.places(new))
