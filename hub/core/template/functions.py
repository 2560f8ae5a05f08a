"""The functions of Go templates in ApplicationSets: sprig's, without what reads the machine, plus Argo CD's
own.

The library's sprig is replaced where it differs from Go: dictionary functions refuse maps of strings, JSON
and YAML have Go's number forms, versions follow Masterminds/semver. Left out: `env`, `expandenv`,
`getHostByName` (as in Argo CD), and the certificate functions, which cost a second of CPU each and give a
different text at every look. Everything that can make a text or a list longer is bounded, because the
library counts output only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gotpl import TypedMap
from gotpl.funcs.sprig import generic_func_map
from gotpl.runtime.gofmt import sprintf
from gotpl.runtime.sync_vm import _builtin_functions, format_value
from gotpl.runtime.values import INVALID, UNTYPED_NIL

from argosy import yamlio
from argosy.errors import ArgosyError
from hub.core import params, semver
from hub.core.template import bounds, gojson, names

Function = bounds.Function

_CERTIFICATES = ("genPrivateKey", "genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey")
_MACHINE = ("env", "expandenv", "getHostByName")
_LEFT_OUT = frozenset(
    [*_CERTIFICATES, "genSignedCert", "genSignedCertWithKey", "buildCustomCert", "bcrypt", *_MACHINE]
)


def table() -> dict[str, Function]:
    """All functions by name, bounded, with `INVALID` (an absent key) already turned into nil for them."""
    found = {name: function for name, function in generic_func_map().items() if name not in _LEFT_OUT}
    found.update(_OWN)
    return {name: bounds.bounded(name, function, (INVALID, UNTYPED_NIL)) for name, function in found.items()}


def plain(value: Any) -> Any:
    """A template's value with the library's own map type turned back into a dictionary."""
    if isinstance(value, params.RawJson):
        return value.value
    if isinstance(value, Mapping):
        return {key: plain(value[key]) for key in value}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def _to_json(value: object) -> str:
    try:
        return gojson.encode(value)
    except (TypeError, ValueError):
        return ""


def _to_raw_json(value: object) -> str:
    return gojson.encode(value, escape_html=False)


def _to_pretty_json(value: object) -> str:
    try:
        return gojson.encode(value, indent="  ")
    except (TypeError, ValueError):
        return ""


def _must_to_json(value: object) -> str:
    return gojson.encode(value)


def _must_to_pretty_json(value: object) -> str:
    return gojson.encode(value, indent="  ")


def _to_yaml(value: object) -> str:
    gojson.encode(value)
    return yamlio.dump(plain(value)).removesuffix("\n")


def _yaml(text: str) -> Any:
    try:
        return params.from_json(yamlio.load_first(text, source="fromYaml"))
    except ArgosyError as error:
        raise ValueError(error.message) from None


def _from_yaml(text: str) -> object:
    value = _yaml(text)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"fromYaml: expected a map, found {_kind(value)}")
    return value


def _from_yaml_array(text: str) -> object:
    value = _yaml(text)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ValueError(f"fromYamlArray: expected a list, found {_kind(value)}")
    return value


def _kind(value: object) -> str:
    return {str: "a string", bool: "a boolean", float: "a number", list: "a list", dict: "a map"}.get(
        type(value), "null"
    )


def _normalize(text: str) -> str:
    return names.normalize(text)


def _slugify(*arguments: object) -> str:
    *options, text = arguments or ("",)
    longest = options[0] if options else 50
    smart = options[1] if len(options) > 1 else True
    if type(longest) is not int or type(smart) is not bool or not isinstance(text, str) or len(options) > 2:
        raise TypeError("slugify takes [max length: int] [smart: bool] text: string")
    return names.slugify(text, longest, smart)


NIL = "_"
"""The function that hands an absent value on as nil."""


def _pass_on(*value: object) -> object:
    return value[0] if value else None


def _equal(first: object, *others: object) -> object:
    """Go's `eq`: nil equals nil only, and comparing it with anything else is no error."""
    if not others:
        raise TypeError("missing argument for comparison")
    return any(_equal_pair(first, other) for other in others)


def _equal_pair(one: object, other: object) -> object:
    if one is None or other is None:
        return one is other
    return _builtin_functions("go")["eq"](one, other)


def _index(value: object, *keys: object) -> object:
    if any(key is None for key in keys):
        raise TypeError("value is nil; should be of type string or int")
    return _builtin_functions("go")["index"](value, *keys)


def _not_equal(one: object, other: object) -> bool:
    return not _equal_pair(one, other)


def _untyped(name: str, value: Any, *, nil: bool = True) -> dict[str, Any]:
    if value is None and nil:
        return {}
    if type(value) is dict:
        return value
    what = "map[string]string" if isinstance(value, TypedMap) else type(value).__name__
    raise TypeError(f"{name}: wrong type for value; expected map[string]interface {{}}; got {what}")


def _dig(*arguments: Any) -> object:
    if len(arguments) < 3:
        raise TypeError("dig needs at least three arguments")
    *keys, fallback, value = arguments
    current = _untyped("dig", value, nil=False)
    for index, key in enumerate(keys):
        if key not in current:
            return fallback
        if index == len(keys) - 1:
            return current[key]
        current = _untyped("dig", current[key], nil=False)
    return current


