"""Hooks of an Application's removal, and the finalizers by which Argo CD (3.6) knows that there are any. Pure.

An Application has a finalizer for each phase that its bundle has hooks for. Whoever takes one away, be it while the
Application is deleted, takes the phase away.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from argosy import stages
from argosy.objects import Manifest
from argosy.stages import Phase

FINALIZERS = {
    Phase.PRE_DELETE.word: "pre-delete-finalizer.argocd.argoproj.io",
    Phase.POST_DELETE.word: "post-delete-finalizer.argocd.argoproj.io",
}
CASCADE = "resources-finalizer.argocd.argoproj.io"
"""With a suffix (`/foreground`, `/background`) too."""


def endings(manifests: Iterable[Manifest]) -> frozenset[str]:
    """The phases of a removal that these objects have hooks for."""
    return frozenset(phase.word for manifest in manifests for phase in stages.ends(manifest))


def finalizers(present: Sequence[str], phases: frozenset[str]) -> list[str]:
    """The Application's finalizers once they say which phases there are; the others stay as they are."""
    out = [name for name in present if _phase(name) in phases or not _phase(name)]
    held = {_phase(name) for name in out}
    return [*out, *(FINALIZERS[phase] for phase in FINALIZERS if phase in phases and phase not in held)]


def phases(present: Iterable[str]) -> tuple[str, ...]:
    """The phases that finalizers speak of, in their order."""
    said = {_phase(name) for name in present}
    return tuple(phase for phase in FINALIZERS if phase in said)


def cascades(present: Iterable[str]) -> bool:
    """Whether the Application's objects go with it."""
    return any(name == CASCADE or name.startswith(f"{CASCADE}/") for name in present)


def ours(name: str) -> bool:
    """Whether a finalizer is seen to by the hub."""
    return bool(_phase(name)) or cascades([name])


def _phase(finalizer: str) -> str:
    base = finalizer.partition("/")[0]
    return next((phase for phase, name in FINALIZERS.items() if name == base), "")
