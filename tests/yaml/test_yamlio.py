"""YAML means what it means to kubectl, and a hostile document costs little."""

from __future__ import annotations

from typing import Any

import pytest

from argosy import gofloat, yamlio
from argosy.errors import Invalid
from argosy.yamlio import Limits

SCALARS: list[tuple[str, Any]] = [
    ("y", True),
    ("Y", True),
    ("yes", True),
    ("YES", True),
    ("on", True),
    ("On", True),
    ("true", True),
    ("TRUE", True),
    ("n", False),
    ("NO", False),
    ("off", False),
    ("False", False),
    ("tRUE", "tRUE"),
    ("yEs", "yEs"),
    ("~", None),
    ("null", None),
    ("NULL", None),
    ("nuLL", "nuLL"),
    ("12", 12),
    ("-12", -12),
    ("+5", 5),
    ("010", 8),
    ("0755", 493),
    ("0o17", 15),
    ("08", 8),
    ("0x1F", 31),
    ("-0x10", -16),
    ("0b101", 5),
    ("12_345", 12345),
    ("1_000", 1000),
    ("18446744073709551615", 18446744073709551615),
    ("18446744073709551616", 18446744073709551616.0),
    ("1.5", 1.5),
    (".5", 0.5),
    ("1.", 1),
    ("1e3", 1000),
    ("1.5e-7", 1.5e-7),
    ("1e999", "1e999"),
    ("1:30", "1:30"),
    ("12:30:45", "12:30:45"),
    ("2024-02-29", "2024-02-29"),
    ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00Z"),
    ("1.2.3", "1.2.3"),
    ("0x", "0x"),
    ("=", "="),
    ("v1", "v1"),
    ("'y'", "y"),
    ('"12"', "12"),
    ("!!str 12", "12"),
    ("!!binary aGk=", "hi"),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_reads_a_scalar_as_kubernetes_does(text: str, value: Any) -> None:
    found = yamlio.load_all(f"x: {text}", source="f.yaml")[0]["x"]
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "text", [text for text, _ in SCALARS] + ["", " a", "a ", "a: b", "#x", "- a", "[a", "l1\nl2\n", "é"]
)
def test_what_is_written_as_text_is_read_back_as_text(text: str) -> None:
    written = yamlio.dump({"k": text, text: "v"})
    assert yamlio.load_all(written, source="f.yaml") == [{"k": text, text: "v"}]


def test_keys_become_text() -> None:
    document = "1: a\n010: b\ny: c\n1.5: d\nname: e\n"
    assert yamlio.load_first(document, source="f") == {
        "1": "a",
        "8": "b",
        "true": "c",
        "1.5": "d",
        "name": "e",
    }


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "f.yaml:3: the key 'a' stands twice in one mapping"),
        ("a: [", "f.yaml:2:"),
        ("a:\n\t- b", "f.yaml:2:"),
        ("a: *x", "f.yaml:1: unknown anchor 'x'"),
        ("a: .inf", "f.yaml:1: .inf has no JSON form"),
        ("? [a]\n: 1", "f.yaml:1: a key must be a scalar, found a list"),
        ("~: 1", "f.yaml:1: a key must be a scalar, found null"),
        ("a: !!int b", "f.yaml:1: 'b' is no int"),
        ("a: \x07", "f.yaml: character #x0007 is not allowed"),
    ],
)
def test_a_mistake_is_reported_with_file_and_line(text: str, message: str) -> None:
    with pytest.raises(Invalid) as caught:
        yamlio.load_all(text, source="f.yaml")
    assert caught.value.message.startswith(message)


def test_bytes_that_are_no_text_are_reported_with_their_line() -> None:
    with pytest.raises(Invalid, match=r"f.yaml:2: not UTF-8: byte 0xff"):
        yamlio.load_all(b"a: 1\nb: \xff", source="f.yaml")


def test_a_key_that_stands_twice_may_be_noted_instead() -> None:
    notes: list[str] = []
    found = yamlio.load_all("a: 1\na: 2", source="f", duplicates="last", notes=notes)
    assert found == [{"a": 2}]
    assert notes == ["f:2: the key 'a' stands twice in one mapping; the last one counts"]


def test_merge_keys_fill_in_and_explicit_keys_win() -> None:
    document = "base: &b {x: 1, y2: 2}\nmore: &m {x: 5, z: 3}\nout:\n  <<: [*b, *m]\n  y2: 9\n"
    assert yamlio.load_first(document, source="f")["out"] == {"x": 1, "y2": 9, "z": 3}


def test_an_alias_is_a_copy() -> None:
    found = yamlio.load_first("a: &a [1]\nb: *a\n", source="f")
    found["a"].append(2)
    assert found["b"] == [1]


def test_only_the_first_document_counts_where_go_reads_only_that() -> None:
    assert yamlio.load_first("a: 1\n---\nb: [", source="f") == {"a": 1}
    assert yamlio.load_all("a: 1\n---\n---\nb: 2\n...\n", source="f") == [{"a": 1}, {"b": 2}]
    assert yamlio.load_first("", source="f") is None


def test_aliases_cannot_unfold_without_bound() -> None:
    lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
    lines += [f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]" for i in range(9)]
    with pytest.raises(Invalid, match="aliases unfold to more than 200000 values"):
        yamlio.load_all("\n".join(lines), source="f")


@pytest.mark.parametrize(
    ("text", "limits", "message"),
    [
        ("[" * 300, Limits(), "nested more than 200 levels deep"),
        ("[1,2,3,4]", Limits(values=4), "more than 4 values"),
        ("a: 12345", Limits(size=4), "8 bytes, at most 4 are read"),
    ],
)
def test_limits_hold(text: str, limits: Limits, message: str) -> None:
    with pytest.raises(Invalid, match=message):
        yamlio.load_all(text, source="f", limits=limits)


def test_writes_as_kubectl_does() -> None:
    value = {
        "b10": ["x", {"k": 1.5, "e": []}],
        "b2": "two\nlines\n",
        "a": 1234567.0,
        "n": None,
        "m": {},
        "long": "word " * 20,
    }
    assert yamlio.dump(value) == (
        "a: 1234567\n"
        "b2: |\n  two\n  lines\n"
        "b10:\n- x\n- e: []\n  k: 1.5\n"
        "long: 'word word word word word word word word word word word word word word word\n"
        "  word word word word word '\n"
        "m: {}\n"
        '"n": null\n'
    )


@pytest.mark.parametrize(
    ("value", "printed", "json"),
    [
        (0.0, "0", "0"),
        (123.0, "123", "123"),
        (1.5, "1.5", "1.5"),
        (999999.0, "999999", "999999"),
        (1e6, "1e+06", "1000000"),
        (1234567.0, "1.234567e+06", "1234567"),
        (100000.5, "100000.5", "100000.5"),
        (0.0001, "0.0001", "0.0001"),
        (0.00001, "1e-05", "0.00001"),
        (1.5e-7, "1.5e-07", "1.5e-7"),
        (1e21, "1e+21", "1e+21"),
        (-2.5, "-2.5", "-2.5"),
    ],
)
def test_floats_have_the_two_forms_of_go(value: float, printed: str, json: str) -> None:
    assert (gofloat.print_form(value), gofloat.json_form(value)) == (printed, json)
