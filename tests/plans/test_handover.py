"""Who has which Application afterwards, by the rules that the expander writes by."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from argosy.objects import Manifest
from hub.core.appsets import generated
from hub.core.removals import handover
from hub.core.removals.handover import Planned


def appset(name: str, *, going: bool = False) -> Manifest:
    metadata = {"name": name, "uid": f"uid-{name}"} | ({"deletionTimestamp": "now"} if going else {})
    return {"apiVersion": "argoproj.io/v1alpha1", "kind": "ApplicationSet", "metadata": metadata, "spec": {}}


def app(name: str, owner: str = "", *, going: bool = False) -> Manifest:
    metadata = {"name": name} | ({"deletionTimestamp": "now"} if going else {})
    if owner:
        metadata["ownerReferences"] = [generated.owner_reference(appset(owner))]  # type: ignore[assignment]
    return {"metadata": metadata, "spec": {}}


def planned(name: str, live: set[str], wanted: set[str], **how: bool) -> Planned:
    return Planned(appset(name), {one: app(one, name) for one in live}, wanted, wanted, **how)


def test_what_a_set_lets_go_another_one_takes_and_no_third() -> None:
    old, new, late = (
        planned("old", {"a", "b"}, {"b"}),
        planned("new", set(), {"a", "b"}),
        planned("z", set(), {"a"}),
    )
    hands = handover.between([late, old, new], {"a": app("a", "old"), "b": app("b", "old")}, {})
    assert hands.taken == {"new": {"a": "old"}}
    assert hands.given == {"old": {"a"}}
    assert hands.foreign == {"new": {"b": "uid-old"}, "z": {"a": "uid-old"}}


def test_what_is_not_read_whole_lets_nothing_go_and_what_is_deleted_lets_all_go() -> None:
    lives = {"a": app("a", "old")}
    new = planned("new", set(), {"a"})
    assert handover.between([planned("old", {"a"}, set(), whole=False), new], lives, {}).taken == {}
    assert handover.between([planned("old", {"a"}, {"a"}, deleting=True), new], lives, {}).given == {
        "old": {"a"}
    }


def test_what_goes_already_is_nobodys_to_take() -> None:
    lives = {"a": app("a", "old", going=True)}
    for owners in ({"uid-old": appset("old", going=True)}, {"uid-old": None}):
        assert handover.between([planned("new", set(), {"a"})], lives, owners).taken == {}


def test_what_a_set_outside_of_the_plan_has_moves_only_where_that_is_gone_or_going() -> None:
    lives, new = {"a": app("a", "old")}, [planned("new", set(), {"a"})]
    assert handover.between(new, lives, {"uid-old": appset("old")}).foreign == {"new": {"a": "uid-old"}}
    assert handover.between(new, lives, {"uid-old": appset("old", going=True)}).taken == {"new": {"a": "old"}}
    assert handover.between(new, lives, {"uid-old": None}).taken == {"new": {"a": ""}}
    assert handover.between(new, {"a": app("a")}, {}).taken == {"new": {"a": ""}}


NAMES = st.sets(st.sampled_from("abcd"))


@given(st.lists(st.tuples(NAMES, NAMES, st.booleans(), st.booleans()), min_size=1, max_size=4))
def test_every_application_has_one_owner_afterwards(
    sets: list[tuple[set[str], set[str], bool, bool]],
) -> None:
    free, every, lives = set("abcd"), [], {}
    for at, (live, wanted, whole, deleting) in enumerate(sets):
        mine = live & free
        free -= mine
        lives |= {name: app(name, f"s{at}") for name in mine}
        every.append(planned(f"s{at}", mine, wanted, whole=whole, deleting=deleting))
    hands = handover.between(every, lives, {})
    moved = [name for names in hands.taken.values() for name in names]
    assert len(moved) == len(set(moved))
    assert set(moved) == {name for names in hands.given.values() for name in names}
    for one in every:
        assert one.live.keys() >= set(hands.given.get(one.name, ()))
        # Nobody loses what it goes on wanting, and whoever is deleted gets nothing.
        assert one.deleting or set(hands.given.get(one.name, ())).isdisjoint(one.wanted)
        assert not (one.deleting and hands.taken.get(one.name))
