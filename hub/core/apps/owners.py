"""Which applications of one cluster want the same object, known before anything of it is applied.

Argo CD tells of it once the object is live (`SharedResourceWarning`); here the claims of all applications are
compared when they are rendered. Pure: claims in, names out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from argosy.objects import ObjectKey

SHARED = "SharedResourceWarning"
REPEATED = "RepeatedResourceWarning"
SHOWN = 5


@dataclass(frozen=True, slots=True)
class _Claim:
    cluster: str
    keys: Sequence[ObjectKey]


class Owners:
    """The claims of all applications, by their ids. An object usually has one holder, so that one is held bare."""

    def __init__(self) -> None:
        self._claims: dict[str, _Claim] = {}
        self._holders: dict[str, dict[ObjectKey, str | tuple[str, ...]]] = {}

    def claim(self, app: str, cluster: str, keys: Sequence[ObjectKey]) -> set[str]:
        """Puts a claim in the place of the application's former one.

        Returns the other applications that gained or lost a shared object by it. `keys` may be shared between
        callers and is not to be changed; cluster "" claims nothing.
        """
        before = self._claims.get(app)
        if before is not None and before.cluster == cluster and before.keys == keys:
            return set()
        old = self._partners(app)
        self._drop(app)
        if cluster and keys:
            self._claims[app] = _Claim(cluster, keys)
            holders = self._holders.setdefault(cluster, {})
            for key in keys:
                held = _all(holders.get(key))
                if app not in held:
                    holders[key] = app if not held else (*held, app)
        new = self._partners(app)
        return {other for key, other in old ^ new}

    def leave(self, app: str) -> set[str]:
        """Ends an application's claim; returns as `claim`."""
        return self.claim(app, "", ())

    def holders(self, cluster: str, key: ObjectKey) -> tuple[str, ...]:
        """The applications that want an object."""
        return _all(self._holders.get(cluster, {}).get(key))

    def shared(self, app: str) -> list[tuple[ObjectKey, tuple[str, ...]]]:
        """The application's objects that others want too, with the others' ids, in key order."""
        claim = self._claims.get(app)
        if claim is None:
            return []
        holders = self._holders[claim.cluster]
        found = {
            key: tuple(sorted(other for other in held if other != app))
            for key in claim.keys
            if isinstance(held := holders[key], tuple)
        }
        return sorted(found.items())

    def _partners(self, app: str) -> set[tuple[ObjectKey, str]]:
        return {(key, other) for key, others in self.shared(app) for other in others}

    def _drop(self, app: str) -> None:
        claim = self._claims.pop(app, None)
        if claim is None:
            return
        holders = self._holders[claim.cluster]
        for key in set(claim.keys):
            left = tuple(other for other in _all(holders[key]) if other != app)
            if len(left) > 1:
                holders[key] = left
            elif left:
                holders[key] = left[0]
            else:
                del holders[key]
        if not holders:
            del self._holders[claim.cluster]


def _all(held: str | tuple[str, ...] | None) -> tuple[str, ...]:
    return () if held is None else held if isinstance(held, tuple) else (held,)


def message(shared: Iterable[tuple[ObjectKey, Iterable[str]]], app: str) -> str:
    """Argo CD's words for shared objects, "" where there are none; `app` and the others by their shown names."""
    lines = [
        f"{_shown(key)} is part of applications {' and '.join((app, *others))}" for key, others in shared
    ]
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "; ".join(lines[:SHOWN] + more)


def _shown(key: ObjectKey) -> str:
    return f"{key.kind}/{key.name}"
