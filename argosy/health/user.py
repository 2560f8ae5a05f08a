"""Users' own health checks: which script of `argocd-cm` looks at which kind, and what its answer means.

Keys and precedence are Argo CD's (3.6, `util/settings`, `util/lua`). Knows no Lua: what runs a script is handed in.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from argosy import yamlio
from argosy.errors import Invalid
from argosy.health.base import NONE, Found, unknown
from argosy.objects import Manifest
from argosy.status import Health

INLINE = "resource.customizations"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_STATES = {state.value: state for state in Health}

Run = Callable[[str, bool, Manifest], Any]
"""(script, with open libraries, object) -> what the script returns, as JSON's types; raises `Failed`."""


class Failed(Exception):
    """The script gave no answer."""


class Answer(NamedTuple):
    """`lasting` says that the answer stands for an object that is being deleted as well."""

    found: Found
    lasting: bool = False


@dataclass(frozen=True, slots=True)
class Script:
    text: str = ""
    open_libraries: bool = False


@dataclass(frozen=True, slots=True)
class UserChecks:
    """Scripts by `group/Kind` (`Kind` in the core group), where both may be globs."""

    scripts: Mapping[str, Script] = field(default_factory=dict)
    run: Run | None = None

    def script_for(self, group: str, kind: str) -> Script | None:
        """The script for a kind: its own, else that of the first glob that matches it; None where there is none."""
        name = f"{group}/{kind}" if group else kind
        own = self.scripts.get(name)
        if own is not None and own.text:
            return own
        matching = (
            key for key in sorted(self.scripts) if self.scripts[key].text and fnmatch.fnmatchcase(name, key)
        )
        first = next(matching, None)
        return None if first is None else self.scripts[first]

    def answer(self, live: Manifest, script: Script) -> Answer | None:
        """What the script says; None where it leaves the object to the built-in check. Raises `Failed`."""
        assert self.run is not None, "there are no scripts without something to run them"
        value = self.run(script.text, script.open_libraries, live)
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


def read(data: Mapping[str, str], run: Run) -> UserChecks:
    """The checks in the data of `argocd-cm`. Raises `Invalid` naming the key that cannot be used."""
    scripts = _inline(data.get(INLINE) or "")
    for key, value in data.items():
        kind, _, name = key.removeprefix(f"{INLINE}.").partition(".")
        if not key.startswith(f"{INLINE}.") or not name or kind not in ("health", "useOpenLibs"):
            continue
        parts = name.split("_")
        if len(parts) > 2:
            raise Invalid(f"argocd-cm: {key}: <group>_<kind> or <kind> is expected at the end")
        name = "*/*" if name == "all" else "/".join(parts)
        known = scripts.get(name, Script())
        if kind == "health":
            scripts[name] = replace(known, text=value)
        else:
            scripts[name] = replace(known, open_libraries=value in _TRUE)
    return UserChecks(scripts, run)


def _inline(text: str) -> dict[str, Script]:
    if not text.strip():
        return {}
    documents = yamlio.load_all(text, source=f"argocd-cm: {INLINE}")
    found = documents[0] if documents else {}
    if not isinstance(found, dict) or not all(isinstance(item, dict) for item in found.values()):
        raise Invalid(f"argocd-cm: {INLINE}: an object of objects is expected")
    return {
        str(name): Script(str(item.get("health.lua") or ""), item.get("health.lua.useOpenLibs") is True)
        for name, item in found.items()
    }
