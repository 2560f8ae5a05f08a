"""Each field that differs between what is wanted and what is live, as it is reported: both values and who changed it.

What must not be seen is masked here, before anything leaves the agent's memory: the content of Secrets, what came
encrypted, and the paths that annotation `argosy.dev/mask` of the object names (comma-separated, `.spec.token` or
`/spec/token`). Pure.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from agent.core import drift, fieldpath
from agent.core.contested import Claim
from agent.core.drift import Ignored
from agent.core.marks import Seen, Wanted
from argosy import stages
from argosy.annotations import LAST_APPLIED
from argosy.differences import Hidden
from argosy.objects import Manifest
from argosy.status import Difference

MASK = "argosy.dev/mask"
MASKED = "***"
_SHOWN = 20
_LENGTH = 200
_SHORTEST = 4
"""Characters of the shortest value that is looked for in messages: shorter ones would tear holes into words."""
_LAST_APPLIED = f".metadata.annotations.{LAST_APPLIED}"
_SECRET = (".data", ".stringData", _LAST_APPLIED)
_KEYS = (
    ("name",),
    ("containerPort", "protocol"),
    ("port", "protocol"),
    ("mountPath",),
    ("key",),
    ("type",),
    ("ip",),
)
"""What items of lists are told apart by, as in Kubernetes' own types; lists without are one field."""
_NOTHING = object()


def between(
    wanted: Wanted, live: Manifest, merged: Manifest, claims: Iterable[Claim] = ()
) -> tuple[Difference, ...]:
    """What applying would change; `merged` is the server's answer to a dry run. `claims` say who owns fields."""
    by_field = {claim.field: claim.manager for claim in claims}
    found = [
        _difference(wanted, path, new, old, _manager(by_field, path))
        for path, old, new in _walk(live, merged, "")
    ]
    return tuple(found[:_SHOWN])


def of_claims(wanted: Wanted, live: Manifest, claims: Iterable[Claim]) -> tuple[Difference, ...]:
    """What others own of the fields that are wanted."""
    found = [
        _difference(
            wanted,
            claim.field,
            _value(wanted.manifest, claim.field),
            _value(live, claim.field),
            claim.manager,
        )
        for claim in sorted(claims, key=lambda claim: claim.field)
    ]
    return tuple(found[:_SHOWN])


def hushed(wanted: Wanted, message: str) -> str:
    """A message without the values of the object that must not be seen: servers repeat what they do not like."""
    for text in sorted(_hidden(wanted), key=len, reverse=True):
        message = message.replace(text, MASKED)
    return message


def veiled(wanted: Wanted, manifest: Manifest) -> Manifest:
    """A version of the object, wanted or live, in which what must not be seen is only there to be compared. Secrets are as
    they were: whoever compares them knows what they are.
    """
    hidden = (*_named(wanted.manifest), *wanted.sealed)
    for mask in (*hidden, _LAST_APPLIED) if hidden else ():
        manifest = fieldpath.each(manifest, mask, Hidden)
    return manifest


def masks(manifest: Manifest) -> tuple[str, ...]:
    """The paths that an object's own annotation and its kind keep from being seen."""
    own = _named(manifest)
    return (*_SECRET, *own) if (manifest.get("apiVersion"), manifest.get("kind")) == ("v1", "Secret") else own


def _named(manifest: Manifest) -> tuple[str, ...]:
    named = stages.listed(stages.annotations_of(manifest).get(MASK, ""))
    return tuple(_path(text) for text in named)


def _path(text: str) -> str:
    """`/spec/a~1b` and `.spec.a/b` -> `.spec.a/b`."""
    if not text.startswith("/"):
        return text if text.startswith(".") else f".{text}"
    return "".join(f".{part.replace('~1', '/').replace('~0', '~')}" for part in text.split("/")[1:])


def _difference(wanted: Wanted, path: str, new: Any, old: Any, manager: str) -> Difference:
    # What came encrypted is known by its place alone, whichever entry of a list it is in.
    place = fieldpath.places(path)
    masked = map(fieldpath.places, _masks_of(wanted))
    hidden = any(_below(place, mask) or _below(mask, place) for mask in masked)
    told = hushed(wanted, path) if wanted.sealed else path
    return Difference(told, _shown(new, hidden=hidden), _shown(old, hidden=hidden), manager)


def _masks_of(wanted: Wanted) -> tuple[str, ...]:
    found = (*masks(wanted.manifest), *wanted.sealed)
    return (*found, _LAST_APPLIED) if found else ()


def _below(path: str, mask: str) -> bool:
    return path == mask or path.startswith((f"{mask}.", f"{mask}["))


def _shown(value: Any, *, hidden: bool) -> str:
    if value is _NOTHING:
        return ""
    if hidden:
        return MASKED
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return text if len(text) <= _LENGTH else f"{text[:_LENGTH]}…"


def _value(manifest: Manifest, path: str) -> Any:
    found = fieldpath.get(manifest, path)
    return _NOTHING if found is None else found[0]


def _manager(by_field: Mapping[str, str], path: str) -> str:
    return next((who for field, who in by_field.items() if _below(field, path) or _below(path, field)), "")


def _walk(old: Any, new: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """(path, old, new) of all that differs; `_NOTHING` where a side has none."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from _walk(old.get(name, _NOTHING), new.get(name, _NOTHING), f"{path}.{name}")
        return
    if isinstance(old, list) and isinstance(new, list) and old != new:
        names = next((each for each in _KEYS if _told_apart(old, each) and _told_apart(new, each)), None)
        if names is not None:
            olds, news = ({_selector(item, names): item for item in side} for side in (old, new))
            for selector in dict.fromkeys([*olds, *news]):
                yield from _walk(
                    olds.get(selector, _NOTHING), news.get(selector, _NOTHING), f"{path}{selector}"
                )
            return
    if old != new:
        yield path, old, new


def _told_apart(items: list[Any], names: tuple[str, ...]) -> bool:
    if not all(isinstance(item, dict) and names[0] in item for item in items):
        return False
    return len({_selector(item, names) for item in items}) == len(items)


def _selector(item: Mapping[str, Any], names: tuple[str, ...]) -> str:
    pairs = (f"{name}={orjson.dumps(item[name]).decode()}" for name in names if name in item)
    return f"[{','.join(pairs)}]"


def _hidden(wanted: Wanted) -> set[str]:
    found: set[str] = set()
    values: list[Any] = []
    for mask in _masks_of(wanted):
        fieldpath.each(wanted.manifest, mask, values.append)
    for value in values:
        for text in _texts(value):
            found.add(text)
            found.add(base64.b64encode(text.encode()).decode())
            try:
                found.add(base64.b64decode(text, validate=True).decode())
            except (binascii.Error, UnicodeDecodeError, ValueError):
                continue
    return {text for text in found if len(text) >= _SHORTEST}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)


def compared(
    wanted: Wanted, live: Seen, merged: Seen, ignore: Ignored, claims: Iterable[Claim] = ()
) -> tuple[Difference, ...]:
    """`between` for objects as they are kept, without what changes by itself or is ignored."""
    return between(wanted, drift.content(live.body, ignore), drift.content(merged.body, ignore), claims)
