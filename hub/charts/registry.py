"""Charts and artifacts in OCI registries, by the distribution API: pages of tags, manifests and blobs by digest."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urljoin

from argosy.errors import Invalid, Unavailable
from hub.charts import archive
from hub.charts.client import Client, mapping

CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
_LAYER = re.compile(r"application/(?:vnd\.[\w.+-]*\.)?(?:[\w+-]+\.)*tar(?:[+.]gzip)?\Z")
_NEXT = re.compile(r'<([^>]+)>;\s*rel="?next"?')
_MAX_MANIFEST = 4 * 1024 * 1024
_MAX_TAGS = 16 * 1024 * 1024
_MAX_PAGES = 200
DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")


class Registry:
    """One repository of one registry."""

    def __init__(self, client: Client, repository: str) -> None:
        self._client = client
        self._repository = repository
        self._base = f"{client.origin}/v2/{repository}"

    async def tags(self) -> list[str]:
        """All tags. Raises `NotFound`, `Unavailable`."""
        found: list[str] = []
        url = f"{self._base}/tags/list?n=1000"
        for _ in range(_MAX_PAGES):
            answer = await self._client.get(url, _MAX_TAGS)
            listed = mapping(answer.body, url).get("tags") or []
            if not isinstance(listed, list):
                raise Unavailable(f"{url}: tags is no list")
            found += [str(tag) for tag in listed]
            following = _NEXT.match(answer.headers.get("link", ""))
            if not following:
                return found
            url = urljoin(url, following[1])
            if not url.startswith(f"{self._client.origin}/"):
                raise Unavailable(f"{self._base}: the next page of tags is on another host")
        raise Unavailable(f"{self._base}: more than {_MAX_PAGES} pages of tags")

    async def digest(self, reference: str) -> str:
        """The digest of the manifest that a tag stands for now."""
        return (await self._manifest(reference))[0]

    async def content(self, reference: str) -> tuple[str, str, bytes]:
        """(the manifest's digest, the archive layer's media type, the archive), both digests checked.

        Raises `Invalid` where the artifact has no one archive layer.
        """
        digest, manifest = await self._manifest(reference)
        layers = [layer for layer in manifest.get("layers") or () if isinstance(layer, dict)]
        charts = [layer for layer in layers if layer.get("mediaType") == CHART_LAYER]
        wanted = charts or [layer for layer in layers if _LAYER.match(str(layer.get("mediaType")))]
        if len(wanted) != 1:
            raise Invalid(f"{self._base}: {reference}: one archive layer is expected, found {len(wanted)}")
        blob, media = str(wanted[0].get("digest")), str(wanted[0].get("mediaType"))
        if not DIGEST.match(blob):
            raise Unavailable(f"{self._base}: {reference}: the layer has no SHA-256 digest")
        answer = await self._client.get(f"{self._base}/blobs/{blob}", archive.MAX_ARCHIVE)
        if f"sha256:{archive.sha256(answer.body)}" != blob:
            raise Unavailable(f"{self._base}: blob {blob} is damaged")
        return digest, media, answer.body

    async def _manifest(self, reference: str) -> tuple[str, Mapping[str, Any]]:
        url = f"{self._base}/manifests/{reference}"
        headers = {"Accept": ", ".join(_MANIFESTS)}
        answer = await self._client.get(url, _MAX_MANIFEST, headers=headers)
        digest = f"sha256:{archive.sha256(answer.body)}"
        if DIGEST.match(reference) and digest != reference:
            raise Unavailable(f"{url}: the content has digest {digest}")
        return digest, mapping(answer.body, url)
