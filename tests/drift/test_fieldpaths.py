"""Fields are found and dropped by the API server's own spelling of their paths."""

from __future__ import annotations

from typing import Any

import pytest

from agent.core import fieldpath

VALUE: dict[str, Any] = {
    "metadata": {"labels": {"app.dev/name": "x", "app": "y"}},
    "spec": {
        "ports": [{"port": 80, "protocol": "TCP", "nodePort": 1}, {"port": 81, "nodePort": 2}],
        "finalizers": ["a", "b"],
        "containers": [{"name": "web", "image": "i", "env": [{"name": "A", "value": "1"}]}],
    },
}


@pytest.mark.parametrize(
    "path",
    [
        ".metadata.labels.app.dev/name",
        ".metadata.labels.app",
        '.spec.ports[port=80,protocol="TCP"].nodePort',
        '.spec.ports[port=81,protocol="TCP"].nodePort',
        '.spec.finalizers[="b"]',
        '.spec.containers[name="web"].env[name="A"].value',
        '.spec.containers[name="web"]',
        ".spec.ports",
    ],
)
def test_a_path_is_found_and_can_be_dropped(path: str) -> None:
    assert fieldpath.has(VALUE, path)
    without = fieldpath.drop(VALUE, path)
    assert not fieldpath.has(without, path)
    assert without != VALUE


@pytest.mark.parametrize(
    "path", [".spec.nothing", ".spec.ports[port=82].nodePort", ".metadata.labels.app.dev", "", ".spec[0]"]
)
def test_what_is_not_there_is_not_found(path: str) -> None:
    assert not fieldpath.has(VALUE, path)
    assert fieldpath.drop(VALUE, path) == VALUE


def test_json_pointers_drop_and_forgive() -> None:
    assert fieldpath.pointer({"a": {"b/c": 1, "d": 2}}, "/a/b~1c") == {"a": {"d": 2}}
    assert fieldpath.pointer({"a": [1, 2, 3]}, "/a/1") == {"a": [1, 3]}
    assert fieldpath.pointer({"a": 1}, "/x/y") == {"a": 1}


@pytest.mark.parametrize(
    ("path", "left"),
    [
        ("/a/-1", [1, 2]),
        ("/a/-3", [2, 3]),
        ("/a/-4", [1, 2, 3]),
        ("/a/+0", [2, 3]),
        ("/a/01", [1, 3]),
        ("/a/3", [1, 2, 3]),
        ("/a/-", [1, 2, 3]),
        ("/a/1.0", [1, 2, 3]),
        ("/a/1_0", [1, 2, 3]),
        ("/a/\u00b2", [1, 2, 3]),
        ("/a/\u0661", [1, 2, 3]),
        ("a/1", [1, 2, 3]),
        ("/a/1/", [1, 2, 3]),
    ],
)
def test_places_in_lists_are_numbers_as_argo_cd_reads_them(path: str, left: list[int]) -> None:
    assert fieldpath.pointer({"a": [1, 2, 3]}, path) == {"a": left}
