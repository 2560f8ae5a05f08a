"""`templatePatch`: a strategic merge patch for an Application, as Kubernetes computes it from Argo CD's Go
types (k8s.io/apimachinery/pkg/util/strategicpatch of Kubernetes 1.37).

The Application's types declare no merge keys, so lists are replaced; only `metadata.finalizers` (and owner
references) are merging lists of Kubernetes' own. Inside raw JSON (`valuesObject`) Argo CD's library fails
where both sides hold a map under one key; here such maps merge, which breaks no set that works there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from argosy import gofloat, yamlio
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core.schema import app_fields
from hub.core.schema.schema import Free, MapOf, Shape, Struct, check, decode, described
from hub.core.template.base import TemplateFailed

_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_MERGING = "metadata.finalizers"


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
    patched = _Merge(strict).maps(app, wanted, app_fields.APPLICATION, "")
    spec = decode(app_fields.APPLICATION_SPEC, patched.get("spec") or {})
    return {"metadata": patched.get("metadata") or {}, "spec": {**spec, "project": project}}


def _parsed(text: str) -> Any:
    """JSON where the text begins like an object, else YAML."""
    try:
        if text.lstrip().startswith("{"):
            return _numbers(json.loads(text))
        return _numbers(yamlio.load_first(text, source="templatePatch"))
    except ValueError as error:
        raise TemplateFailed(f"error in the rendered patch: not JSON: {error}") from None
    except Invalid as error:
        raise TemplateFailed(f"error in the rendered patch: {error.message}") from None


def _numbers(value: Any) -> Any:
    """Kubernetes' own JSON reader keeps whole numbers as far as an int64 holds them."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return gofloat.carried(value)
    return value


_OF_TYPES = ("expected a ", "expected an ")


def _check_types(wanted: dict[str, Any]) -> None:
    """Go decodes the patch into an Application: wrong types are errors, unknown fields are not, null is
    nothing.
    """
    for name in ("metadata", "spec"):
        value = _without_directives(wanted.get(name))
        if value is None:
            continue
        shape = app_fields.APPLICATION.fields[name].shape
        for problem in check(shape, value, name):
            if problem.message.startswith(_OF_TYPES):
                raise TemplateFailed(f"the rendered patch: {problem}")


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


@dataclass(frozen=True, slots=True)
class _Merge:
    strict: bool

    def maps(self, present: dict[str, Any], wanted: dict[str, Any], shape: Shape, path: str) -> Any:
        if _PATCH in wanted:
            return _replaced(wanted)
        out = _retained(present, wanted, path)
        for key, item in wanted.items():
            place = f"{path}.{key}" if path else key
            if key == _RETAIN or key.startswith(_ORDER):
                continue
            if key.startswith(_DELETE_FROM):
                _delete_from(out, key.removeprefix(_DELETE_FROM), item)
            elif item is None:
                out.pop(key, None)
            elif isinstance(item, (dict, list)) and isinstance(out.get(key), type(item)):
                out[key] = self._both(out[key], item, _below(shape, key), place)
            else:
                out.pop(key, None)
                for new in _added(item):
                    out[key] = new
        return out

    def _both(self, present: Any, wanted: Any, shape: Shape | None, place: str) -> Any:
        """Two maps or two lists under one key. `shape` is None below raw JSON."""
        if shape is None and self.strict:
            message = f"unable to find api field in struct RawExtension for the json field {place.rpartition('.')[2]!r}"
            raise TemplateFailed(f"the rendered patch: {place}: {message}")
        if isinstance(wanted, dict):
            return self.maps(present, wanted, shape or Free(), place)
        return _united(present, wanted) if place == _MERGING else wanted


def _below(shape: Shape, key: str) -> Shape | None:
    if isinstance(shape, Struct):
        return shape.fields[key].shape if key in shape.fields else Free()
    return shape.item if isinstance(shape, MapOf) else None


def _replaced(wanted: dict[str, Any]) -> dict[str, Any]:
    directive = wanted[_PATCH]
    if directive == "replace":
        return {key: item for key, item in wanted.items() if key != _PATCH}
    if directive == "delete":
        return {}
    raise TemplateFailed(
        f"the rendered patch: unknown patch type: $patch is replace or delete, found {described(directive)}"
    )


def _retained(present: dict[str, Any], wanted: dict[str, Any], path: str) -> dict[str, Any]:
    """What `$retainKeys` leaves of a map; every key that the patch sets must be among them."""
    if _RETAIN not in wanted:
        return dict(present)
    kept = wanted[_RETAIN]
    given = [key for key, item in wanted.items() if item is not None and not key.startswith("$")]
    if not isinstance(kept, list) or any(key not in kept for key in given):
        raise TemplateFailed(
            f"the rendered patch: {path}.$retainKeys: expected a list with every key that is set"
        )
    return {key: item for key, item in present.items() if key in kept}


def _added(item: Any) -> list[Any]:
    """A value for a key that was not there, without nulls below names and without directives; none for a
    map that is a directive itself.
    """
    if isinstance(item, dict):
        if _PATCH in item:
            return []
        pairs = [(key, below) for key, below in item.items() if below is not None]
        return [{key: new for key, below in pairs for new in _added(below)}]
    if isinstance(item, list):
        return [[new for below in item for new in _added(below)]]
    return [item]


def _delete_from(out: dict[str, Any], key: str, items: Any) -> None:
    if isinstance(out.get(key), list) and isinstance(items, list):
        out[key] = [item for item in out[key] if item not in items]


def _united(present: list[Any], wanted: list[Any]) -> list[Any]:
    """A merging list of texts: the patch's entries in their order; each of the others stands before the
    first of them that it stood before.
    """
    wanted = list(dict.fromkeys(wanted))
    others = [item for item in dict.fromkeys(present) if item not in wanted]
    out: list[Any] = []
    for item in wanted:
        while others and item in present and present.index(others[0]) < present.index(item):
            out.append(others.pop(0))
        out.append(item)
    return out + others
