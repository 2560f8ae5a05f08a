"""Small parts of the API by themselves: forms, protobuf, ages, rings, sealing, schemas."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from argosy.errors import Invalid
from argosy.machinery import structural
from argosy.machinery.failure import ApiFailure
from hub.api import bodies, negotiate, paths, protobuf, rings
from hub.api.paths import Target
from hub.core.served import cells, table
from hub.store import seal


def chunk(number: int, content: bytes) -> bytes:
    """One length-delimited protobuf field."""
    assert len(content) < 128
    return bytes([number << 3 | 2, len(content)]) + content


def envelope(api_version: str, kind: str, message: bytes) -> bytes:
    meta = chunk(1, api_version.encode()) + chunk(2, kind.encode())
    return b"k8s\x00" + chunk(1, meta) + chunk(2, message)


def test_an_access_review_is_read() -> None:
    attributes = chunk(1, b"argocd") + chunk(2, b"get") + chunk(3, b"argoproj.io") + chunk(5, b"applications")
    body = envelope("authorization.k8s.io/v1", "SelfSubjectAccessReview", chunk(2, chunk(1, attributes)))
    found = protobuf.decode(body)
    assert found["kind"] == "SelfSubjectAccessReview"
    wanted = {"namespace": "argocd", "verb": "get", "group": "argoproj.io", "resource": "applications"}
    assert found["spec"]["resourceAttributes"] == wanted


def test_maps_and_unknown_fields_are_read() -> None:
    entry = chunk(1, b"key") + chunk(2, b"value")
    message = (
        chunk(1, chunk(1, b"name") + chunk(11, entry)) + chunk(2, entry) + chunk(15, b"unknown") + b"\x28\x01"
    )
    found = protobuf.decode(envelope("v1", "Secret", message))
    assert found["metadata"] == {"name": "name", "labels": {"key": "value"}}
    assert found["data"] == {"key": "dmFsdWU="}
    assert found["immutable"] is True


def test_other_kinds_are_refused_in_protobuf() -> None:
    with pytest.raises(ApiFailure) as raised:
        protobuf.decode(envelope("apps/v1", "Deployment", b""))
    assert raised.value.code == 415


@pytest.mark.parametrize("cut", range(5, 40))
def test_broken_protobuf_is_the_clients_mistake(cut: int) -> None:
    whole = envelope(
        "v1", "ConfigMap", chunk(1, chunk(1, b"name") + chunk(11, chunk(1, b"k") + chunk(2, b"v")))
    )
    try:
        protobuf.decode(whole[:cut])
    except ApiFailure as failure:
        assert failure.code in (400, 415)  # noqa: PT017


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("", negotiate.Form()),
        ("*/*", negotiate.Form()),
        ("application/json;as=Table;v=v1;g=meta.k8s.io,application/json", negotiate.Form("table")),
        ("application/json;as=Table;v=v9;g=meta.k8s.io,application/json", negotiate.Form()),
        ("application/vnd.kubernetes.protobuf,application/json;q=0.5", negotiate.Form()),
        ("application/json;q=0.1,application/yaml", negotiate.Form("object", True)),
        ("application/json;stream=watch", negotiate.Form()),
    ],
)
def test_the_first_form_that_can_be_made_is_taken(accept: str, form: negotiate.Form) -> None:
    assert negotiate.form(accept, shapes=("object", "table")) == form


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/api/v1/namespaces/a", Target("", "v1", "namespaces", "", "a")),
        ("/api/v1/namespaces/a/status", Target("", "v1", "namespaces", "", "a", "status")),
        ("/api/v1/namespaces/a/secrets", Target("", "v1", "secrets", "a")),
        ("/apis/g/v1/namespaces/a/things/x/y/z", Target("g", "v1", "things", "a", "x", "y/z")),
        ("/apis/g/v1/things", Target("g", "v1", "things")),
        ("/apis/g/v1", Target("g", "v1")),
        ("/apis/g", None),
        ("/other", None),
    ],
)
def test_paths_are_taken_apart(path: str, target: Target | None) -> None:
    assert paths.parse(path) == target


AGES = {-5: "<invalid>", 0: "0s", 119: "119s", 120: "2m", 150: "2m30s", 3600: "60m", 4 * 3600 + 60: "4h1m"}
LONG_AGES = {10 * 3600: "10h", 3 * 86400 + 3600: "3d1h", 30 * 86400: "30d", 800 * 86400: "2y70d"}


@pytest.mark.parametrize(("seconds", "shown"), [*AGES.items(), *LONG_AGES.items()])
def test_ages_read_as_kubectls(seconds: int, shown: str) -> None:
    assert cells.duration(seconds) == shown


def test_what_is_nested_too_deep_is_refused_and_text_is_not_counted() -> None:
    deep = b'{"a":' * 300 + b"1" + b"}" * 300
    with pytest.raises(ApiFailure, match="nested"):
        bodies.parse_json(deep)
    flat = b'{"a":"' + b"{[" * 500 + b'\\"{"}'
    assert bodies.parse_json(flat)[0]["a"].startswith("{[")


def event(rv: int, size: int = 10) -> rings.Event:
    return rings.Event(rv, "MODIFIED", "n", f"x{rv}", b"x" * size, {}, {})


def test_a_ring_forgets_the_oldest_and_says_so() -> None:
    ring = rings.Ring(0)
    early = ring.position(0)
    assert early is not None
    for rv in range(1, rings.MAX_EVENTS + 2):
        ring.append(event(rv))
    assert ring.after(early, 10) is None
    assert ring.position(0) is None
    assert ring.position(ring.floor) is not None
    late = ring.position(rings.MAX_EVENTS)
    assert late is not None
    found = ring.after(late, 10)
    assert found is not None
    assert [each.rv for each in found[0]] == [rings.MAX_EVENTS + 1]


def test_a_ring_is_bounded_in_bytes() -> None:
    ring = rings.Ring(0)
    for rv in range(1, 100):
        ring.append(event(rv, rings.MAX_BYTES // 10))
    assert ring.floor >= 89


def test_sealed_bodies_open_only_for_their_object(tmp_path: Path) -> None:
    sealer = seal.open_sealer(tmp_path / "seal.key")
    assert (tmp_path / "seal.key").stat().st_mode & 0o077 == 0
    sealed = sealer.seal(b"secret", "uid-1")
    assert b"secret" not in sealed
    assert sealer.open(sealed, "uid-1") == b"secret"
    again = seal.open_sealer(tmp_path / "seal.key")
    assert again.open(sealed, "uid-1") == b"secret"
    other = seal.open_sealer(tmp_path / "other.key")
    for opener, uid, body in (
        (sealer, "uid-2", sealed),
        (other, "uid-1", sealed),
        (sealer, "uid-1", sealed[:-1]),
        (sealer, "uid-1", b""),
    ):
        with pytest.raises(Invalid):
            opener.open(body, uid)


def _fields(schema: Any) -> set[str]:
    if not isinstance(schema, dict):
        return set()
    found = set(schema.get("properties") or {})
    for each in (schema.get("properties") or {}).values():
        found |= _fields(each)
    return found | _fields(schema.get("items")) | _fields(schema.get("additionalProperties"))


def test_words_describe_fields_that_exist() -> None:
    from hub.core.served.words import WORDS

    served = [table.APPLICATION, table.APPLICATION_SET, table.APP_PROJECT]
    known = set().union(*(_fields(one.document) for one in served))
    assert {word.rpartition(".")[2] for word in WORDS} <= known


@pytest.mark.parametrize("served", table.SERVED, ids=lambda served: served.kind.kind)
def test_every_kind_has_columns_and_words(served: Any) -> None:
    assert served.columns
    assert served.document["description"]
    assert all(column.description for column in served.columns)
    empty = {"metadata": {"name": "x"}}
    assert [column.cell(empty, 0.0) for column in served.columns]


def test_unknown_fields_are_found_where_people_misspell_them() -> None:
    manifest = {"spec": {"generators": [{"git": {"repoUrl": "x"}}], "template": {"spec": {"destinaton": {}}}}}
    _, unknown = structural.prune(manifest, table.APPLICATION_SET.document)
    assert unknown == ["spec.generators[0].git.repoUrl", "spec.template.spec.destinaton"]


async def test_rings_wake_all_who_wait() -> None:
    waiting = rings.Rings.__new__(rings.Rings)
    waiting._moved = asyncio.Event()
    tasks = [asyncio.create_task(waiting.moved(600)) for _ in range(100)]
    await asyncio.sleep(0)
    waiting._announce()
    await asyncio.wait_for(asyncio.gather(*tasks), 60)
