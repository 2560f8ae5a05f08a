"""Users' own health checks: which script or expressions of `argocd-cm` look at which kind, and what their answer means.

Keys and precedence are Argo CD's (3.6, `util/settings`, `util/lua`). `resource.healthCheckExprs` is ours: a list in the
form of Flux's `healthCheckExprs`. Knows no Lua and no CEL: what runs them is handed in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from argosy import gobwas, yamlio
from argosy.errors import Invalid
from argosy.health import waiting
from argosy.health.base import NONE, Found, degraded, healthy, progressing, unknown
from argosy.objects import Manifest, split_api_version
from argosy.status import Health

INLINE = "resource.customizations"
EXPRESSIONS = "resource.healthCheckExprs"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_STATES = {state.value: state for state in Health}
_WORDS = ("inProgress", "failed", "current")
"""Flux's order: the first expression that is true says how the object is."""

Run = Callable[[str, bool, Manifest], Any]
"""(script, with open libraries, object) -> what the script returns, as JSON's types; raises `Failed`."""
Evaluate = Callable[[str, Manifest], bool]
"""(expression, object) -> whether it is true; raises `Failed`."""


class Failed(Exception):
    """The script or expression gave no answer."""


class Exhausted(Failed):
    """It spent what a run may cost."""


class Answer(NamedTuple):
    """`lasting` says that the answer stands for an object that is being deleted as well."""

    found: Found
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    text: str = ""
    open_libraries: bool = False


Expressions = Mapping[str, str]
"""`current`, and where they are given `inProgress` and `failed`."""


@dataclass(frozen=True, slots=True)
class UserChecks:
    """Scripts by `group/Kind` (`Kind` in the core group), where both may be globs; expressions by (group, kind), where
    the kind may be "" for all of the group. `problems` are keys that cannot be used, which concern no other key."""

    scripts: Mapping[str, Script] = field(default_factory=dict)
    run: Run | None = None
    expressions: Mapping[tuple[str, str], Expressions] = field(default_factory=dict)
    evaluate: Evaluate | None = None
    problems: tuple[str, ...] = ()

    def check_for(self, group: str, kind: str) -> Script | Expressions | None:
        """The check of a kind: its own script, else its expressions, else the first glob's script; None without any."""
        name = f"{group}/{kind}" if group else kind
        own = self.scripts.get(name)
        if own is not None and own.text:
            return own
        expressions = self.expressions.get((group, kind)) or self.expressions.get((group, ""))
        if expressions is not None:
            return expressions
        matching = (key for key in sorted(self.scripts) if self.scripts[key].text and gobwas.match(key, name))
        first = next(matching, None)
        return None if first is None else self.scripts[first]

    def answer(self, live: Manifest, check: Script | Expressions) -> Answer | None:
        """What the check says; None where it leaves the object to the built-in check. Raises `Failed`."""
        if not isinstance(check, Script):
            return Answer(self._judge(live, check))
        assert self.run is not None, "there are no scripts without something to run them"
        return _meaning(self.run(check.text, check.open_libraries, live))

    def _judge(self, live: Manifest, expressions: Expressions) -> Found:
        old = waiting.stale(live)
        if old:
            return progressing(old)
        assert self.evaluate is not None, "there are no expressions without something to evaluate them"
        answers = {"inProgress": progressing, "failed": degraded, "current": healthy}
        for word in _WORDS:
            if word in expressions and self.evaluate(expressions[word], live):
                return answers[word](f"{word}: {expressions[word]}" if word != "current" else "")
        return progressing("none of the expressions is true")


def _meaning(value: Any) -> Answer | None:
    if value is None:
        return None
    if isinstance(value, list):
        return Answer(NONE)
    if not isinstance(value, dict):
        raise Failed(f"a table is expected from the script, found {value!r}")
    # Go reads names of fields whatever their case.
    said = {key.lower(): item for key, item in value.items()}
    texts = [said.get(key, "") for key in ("status", "message", "deletionmessage")]
    if not all(isinstance(item, str) for item in texts):
        return Answer(NONE)
    status, message, lasting = texts
    state = _STATES.get(status)
    if state is None:
        return Answer(unknown(f"the script returned the unknown status {status!r}"))
    return Answer(Found(state, lasting or message), bool(lasting))


