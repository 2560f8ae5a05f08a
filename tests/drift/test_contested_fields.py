"""Who gives way: ours is taken back, foreign is not taken, and nobody fights for ever."""

from __future__ import annotations

from agent.core import contested
from agent.core.contested import Claim

HPA = Claim("hpa", ".spec.replicas")


def ours(_: str) -> bool:
    return True


def test_three_corrections_in_ten_minutes_are_enough() -> None:
    record: contested.Corrections = {}
    for time in (0.0, 299.0, 599.0):
        assert contested.answer([HPA], record, ours=ours).taken == (HPA,)
        record = contested.recorded(record, [HPA], time)
    assert contested.answer([HPA], record, ours=ours).left == (HPA,)


def test_slow_corrections_go_on() -> None:
    record: contested.Corrections = {}
    for number in range(20):
        assert contested.answer([HPA], record, ours=ours).taken == (HPA,)
        record = contested.recorded(record, [HPA], number * 301.0)


def test_fields_and_managers_are_counted_apart() -> None:
    record = contested.recorded({}, [HPA, Claim("kubectl", ".spec.replicas"), Claim("hpa", ".spec.x")], 0.0)
    record = contested.recorded(record, [HPA], 1.0)
    record = contested.recorded(record, [HPA], 2.0)
    answer = contested.answer([HPA, Claim("kubectl", ".spec.replicas")], record, ours=ours)
    assert answer.left == (HPA,)
    assert answer.taken == (Claim("kubectl", ".spec.replicas"),)


def test_first_contact_is_foreign_and_ignored_managers_are_let_be() -> None:
    answer = contested.answer(
        [HPA, Claim("istio", ".data.x")], {}, ours=lambda _: False, yielding=frozenset({"istio"})
    )
    assert answer.foreign == (HPA,)
    assert answer.left == (Claim("istio", ".data.x"),)


def test_the_message_names_manager_and_fields() -> None:
    text = contested.describe([Claim("b", ".z"), Claim("a", ".y"), Claim("b", ".x")])
    assert text == '"a" owns .y; "b" owns .x, .z'
