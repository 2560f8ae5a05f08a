"""The functions of Go templates in ApplicationSets: sprig's, without what reads the machine, plus Argo CD's
own.

The library's sprig is replaced where it differs from Go: dictionary functions refuse maps of strings, JSON
and YAML have Go's number forms, versions follow Masterminds/semver. Left out: `env`, `expandenv`,
`getHostByName` (as in Argo CD), and the certificate functions, which cost a second of CPU each and give a
different text at every look. Everything that can make a text or a list longer is bounded, because the
library counts output only.
"""

from __future__ import annotations

import copy
import datetime
import re
from collections.abc import Mapping
from typing import Any

from gotpl.funcs.sprig import generic_func_map
from gotpl.runtime.gofmt import sprintf
from gotpl.runtime.sync_vm import _builtin_functions, format_value
from gotpl.runtime.values import INVALID, UNTYPED_NIL

from argosy import yamlio
from argosy.errors import ArgosyError
from hub.core.matching import semver
from hub.core.template import bounds, dictionaries, gojson, names, params

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


def _deep_copy(value: object) -> object:
    if value is None:
        raise ValueError("deepCopy: there is nothing to copy")
    return copy.deepcopy(value)


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
    if value is None:
        raise TypeError("index of untyped nil")
    if any(key is None for key in keys):
        raise TypeError("value is nil; should be of type string or int")
    return _builtin_functions("go")["index"](value, *keys)


def _not_equal(one: object, other: object) -> bool:
    return not _equal_pair(one, other)


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


def _escaping(name: str) -> Function:
    """`html`, `js` or `urlquery` of what `print` makes of the values, where nil prints as an absent key."""

    def escape(*values: object) -> object:
        return _builtin_functions("go")[name](
            _print(*("<no value>" if one is None else one for one in values))
        )

    return escape


def _all_found(name: str) -> Function:
    """The library's function with an empty list where it finds nothing."""
    find = generic_func_map()[name.removeprefix("must").replace("Regex", "regex")]

    def found(*arguments: Any) -> object:
        return find(*arguments) or []

    return found


def _mulf(*arguments: Any) -> object:
    """The library's, whose decimal numbers know no minus zero in Go."""
    product: Any = generic_func_map()["mulf"](*arguments)
    return product + 0.0


class Moment(datetime.datetime):
    """A time that prints as Go prints one."""

    def __str__(self) -> str:
        fraction = f".{self.microsecond:06}".rstrip("0") if self.microsecond else ""
        zone = self.tzname() or "UTC"
        return f"{self.year:04}-{self:%m-%d %H:%M:%S}{fraction} {self:%z} {zone}"


def _moment(value: object) -> object:
    if not isinstance(value, datetime.datetime):
        return value
    clock = (value.hour, value.minute, value.second, value.microsecond)
    return Moment(value.year, value.month, value.day, *clock, value.tzinfo or datetime.UTC)


def _to_date(*arguments: Any) -> object:
    return _moment(generic_func_map()["toDate"](*arguments))


def _must_to_date(*arguments: Any) -> object:
    found: Any = generic_func_map()["mustToDate"](*arguments)
    return found if found.error is not None else _moment(found.value)


def _trunc(length: int, text: str) -> str:
    """Counts bytes, from the end where the length is negative; half a sign is a replacement mark a byte."""
    raw = text.encode()
    return _of_bytes(raw[length:] if length < 0 else raw[:length]) if abs(length) < len(raw) else text


def _of_bytes(raw: bytes) -> str:
    return "".join(
        "\ufffd" if "\udc80" <= sign <= "\udcff" else sign for sign in raw.decode("utf-8", "surrogateescape")
    )


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
    **dictionaries.TABLE,
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
    "deepCopy": _deep_copy,
    "mustDeepCopy": _deep_copy,
    "print": _print,
    "println": _println,
    "html": _escaping("html"),
    "js": _escaping("js"),
    "urlquery": _escaping("urlquery"),
    "trunc": _trunc,
    "regexFindAll": _all_found("regexFindAll"),
    "mustRegexFindAll": _all_found("mustRegexFindAll"),
    "mulf": _mulf,
    "toDate": _to_date,
    "mustToDate": _must_to_date,
    "printf": _printf,
    "eq": _equal,
    "ne": _not_equal,
    "index": _index,
    NIL: _pass_on,
    "semver": semver.parse_version,
    "semverCompare": semver.compare,
}
