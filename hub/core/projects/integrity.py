"""Which sources a project wants signed, and whether what was found of signatures is enough (Argo CD 3.6,
`util/sourceintegrity`): `spec.sourceIntegrity.git.policies`, and `spec.signatureKeys`, which is one policy for every
repository in mode `head`.

Mode `head` looks at the target revision alone: at the tag where it is an annotated one, else at the commit. `strict`
looks at all ancestors too, back to commits that seal what was before them. Charts are not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from argosy import gobwas
from argosy.errors import Invalid
from argosy.objects import Manifest

CONFIG_MAP = "argocd-gpg-keys-cm"
"""Its entries are the armored public keys that may sign at all, each under its key's id of 16 hexadecimal digits."""
SWITCH = "ARGOCD_GPG_ENABLED"
"""The variable of the environment that turns all of this off, with `false` or `no`."""
NONE, HEAD, STRICT = "none", "head", "strict"
SEAL = "Argocd-gpg-seal:"
"""The trailer of a signed commit that vouches for all its ancestors."""
_CHECK = "GIT/GPG"
_SHOWN = 10
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_KEY = re.compile(r"(?:[0-9A-F]{24})?([0-9A-F]{16})\Z")


class Verdict(StrEnum):
    """What GnuPG says of one signature, in Argo CD's words."""

    GOOD = "signed"
    BAD = "bad signature"
    UNTRUSTED = "signed with untrusted key"
    EXPIRED = "expired signature"
    KEY_EXPIRED = "signed with expired key"
    KEY_REVOKED = "signed with revoked key"
    KEY_MISSING = "signed with key not in keyring"
    UNSIGNED = "unsigned"


@dataclass(frozen=True, slots=True)
class Signature:
    """One commit or tag: `revision` is its id or its name, `key` the id of the key that signed it ("" for none), `primary`
    that of the key which this is a subkey of. `author` is `Name <address>`.
    """

    revision: str
    verdict: Verdict
    key: str
    primary: str
    author: str


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked of one source: `mode` is `head` or `strict`, `keys` the ids of those who may sign."""

    mode: str
    keys: frozenset[str]


def asked(project: Manifest) -> bool:
    """Whether the project wants any source signed."""
    spec = project.get("spec") or {}
    return bool(spec.get("signatureKeys") or _declared(spec))


def policies(project: Manifest, repo: str) -> list[Policy]:
    """What the project asks of a repository: nothing, or each of these. Raises `Invalid` for a project that asks for
    several things at once, or for something that is not understood: a mistake must not turn checks off.
    """
    spec = project.get("spec") or {}
    found = []
    if keys := spec.get("signatureKeys"):
        found.append(Policy(HEAD, _keys(item.get("keyID") for item in keys)))
    matching = [item for item in _declared(spec) if _concerns(item, repo)]
    if len(matching) > 1:
        raise Invalid(f"multiple ({len(matching)}) git source integrity policies found for repo URL: {repo}")
    for item in matching:
        gpg = item.get("gpg")
        if gpg is None or gpg.get("mode") == NONE:
            continue
        mode = gpg.get("mode") or ""
        if mode not in (HEAD, STRICT):
            raise Invalid(f'unknown GPG mode "{mode}" configured for GIT source integrity')
        found.append(Policy(mode, _keys(gpg.get("keys") or ())))
    return found


def wanted(project: Manifest, repo: str) -> bool:
    """Whether the project wants a repository signed; one that cannot be understood wants everything so."""
    try:
        return bool(policies(project, repo))
    except Invalid:
        return True


def problems(policy: Policy, found: Sequence[Signature]) -> list[str]:
    """Why the signatures are not enough, at most ten reasons and one for each key; nothing where they are."""
    told: list[str] = []
    blamed: set[str] = set()
    for one in found:
        wrong = _wrong(policy, one)
        if not wrong or (one.key in blamed and _COMMIT.match(one.revision)):
            continue
        if one.key and _COMMIT.match(one.revision):
            blamed.add(one.key)
        told.append(f"{_CHECK}: Failed verifying revision {one.revision} by '{one.author}': {wrong}")
        if len(told) == _SHOWN:
            break
    return told


def key_id(text: object) -> str:
    """The id of 16 digits of a key, given by it or by its fingerprint; "" for anything else."""
    found = _KEY.match(str(text or "").upper())
    return found[1] if found else ""


def keyring(data: Mapping[str, Any]) -> dict[str, str]:
    """Key id -> armored key, of the ConfigMap's `data`. An entry under any other name is none, as in Argo CD."""
    return {key_id(name): str(text) for name, text in data.items() if len(name) == 16 and key_id(name)}


def enabled(value: str) -> bool:
    """What the variable `SWITCH` says."""
    return value.lower() not in ("false", "no")


def _declared(spec: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    declared: list[Mapping[str, Any]] = ((spec.get("sourceIntegrity") or {}).get("git") or {}).get(
        "policies"
    ) or []
    return declared


def _concerns(policy: Mapping[str, Any], repo: str) -> bool:
    wanted = False
    for item in policy.get("repos") or ():
        pattern = item.get("url") or "" if isinstance(item, Mapping) else str(item)
        if pattern.startswith("!"):
            if gobwas.match(pattern[1:], repo):
                return False
        elif gobwas.match(pattern, repo):
            wanted = True
    return wanted


def _keys(given: Iterable[object]) -> frozenset[str]:
    return frozenset(filter(None, map(key_id, given)))


def _wrong(policy: Policy, one: Signature) -> str:
    if one.verdict is not Verdict.GOOD:
        return f"{one.verdict} (key_id={one.key})"
    if {key_id(one.key), key_id(one.primary)} & policy.keys:
        return ""
    return f"signed with unallowed key (key_id={one.key})"
