"""Kinds of objects as a cluster serves them. Pure records; which ones there are is asked by an adapter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from argosy import objects
from argosy.objects import Manifest


class Gvk(NamedTuple):
    """Group ("" for the core group), version and kind."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class ApiKind:
    """One kind at one version as discovery tells it. `plural` is the name in the URL."""

    gvk: Gvk
    plural: str
    namespaced: bool
    verbs: frozenset[str] = frozenset()


Kinds = Mapping[Gvk, ApiKind]
"""All kinds a cluster serves, every served version of each; a group's preferred version comes first."""

NAMESPACE = Gvk("", "v1", "Namespace")
CONFIG_MAP = Gvk("", "v1", "ConfigMap")
CRD = Gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition")

WATCHABLE = frozenset({"list", "watch"})


def gvk_of(manifest: Manifest) -> Gvk:
    """The kind of a manifest that has `apiVersion` and `kind`."""
    group, version = objects.split_api_version(manifest["apiVersion"])
    return Gvk(group, version, manifest["kind"])


def served(kinds: Kinds, wanted: Gvk) -> ApiKind | None:
    """The kind at the wanted version, or else at the first version its group still serves; None where there
    is none.

    Inventories outlive versions: an object written as v1beta1 is found again as v1.
    """
    exact = kinds.get(wanted)
    return exact if exact is not None else by_name(kinds.values(), wanted.group, wanted.kind)


def by_name(kinds: Iterable[ApiKind], group: str, kind: str) -> ApiKind | None:
    """The first kind of that group and name, whatever its version."""
    return next((item for item in kinds if item.gvk.group == group and item.gvk.kind == kind), None)