def carried(data: Mapping[str, Any]) -> dict[str, str]:
    """The keys of `argocd-cm` that say how healthy objects are: what agents need of it."""
    kept = (INLINE, EXPRESSIONS)
    beginnings = (f"{INLINE}.health.", f"{INLINE}.useOpenLibs.")
    return {
        key: value
        for key, value in data.items()
        if isinstance(value, str) and (key in kept or key.startswith(beginnings)) and value.strip()
    }


def read(data: Mapping[str, str], run: Run, evaluate: Evaluate | None = None) -> UserChecks:
    """The checks in the data of `argocd-cm`. A key that cannot be used is one of `problems` and concerns no other."""
    problems: list[str] = []
    try:
        scripts = _inline(data.get(INLINE) or "")
    except Invalid as error:
        problems.append(error.message)
        scripts = {}
    for key, value in data.items():
        kind, _, name = key.removeprefix(f"{INLINE}.").partition(".")
        if not key.startswith(f"{INLINE}.") or not name or kind not in ("health", "useOpenLibs"):
            continue
        parts = name.split("_")
        if len(parts) > 2:
            problems.append(f"argocd-cm: {key}: <group>_<kind> or <kind> is expected at the end")
            continue
        name = "*/*" if name == "all" else "/".join(parts)
        known = scripts.get(name, Script())
        if kind == "health":
            scripts[name] = replace(known, text=value)
        else:
            scripts[name] = replace(known, open_libraries=value in _TRUE)
    expressions = _expressions(data.get(EXPRESSIONS) or "", problems)
    return UserChecks(scripts, run, expressions, evaluate, tuple(problems))


def _inline(text: str) -> dict[str, Script]:
    found = _document(text, INLINE)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(item, dict) for item in found.values()):
        raise Invalid(f"argocd-cm: {INLINE}: an object of objects is expected")
    return {
        str(name): Script(str(item.get("health.lua") or ""), item.get("health.lua.useOpenLibs") is True)
        for name, item in found.items()
    }


def _expressions(text: str, problems: list[str]) -> dict[tuple[str, str], Expressions]:
    try:
        listed = _document(text, EXPRESSIONS)
    except Invalid as error:
        problems.append(error.message)
        return {}
    if listed is None:
        return {}
    if not isinstance(listed, list):
        problems.append(f"argocd-cm: {EXPRESSIONS}: a list is expected")
        return {}
    found: dict[tuple[str, str], Expressions] = {}
    for number, item in enumerate(listed):
        problem = _wrong(item)
        if problem:
            problems.append(f"argocd-cm: {EXPRESSIONS}[{number}]: {problem}")
            continue
        group, _ = split_api_version(item["apiVersion"])
        name = group, str(item.get("kind") or "")
        if name in found:
            problems.append(f"argocd-cm: {EXPRESSIONS}[{number}]: {'/'.join(name)} is there already")
            continue
        found[name] = {word: item[word] for word in _WORDS if item.get(word)}
    return found


def _wrong(item: Any) -> str:
    if not isinstance(item, dict):
        return "an object is expected"
    if not isinstance(item.get("apiVersion"), str) or not item["apiVersion"]:
        return "apiVersion is expected"
    words: Sequence[str] = ("kind", *_WORDS)
    bad = next((word for word in words if not isinstance(item.get(word) or "", str)), "")
    if bad:
        return f"{bad}: text is expected, found {item[bad]!r}"
    return "" if item.get("current") else "current is expected"


def _document(text: str, key: str) -> Any:
    if not text.strip():
        return None
    documents = yamlio.load_all(text, source=f"argocd-cm: {key}")
    return documents[0] if documents else None
