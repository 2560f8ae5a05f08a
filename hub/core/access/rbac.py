"""Argo CD's `policy.csv` (3.6, `util/rbac`): who may do what with which object, decided without casbin.

A subject has the rules of its own name and of all roles it is in, also through other roles. It may where one of them
allows and none denies. The default role is asked first, so a denial cannot take away what it gives; then the user, then
each of his groups that the policy knows, each for itself.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from argosy import gobwas
from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core import expressions

CONFIG_MAP = "argocd-rbac-cm"
_DEPTH = 10
"""How far roles reach through roles, as in casbin."""

BUILT_IN = """
p, role:readonly, *, get, *, allow
p, role:readonly, secrets, *, *, deny
p, role:admin, *, *, *, allow
"""


@dataclass(frozen=True, slots=True)
class Rule:
    """One `p` line less its subject."""

    resource: str
    action: str
    object: str
    allow: bool


@dataclass(frozen=True, slots=True)
class Policy:
    """`rules` and `roles` are by subject. `regex`: patterns are regular expressions, not globs."""

    rules: Mapping[str, tuple[Rule, ...]] = field(default_factory=dict)
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    default: str = ""
    regex: bool = False
    projects: Mapping[str, Policy] = field(default_factory=dict)
    """What the roles of each AppProject add where one of its objects is asked about."""

    def allows(
        self, name: str, groups: Iterable[str], resource: str, action: str, thing: str, project: str = ""
    ) -> bool:
        """Whether a user may."""
        extra = self.projects.get(project, NOTHING)
        return any(
            self._enforced(subject, resource, action, thing, extra)
            for subject in self._asked(name, groups, extra)
        )

    def might(self, name: str, groups: Iterable[str], resource: str, action: str) -> bool:
        """Whether there is any object with which a user may do that, as far as rules that allow say."""
        groups = tuple(groups)
        for extra in (NOTHING, *self.projects.values()):
            for subject in self._asked(name, groups, extra):
                for rule in self._rules(subject, extra):
                    if (
                        rule.allow
                        and self._match(rule.resource, resource)
                        and self._match(rule.action, action)
                    ):
                        return True
        return False

    def concerning(self, name: str, groups: Iterable[str]) -> Mapping[str, Any]:
        """All that decides about a user: where two policies say the same, he may by both what he may by one."""
        groups = tuple(groups)
        said = {
            project: [frozenset(self._rules(subject, extra)) for subject in self._asked(name, groups, extra)]
            for project, extra in (("", NOTHING), *self.projects.items())
        }
        return {key: rules for key, rules in said.items() if not key or rules != said[""]} | {
            "regex": self.regex
        }

    def _asked(self, name: str, groups: Iterable[str], extra: Policy) -> list[str]:
        known = [group for group in groups if group in self.roles or group in extra.roles]
        return [*([self.default] if self.default else []), name, *known]

    def _enforced(self, subject: str, resource: str, action: str, thing: str, extra: Policy) -> bool:
        hits = [
            rule.allow
            for rule in self._rules(subject, extra)
            if self._match(rule.resource, resource)
            and self._match(rule.action, action)
            and self._match(rule.object, thing)
        ]
        return bool(hits) and all(hits)

    def _rules(self, subject: str, extra: Policy) -> list[Rule]:
        """Those of a subject and of its roles, near and far."""
        seen, edge = {subject}, [subject]
        for _ in range(_DEPTH):
            edge = [
                role
                for name in edge
                for role in (*self.roles.get(name, ()), *extra.roles.get(name, ()))
                if role not in seen
            ]
            seen.update(edge)
            if not edge:
                break
        return [rule for name in seen for rule in (*self.rules.get(name, ()), *extra.rules.get(name, ()))]

    def _match(self, pattern: str, text: str) -> bool:
        if self.regex:
            return expressions.found(pattern, text)
        return gobwas.match(pattern, text)


NOTHING = Policy()


def parse(text: str, *, default: str = "", regex: bool = False) -> Policy:
    """A policy with the built-in roles `role:readonly` and `role:admin`. Raises `Invalid` naming the line: a policy that
    cannot be read whole might lack a denial, so none of it counts."""
    return _parsed(BUILT_IN + text, default=default, regex=regex, first=BUILT_IN.count("\n"))


def of_config(data: Mapping[str, str], projects: Iterable[Manifest]) -> Policy:
    """The policy of `argocd-rbac-cm` (`policy.csv`, further `policy.*.csv`, `policy.default`, `policy.matchMode`) with
    the roles of projects. Raises `Invalid`; a project whose roles cannot be read adds nothing."""
    more = sorted(
        key for key in data if key.startswith("policy.") and key.endswith(".csv") and key != "policy.csv"
    )
    text = "\n".join([data.get("policy.csv", ""), *(data[key] for key in more)])
    regex = data.get("policy.matchMode") == "regex"
    base = parse(text, default=data.get("policy.default", ""), regex=regex)
    added = {item["metadata"]["name"]: of_project(item, regex=regex) for item in projects}
    return Policy(base.rules, base.roles, base.default, regex, {k: v for k, v in added.items() if v.rules})


def of_project(project: Manifest, *, regex: bool = False) -> Policy:
    """What a project's roles say: their policies, their groups, and that each may see the project."""
    name = project["metadata"]["name"]
    lines = []
    for role in (project.get("spec") or {}).get("roles") or ():
        subject = f"proj:{name}:{role.get('name')}"
        lines.append(f"p, {subject}, projects, get, {name}, allow")
        lines += [str(line) for line in role.get("policies") or ()]
        lines += [f"g, {group}, {subject}" for group in role.get("groups") or ()]
    try:
        return _parsed("\n".join(lines), regex=regex)
    except Invalid:
        return NOTHING


def _parsed(text: str, *, default: str = "", regex: bool = False, first: int = 0) -> Policy:
    rules: dict[str, list[Rule]] = {}
    roles: dict[str, list[str]] = {}
    for number, line in enumerate(text.splitlines(), 1 - first):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        words = _words(line, number)
        match words:
            case ["p", subject, resource, action, thing, ("allow" | "deny") as effect]:
                rules.setdefault(subject, []).append(Rule(resource, action, thing, effect == "allow"))
            case ["g", member, role]:
                roles.setdefault(member, []).append(role)
            case _:
                raise Invalid(
                    f'policy.csv line {number}: found "{line.strip()}", expected "p, subject, resource, action, object, '
                    'allow|deny" or "g, member, role"'
                )
    return Policy(_frozen(rules), _frozen(roles), default, regex)


def _words(line: str, number: int) -> Sequence[str]:
    try:
        (found,) = csv.reader([line], skipinitialspace=True, strict=True)
    except (csv.Error, ValueError) as error:
        raise Invalid(f"policy.csv line {number}: {error}") from None
    return [word.strip() for word in found]


def _frozen(found: Mapping[str, list[Any]]) -> dict[str, tuple[Any, ...]]:
    return {key: tuple(values) for key, values in found.items()}
