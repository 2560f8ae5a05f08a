"""Whole files that SOPS encrypted, in its formats YAML, JSON, binary and dotenv. INI is refused by name: its dialect is
go-ini's, and reading it by halves would put wrong values into clusters.

Which format a file has its metadata tells, what is made of it the name under which it stands in a Secret (Flux, SOPS
`cmd/sops/formats`): `*.yaml`, `*.yml`, `*.json`, `.dockerconfigjson`, `*.env`, else binary.
"""

from __future__ import annotations

import json
import re
from typing import Any

from agent.sops import tree
from agent.sops.keys import KeyRing
from argosy import yamlio
from argosy.errors import Invalid

MAX_BYTES = 5 * 1024 * 1024
_STEP = re.compile(r"__(map|list)_")
_DOTENV = "sops_"
_FORMS = {".yaml": "yaml", ".yml": "yaml", ".json": "json", ".dockerconfigjson": "json", ".env": "dotenv"}
"""By the end of a name; everything else is binary."""


def opened(name: str, data: bytes, ring: KeyRing) -> bytes:
    """The file in clear, its MAC checked. Raises `Invalid`, which never names a value, and as `KeyRing.data_key` does."""
    if len(data) > MAX_BYTES:
        raise Invalid(f"it is larger than {MAX_BYTES} bytes")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Invalid("it is not UTF-8") from None
    documents, comments = _read(text)
    metadata = documents[0].get(tree.FIELD)
    mac = metadata.get("mac") if isinstance(metadata, dict) else None
    if not isinstance(metadata, dict) or not isinstance(mac, str):
        raise Invalid("it has no MAC")
    key = ring.data_key(metadata)
    only = metadata.get("mac_only_encrypted") in (True, "true", "True")
    tree.verify(documents, key, mac, str(metadata.get("lastmodified") or ""), only_encrypted=only)
    form = _form(name)
    if form == "binary":
        return _binary(documents[0], key)
    clear = []
    for document in documents:
        content = tree.content(document)
        known = frozenset((place, value) for place, value in tree.leaves(content) if tree.encrypted(value))
        clear.append(tree.opened(content, key, known))
    return _written(form, clear, [_comment(each, key) for each in comments])


def _read(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    """(documents, comments of a dotenv file without their mark)."""
    if f"{_DOTENV}mac=ENC[" in text:
        return _dotenv(text)
    if re.search(r"^\[sops\]\s*$", text, re.MULTILINE):
        raise Invalid("it is an INI file, which is not supported: use dotenv, YAML, JSON or binary")
    if text.lstrip().startswith("{"):
        try:
            found: list[Any] = [json.loads(text)]
        except ValueError as error:
            raise Invalid(f"it is no JSON: {error}") from None
    else:
        found = yamlio.load_all(text, source="the file")
    if not found or not all(isinstance(document, dict) for document in found):
        raise Invalid("a mapping is expected in every document")
    return found, []


def _dotenv(text: str) -> tuple[list[dict[str, Any]], list[str]]:
    values: dict[str, Any] = {}
    flat: dict[str, str] = {}
    comments = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.startswith("#"):
            comments.append(line[1:])
        elif line:
            name, equals, value = line.partition("=")
            if not equals:
                raise Invalid(f"line {number}: KEY=VALUE is expected")
            value = value.replace("\\n", "\n")
            if name.startswith(_DOTENV):
                flat[name.removeprefix(_DOTENV)] = value
            else:
                values[name] = value
    return [{**values, tree.FIELD: _unflattened(flat)}], comments


def _unflattened(flat: dict[str, str]) -> dict[str, Any]:
    """`age__list_0__map_enc` -> {"age": [{"enc": …}]} (SOPS `stores/flatten.go`)."""
    root: dict[Any, Any] = {}
    for name, value in flat.items():
        first, *rest = _STEP.split(name)
        steps: list[str | int] = [first]
        for kind, step in zip(rest[::2], rest[1::2], strict=True):
            if kind == "list" and not step.isdecimal():
                raise Invalid(f"its metadata has a bad entry {name[:80]!r}")
            steps.append(int(step) if kind == "list" else step)
        at = root
        for step in steps[:-1]:
            at = at.setdefault(step, {})
            if not isinstance(at, dict):
                raise Invalid(f"its metadata has a bad entry {name[:80]!r}")
        at[steps[-1]] = value
    listed: dict[str, Any] = _lists(root)
    return listed


def _lists(value: Any) -> Any:
    """Mappings whose keys are positions become lists."""
    if not isinstance(value, dict):
        return value
    if value and all(isinstance(key, int) for key in value):
        return [_lists(value[key]) for key in sorted(value)]
    return {key: _lists(each) for key, each in value.items()}


def _comment(text: str, key: bytes) -> str:
    """A comment in clear; one that cannot be opened stays as it is, as in SOPS."""
    try:
        return tree.raw(text, key, ":")[0].decode() if tree.encrypted(text) else text
    except (Invalid, UnicodeDecodeError):
        return text


def _form(name: str) -> str:
    for suffix, form in _FORMS.items():
        if name.endswith(suffix):
            return form
    return "binary"


def _binary(document: dict[str, Any], key: bytes) -> bytes:
    data = document.get("data")
    if document.keys() - {tree.FIELD} != {"data"} or not isinstance(data, str) or not tree.encrypted(data):
        raise Invalid("it is no binary file of SOPS: the name of another has to end in .yaml, .json or .env")
    return tree.raw(data, key, "data:")[0]


def _written(form: str, documents: list[dict[str, Any]], comments: list[str]) -> bytes:
    if form == "yaml":
        return yamlio.dump_all(documents).encode()
    if len(documents) != 1:
        raise Invalid(f"of several documents no {form} is made")
    if form == "json":
        return json.dumps(documents[0], ensure_ascii=False, indent="\t").encode() + b"\n"
    lines = [
        *(f"#{each}" for each in comments),
        *(f"{key}={_one_line(value)}" for key, value in documents[0].items()),
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _one_line(value: Any) -> str:
    if isinstance(value, dict | list):
        raise Invalid("a mapping or a list has no place in a dotenv file")
    return str(value).replace("\n", "\\n")