def _get(value: object, key: str) -> object:
    return _untyped("get", value).get(key, "")


def _has_key(value: object, key: str) -> bool:
    return key in _untyped("hasKey", value)


def _keys(*values: object) -> list[str]:
    return [key for value in values for key in sorted(_untyped("keys", value))]


def _values(value: object) -> list[object]:
    found = _untyped("values", value)
    return [found[key] for key in sorted(found)]


def _pick(value: object, *wanted: str) -> dict[str, Any]:
    found = _untyped("pick", value)
    return {key: found[key] for key in wanted if key in found}


def _omit(value: object, *unwanted: str) -> dict[str, Any]:
    return {key: item for key, item in _untyped("omit", value).items() if key not in unwanted}


def _pluck(key: str, *values: object) -> list[object]:
    return [found[key] for found in (_untyped("pluck", value) for value in values) if key in found]


def _set(value: object, key: str, item: object) -> dict[str, Any]:
    found = _untyped("set", value, nil=False)
    found[key] = item
    return found


def _unset(value: object, key: str) -> dict[str, Any]:
    found = _untyped("unset", value)
    found.pop(key, None)
    return found


def _merging(name: str, *, overwrite: bool) -> Function:
    def merge(target: object, *sources: object) -> dict[str, Any]:
        into = _untyped(name, target)
        for source in sources:
            _merge_into(into, _untyped(name, source), overwrite)
        return into

    return merge


def _merge_into(target: dict[str, Any], source: dict[str, Any], overwrite: bool) -> None:
    for key, item in source.items():
        present = target.get(key)
        if type(present) is dict and type(item) is dict:
            _merge_into(present, item, overwrite)
        elif _empty(present) or (overwrite and not _empty(item)):
            target[key] = item


def _empty(value: object) -> bool:
    return (
        value is None
        or value is False
        or (isinstance(value, (int, float)) and value == 0)
        or value in ("", [], {})
    )


def _print(*values: object) -> str:
    out: list[str] = []
    previous: object = ""
    for value in values:
        if not isinstance(previous, str) and not isinstance(value, str):
            out.append(" ")
        out.append(_printed(value))
        previous = value
    return "".join(out)


def _println(*values: object) -> str:
    return " ".join(_printed(value) for value in values) + "\n"


def _printed(value: object) -> str:
    return "<nil>" if value is None else format_value(value)


_VERB = re.compile(r"%([-+# 0]*\d*(?:\.\d*)?)([a-zA-Z%])")


def _printf(form: str, *values: object) -> str:
    if any(isinstance(value, (list, Mapping)) for value in values) and "*" not in form and "[" not in form:
        form, values = _elements_first(form, list(values))
    return sprintf(form, *[UNTYPED_NIL if value is None else value for value in values])


def _elements_first(form: str, values: list[object]) -> tuple[str, tuple[object, ...]]:
    """Verbs over lists and maps, which the library does not spread over their elements, done beforehand."""
    position = 0

    def replaced(found: re.Match[str]) -> str:
        nonlocal position
        flags, verb = found.groups()
        if verb == "%":
            return found[0]
        value = values[position] if position < len(values) else None
        if verb not in "vT" and isinstance(value, (list, Mapping)):
            values[position] = _spread(found[0], value)
            flags, verb = "", "s"
        position += 1
        return f"%{flags}{verb}"

    return _VERB.sub(replaced, form), tuple(values)


def _spread(verb: str, value: object) -> str:
    if isinstance(value, Mapping):
        return (
            "map["
            + " ".join(f"{_spread(verb, key)}:{_spread(verb, value[key])}" for key in sorted(value))
            + "]"
        )
    if isinstance(value, list):
        return "[" + " ".join(_spread(verb, item) for item in value) + "]"
    return sprintf(verb, UNTYPED_NIL if value is None else value)


_OWN: dict[str, Function] = {
    "toJson": _to_json,
    "toRawJson": _to_raw_json,
    "toPrettyJson": _to_pretty_json,
    "mustToJson": _must_to_json,
    "mustToRawJson": _to_raw_json,
    "mustToPrettyJson": _must_to_pretty_json,
    "toYaml": _to_yaml,
    "fromYaml": _from_yaml,
    "fromYamlArray": _from_yaml_array,
    "normalize": _normalize,
    "slugify": _slugify,
    "dig": _dig,
    "get": _get,
    "hasKey": _has_key,
    "keys": _keys,
    "values": _values,
    "pick": _pick,
    "omit": _omit,
    "pluck": _pluck,
    "set": _set,
    "unset": _unset,
    "merge": _merging("merge", overwrite=False),
    "mustMerge": _merging("mustMerge", overwrite=False),
    "mergeOverwrite": _merging("mergeOverwrite", overwrite=True),
    "mustMergeOverwrite": _merging("mustMergeOverwrite", overwrite=True),
    "print": _print,
    "println": _println,
    "printf": _printf,
    "eq": _equal,
    "ne": _not_equal,
    "index": _index,
    NIL: _pass_on,
    "semver": semver.parse_version,
    "semverCompare": semver.compare,
}
