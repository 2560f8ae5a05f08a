"""`templatePatch`: a strategic merge patch for an Application, as Kubernetes computes it from Argo CD's Go
types.

The Application's types declare no merge keys, so lists are replaced; only `metadata.finalizers` (and owner
references) are merging lists of Kubernetes' own. Inside raw JSON (`valuesObject`) Argo CD's library fails
where both sides hold a map under one key; here such maps merge, which breaks no set that works there.
"""

from __future__ import annotations

import json
from typing import Any

from argosy import yamlio
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core import kinds
from hub.core.schema import check, decode, described
from hub.core.template.base import TemplateFailed

_DIRECTIVES = ("$patch", "$retainKeys")
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"


def apply(app: Manifest, text: str, *, strict: bool) -> Manifest:
    """The app with the rendered patch applied. The project never changes. Raises `TemplateFailed`.

    `strict` fails, as Argo CD does, where a map or a list inside `valuesObject` meets another one.
    """
    wanted = _parsed(text)
    if wanted is None:
        return app
    if not isinstance(wanted, dict):
        raise TemplateFailed(f"the rendered patch must be an object, found {described(wanted)}")
    _check_types(wanted)
    project = app["spec"].get("project", "")
    if strict:
        _check_values_objects(app, wanted)
    patched: Manifest = _merged(app, wanted, ("",))
    spec = decode(kinds.APPLICATION_SPEC, patched.get("spec") or {})
    return {"metadata": patched.get("metadata") or {}, "spec": {**spec, "project": project}}


def _parsed(text: str) -> Any:
    """JSON where the text begins like an object, else YAML."""
    try:
        if text.lstrip().startswith("{"):
            return json.loads(text)
        return yamlio.load_first(text, source="templatePatch")
    except ValueError as error:
        raise TemplateFailed(f"error in the rendered patch: not JSON: {error}") from None
    except Invalid as error:
        raise TemplateFailed(f"error in the rendered patch: {error.message}") from None


def _check_types(wanted: dict[str, Any]) -> None:
    """Go decodes the patch into an Application: wrong types are errors, unknown fields are not, null is
    nothing.
    """
    for name in ("metadata", "spec"):
        value = _without_directives(wanted.get(name))
        if value is None:
            continue
        shape = kinds.APPLICATION.fields[name].shape
        for problem in check(shape, value, name):
            if not problem.message.startswith(("unknown field", "required field")):
                raise TemplateFailed(f"the rendered patch: {problem}")


def _check_values_objects(app: Manifest, wanted: dict[str, Any]) -> None:
    present = _at(app, "spec", "source", "helm", "valuesObject")
    added = _at(wanted, "spec", "source", "helm", "valuesObject")
    for key, item in added.items():
        if isinstance(item, (dict, list)) and isinstance(present.get(key), type(item)):
            message = f"unable to find api field in struct RawExtension for the json field {key!r}"
            raise TemplateFailed(f"the rendered patch: spec.source.helm.valuesObject.{key}: {message}")


def _at(value: Any, *names: str) -> dict[str, Any]:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def _without_directives(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_directives(item)
            for key, item in value.items()
            if item is not None and not key.startswith("$")
        }
    if isinstance(value, list):
        return [_without_directives(item) for item in value]
    return value


def _merged(value: Any, wanted: dict[str, Any], path: tuple[str, ...]) -> Any:
    if wanted.get("$patch") == "replace":
        return {key: item for key, item in wanted.items() if key not in _DIRECTIVES}
    if wanted.get("$patch") == "delete":
        return {}
    out = dict(value) if isinstance(value, dict) else {}
    if isinstance(wanted.get("$retainKeys"), list):
        out = {key: item for key, item in out.items() if key in wanted["$retainKeys"]}
    for key, item in wanted.items():
        if key in _DIRECTIVES or key.startswith(_ORDER):
            continue
        if key.startswith(_DELETE_FROM):
            _delete_from(out, key.removeprefix(_DELETE_FROM), item)
        elif item is None:
            out.pop(key, None)
        elif isinstance(item, dict):
            out[key] = _merged(out.get(key), item, (*path, key))
        elif path[1:] == ("metadata",) and key == "finalizers" and isinstance(item, list):
            out[key] = _merged_list(item, out.get(key) or [])
        else:
            out[key] = item
    return out


def _delete_from(out: dict[str, Any], key: str, items: Any) -> None:
    if isinstance(out.get(key), list) and isinstance(items, list):
        out[key] = [item for item in out[key] if item not in items]


def _merged_list(wanted: list[Any], present: list[Any]) -> list[Any]:
    return list(dict.fromkeys([*wanted, *present]))
