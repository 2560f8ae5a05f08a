"""Which form of an answer the client wants, from its `Accept` header."""

from __future__ import annotations

from dataclasses import dataclass

from argosy.machinery import failure

OBJECT, TABLE, PARTIAL, DISCOVERY = "object", "table", "partial", "discovery"
JSON, YAML = "application/json", "application/yaml"
_YAML = (YAML, "application/x-yaml", "text/yaml")
_ANY = ("*/*", "application/*", "")


@dataclass(frozen=True, slots=True)
class Form:
    """`shape` is one of OBJECT, TABLE, PARTIAL (metadata only), DISCOVERY (aggregated); `version` is that of
    the shape.
    """

    shape: str = OBJECT
    yaml: bool = False
    version: str = "v1"

    @property
    def media_type(self) -> str:
        """What the answer calls itself."""
        return YAML if self.yaml else JSON


@dataclass(frozen=True, slots=True)
class _Wish:
    media: str
    parameters: dict[str, str]
    weight: float


def _wishes(accept: str) -> list[_Wish]:
    out = []
    for part in accept.split(","):
        media, *rest = (piece.strip() for piece in part.split(";"))
        parameters = dict(piece.split("=", 1) for piece in rest if "=" in piece)
        try:
            weight = float(parameters.pop("q", "1"))
        except ValueError:
            weight = 0.0
        out.append(_Wish(media.lower(), parameters, weight))
    return sorted((wish for wish in out if wish.weight > 0), key=lambda wish: -wish.weight)


def form(accept: str, *, shapes: tuple[str, ...] = (OBJECT,)) -> Form:
    """The first form that the client accepts and we can make. Raises `ApiFailure` 406."""
    for wish in _wishes(accept or "*/*"):
        found = _form(wish, shapes)
        if found is not None:
            return found
    raise failure.not_acceptable([JSON, YAML])


def _form(wish: _Wish, shapes: tuple[str, ...]) -> Form | None:
    yaml = wish.media in _YAML
    if not yaml and wish.media != JSON and wish.media not in _ANY:
        return None
    wanted = wish.parameters.get("as")
    if not wanted:
        return Form(OBJECT, yaml)
    group, version = wish.parameters.get("g", ""), wish.parameters.get("v", "")
    if wanted == "Table" and TABLE in shapes and group == "meta.k8s.io" and version in ("v1", "v1beta1"):
        return Form(TABLE, yaml, version)
    if wanted in ("PartialObjectMetadata", "PartialObjectMetadataList") and PARTIAL in shapes:
        return Form(PARTIAL, yaml, version or "v1")
    if wanted == "APIGroupDiscoveryList" and DISCOVERY in shapes and version == "v2":
        return Form(DISCOVERY, yaml, version)
    return None
