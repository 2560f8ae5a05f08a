"""What this cluster lets its hub do: the policy of the cluster's owner, which nothing from the hub can widen. Pure.

It is a file of the form

    apiVersion: argosy.dev/v1alpha1
    kind: AgentPolicy
    spec:
      mode: manage                  # or adopt, observe, release
      namespaces: {allow: ["team-*"], deny: ["team-secret"]}
      kinds: {deny: [{group: rbac.authorization.k8s.io, kind: "*"}]}
      serviceAccounts: {allow: ["team-*:deployer"], required: true}
      maxDeletionsPerHour: 20

Patterns are globs; a denial beats everything; `allow` that is not given allows all. An unknown field is an error: a
slip of the pen must not leave open what was meant to be shut.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agent.core.adoption import Adoption
from argosy.errors import Invalid
from argosy.objects import ObjectKey

API_VERSION, KIND = "argosy.dev/v1alpha1", "AgentPolicy"
HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class Rule:
    """Globs that allow and globs that deny; `allow` None allows everything."""

    allow: tuple[str, ...] | None = None
    deny: tuple[str, ...] = ()

    def refused(self, text: str) -> str:
        """ "deny" or "allow": the list that refuses it; "" where it is permitted."""
        if any(fnmatch.fnmatchcase(text, pattern) for pattern in self.deny):
            return "deny"
        allowed = self.allow is None or any(fnmatch.fnmatchcase(text, pattern) for pattern in self.allow)
        return "" if allowed else "allow"


@dataclass(frozen=True, slots=True)
class LocalPolicy:
    """`kinds` are matched as `group/Kind`, `accounts` as `namespace:name`. `source` is named in refusals. `own` are the
    agent's own namespaces, where this very policy lies: an app comes there only where `allow` spells the name out.
    """

    mode: Adoption = Adoption.MANAGE
    namespaces: Rule = Rule()
    kinds: Rule = Rule()
    accounts: Rule = Rule()
    account_required: bool = False
    max_deletions: int | None = None
    source: str = ""
    own: frozenset[str] = frozenset()

    def refusal(self, key: ObjectKey, account: str) -> str:
        """Why this object may not be written as that service account ("" for the agent itself), or ""."""
        if wrong := self.account_refusal(account):
            return wrong
        kind = f"{key.group}/{key.kind}"
        if by := self.kinds.refused(kind):
            return self._told(f"kinds.{by}", f"kind {kind.lstrip('/')}")
        namespace = key.name if (key.group, key.kind) == ("", "Namespace") else key.namespace
        if namespace and (by := self.namespaces.refused(namespace)):
            return self._told(f"namespaces.{by}", f"namespace {namespace}")
        if namespace in self.own and namespace not in (self.namespaces.allow or ()):
            return self._told("namespaces.allow", f"namespace {namespace}, the agent's own,")
        return ""

    def observed(self) -> str:
        """Why nothing whatever is written, or ""."""
        return f"spec.mode of {self.source}" if self.mode is Adoption.OBSERVE else ""

    def account_refusal(self, account: str) -> str:
        """Why nothing may be done as that service account, or ""."""
        if not account:
            return (
                self._told("serviceAccounts.required", "an app without a service account of its project")
                if self.account_required
                else ""
            )
        by = self.accounts.refused(account)
        return self._told(f"serviceAccounts.{by}", f"service account {account}") if by else ""

    def deletion_refusal(self, deleted: Sequence[float], now: float) -> str:
        """Why no further object may be deleted at `now`, after deletions at those times (Unix seconds), or "".

        A deletion that seems to lie in the future counts: a clock that was set back must not open the door.
        """
        if self.mode is not Adoption.MANAGE:
            return self._told("mode", f"a deletion in mode {self.mode}")
        if self.max_deletions is None:
            return ""
        recent = recent_deletions(deleted, now)
        if len(recent) < self.max_deletions:
            return ""
        return self._told(
            "maxDeletionsPerHour",
            f"{len(recent)} deletions within the hour, at most {self.max_deletions}: one more",
        )

    def _told(self, field: str, what: str) -> str:
        return f"{what} is refused by this cluster's own policy: spec.{field} of {self.source}"


OPEN = LocalPolicy()


def recent_deletions(deleted: Iterable[float], now: float) -> tuple[float, ...]:
    """Those that still count."""
    return tuple(when for when in deleted if now - when < HOUR)


def parse(documents: Sequence[Any], source: str, own: Iterable[str] = ()) -> LocalPolicy:
    """`own`: see `LocalPolicy`. Raises `Invalid` naming file and field, what was found and what is expected."""
    if len(documents) != 1 or not isinstance(documents[0], Mapping):
        raise Invalid(f"{source}: one {KIND} object is expected, found {len(documents)} documents")
    policy = documents[0]
    if (policy.get("apiVersion"), policy.get("kind")) != (API_VERSION, KIND):
        found = f"{policy.get('kind')} of {policy.get('apiVersion')}"
        raise Invalid(f"{source}: {KIND} of {API_VERSION} is expected, found {found}")
    _known(policy, ("apiVersion", "kind", "metadata", "spec"), "", source)
    spec = _map(policy.get("spec"), "spec", source)
    known = ("mode", "namespaces", "kinds", "serviceAccounts", "maxDeletionsPerHour")
    _known(spec, known, "spec.", source)
    accounts = _map(spec.get("serviceAccounts"), "spec.serviceAccounts", source)
    required = accounts.get("required", False)
    if not isinstance(required, bool):
        raise Invalid(
            f"{source}: spec.serviceAccounts.required: true or false is expected, found {required!r}"
        )
    return LocalPolicy(
        mode=_mode(spec.get("mode", Adoption.MANAGE.value), source),
        namespaces=_rule(spec.get("namespaces"), "spec.namespaces", source, _text),
        kinds=_rule(spec.get("kinds"), "spec.kinds", source, _kind),
        accounts=_rule(
            {name: value for name, value in accounts.items() if name != "required"},
            "spec.serviceAccounts",
            source,
            _account,
        ),
        account_required=required,
        max_deletions=_count(spec.get("maxDeletionsPerHour"), source),
        source=source,
        own=frozenset(own),
    )


def _mode(value: Any, source: str) -> Adoption:
    try:
        return Adoption(value)
    except ValueError:
        raise Invalid(f"{source}: spec.mode: {', '.join(Adoption)} is expected, found {value!r}") from None


def _count(value: Any, source: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Invalid(f"{source}: spec.maxDeletionsPerHour: a number from 0 on is expected, found {value!r}")
    return value


def _rule(value: Any, where: str, source: str, read: Any) -> Rule:
    given = _map(value, where, source)
    _known(given, ("allow", "deny"), f"{where}.", source)
    lists: dict[str, tuple[str, ...]] = {}
    for name, items in given.items():
        if not isinstance(items, list):
            raise Invalid(f"{source}: {where}.{name}: a list is expected, found {items!r}")
        lists[name] = tuple(read(item, f"{where}.{name}[{at}]", source) for at, item in enumerate(items))
    return Rule(lists.get("allow"), lists.get("deny", ()))


def _text(value: Any, where: str, source: str) -> str:
    if not isinstance(value, str) or not value:
        raise Invalid(f"{source}: {where}: a pattern is expected, found {value!r}")
    return value


def _account(value: Any, where: str, source: str) -> str:
    text = _text(value, where, source)
    if text != "*" and text.count(":") != 1:
        raise Invalid(f"{source}: {where}: namespace:name is expected, found {value!r}")
    return text


def _kind(value: Any, where: str, source: str) -> str:
    given = _map(value, where, source)
    _known(given, ("group", "kind"), f"{where}.", source)
    group = given.get("group", "")
    if not isinstance(group, str):
        raise Invalid(f"{source}: {where}.group: a pattern is expected, found {group!r}")
    return f"{group}/{_text(given.get('kind'), f'{where}.kind', source)}"


def _map(value: Any, where: str, source: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise Invalid(f"{source}: {where}: a mapping is expected, found {value!r}")
    return value


def _known(given: Mapping[str, Any], names: Iterable[str], where: str, source: str) -> None:
    for name in given:
        if name not in names:
            raise Invalid(f"{source}: {where}{name}: no such field; there are {', '.join(names)}")
