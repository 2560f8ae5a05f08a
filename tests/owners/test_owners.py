"""An object that two applications of one cluster want is known to both, and forgotten when one lets go."""

from __future__ import annotations

import random

from argosy.objects import ObjectKey
from hub.core.apps import owners
from hub.core.apps.owners import Owners


def keys(*names: str) -> tuple[ObjectKey, ...]:
    return tuple(ObjectKey("", "ConfigMap", "ns", name) for name in names)


def test_both_learn_of_it_and_of_its_end() -> None:
    claims = Owners()
    assert claims.claim("a", "red", keys("x", "y")) == set()
    assert claims.claim("b", "red", keys("y", "z")) == {"a"}
    assert claims.shared("a") == [(keys("y")[0], ("b",))]
    assert claims.shared("b") == [(keys("y")[0], ("a",))]
    assert claims.claim("b", "red", keys("y", "z")) == set()
    assert claims.claim("c", "red", keys("y")) == {"a", "b"}
    assert claims.claim("b", "red", keys("z")) == {"a", "c"}
    assert claims.leave("c") == {"a"}
    assert claims.shared("a") == claims.shared("b") == claims.shared("c") == []


def test_clusters_are_apart() -> None:
    claims = Owners()
    claims.claim("a", "red", keys("x"))
    assert claims.claim("b", "blue", keys("x")) == set()
    assert claims.claim("b", "red", keys("x")) == {"a"}
    assert claims.claim("b", "", keys("x")) == {"a"}


def test_words() -> None:
    found = [(key, ("b",)) for key in keys(*"uvwxyz")]
    assert owners.message(found[:1], "a") == "ConfigMap/u is part of applications a and b"
    assert owners.message(found, "a").endswith("ConfigMap/y is part of applications a and b; and 1 more")
    assert owners.message([], "a") == ""


def test_any_history_gives_what_a_comparison_of_all_gives() -> None:
    chance = random.Random(7)
    claims, held = Owners(), dict[str, tuple[str, tuple[ObjectKey, ...]]]()
    for _ in range(2000):
        app, cluster = f"app{chance.randrange(6)}", chance.choice(("red", "blue", ""))
        wanted = keys(*chance.sample("uvwxyz", chance.randrange(4)))
        before = {other: claims.shared(other) for other in held}
        told = claims.claim(app, cluster, wanted)
        held[app] = (cluster, wanted)
        for one, (place, own) in held.items():
            expected = [
                (
                    key,
                    {
                        other
                        for other, (there, its) in held.items()
                        if other != one and there == place and key in its
                    },
                )
                for key in sorted(own if place else ())
            ]
            found = [(key, set(others)) for key, others in claims.shared(one)]
            assert found == [(key, others) for key, others in expected if others]
            if one != app:
                assert (claims.shared(one) != before.get(one, [])) <= (one in told)
