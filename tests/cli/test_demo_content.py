"""The demo counts objects by tables of its own: they must be what its files say, or it would prove nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import orjson

from argosy import objects, yamlio
from argosy.objects import Manifest, ObjectKey
from hub.demo import check, content, holdings


def keys(files: Mapping[str, str | None]) -> set[ObjectKey]:
    """The objects of a commit's files, each in the namespace that its application goes to."""
    found = set()
    for path, text in files.items():
        if text is None or path.endswith("kustomization.yaml"):
            continue
        for item in yamlio.load_all(text, source=path):
            found.add(objects.key_of(item)._replace(namespace=path.split("/")[1]))
    return found


def after() -> dict[str, str | None]:
    files: dict[str, str | None] = {**content.first_commit(), **content.second_commit()}
    return files


def test_the_tables_are_what_the_files_say() -> None:
    assert keys(content.first_commit()) == content.BEFORE.keys
    assert keys(after()) == content.AFTER.keys


def test_the_second_commit_changes_the_greeting_and_drops_a_service_and_an_app() -> None:
    assert f"greeting: {content.AFTER.greeting}" in str(after()["apps/web/settings.yaml"])
    assert len(content.BEFORE.keys - content.AFTER.keys) == 2
    kustomization = yamlio.load_first(str(after()["apps/web/kustomization.yaml"]), source="k")
    present = {Path(path).name for path, text in after().items() if text is not None and "apps/web/" in path}
    assert set(kustomization["resources"]) == present - {"kustomization.yaml"}


def held(expected: content.Objects) -> list[Manifest]:
    return [
        {
            "apiVersion": f"{key.group}/v1" if key.group else "v1",
            "kind": key.kind,
            "metadata": {"namespace": key.namespace, "name": key.name},
            **({"data": {"greeting": expected.greeting}} if key == check.GREETING else {}),
        }
        for key in expected.keys
    ]


def test_the_check_sees_one_object_too_many_one_too_few_and_an_old_greeting() -> None:
    spaces = {"web", "queue", "banner"}
    assert check.cluster("c", held(content.AFTER), content.AFTER, spaces) == []
    assert "should not be there" in " ".join(check.cluster("c", held(content.BEFORE), content.AFTER, spaces))
    wrong = check.cluster("c", held(content.AFTER), content.BEFORE, spaces)
    assert sum("is missing" in line for line in wrong) == 2
    assert any('says "hello, fleet"' in line for line in wrong)


def test_a_journal_is_read_up_to_the_line_that_is_being_written(tmp_path: Path) -> None:
    journal = tmp_path / "journal"
    one: Manifest = {"kind": "ConfigMap", "metadata": {"name": "one"}}
    lines = [[1, ["", "ConfigMap", "d", "one"], one], [2, ["", "ConfigMap", "d", "two"], one]]
    lines.append([3, ["", "ConfigMap", "d", "two"], None])
    journal.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines) + b'[4,["","Conf')
    assert holdings.read(journal) == [one]
