"""Small charts: as files of a tree, and as the archives that chart repositories serve."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping

SHOWING = """apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-shown
data:
  namespace: {{ .Release.Namespace }}
  chart: {{ .Chart.Name }}-{{ .Chart.Version }}
  values: {{ toJson .Values | quote }}
"""
"""A template that tells everything it was given."""


def chart(name: str = "web", version: str = "1.2.3") -> dict[str, str]:
    """The files of a chart that shows its values."""
    return {
        "Chart.yaml": f"apiVersion: v2\nname: {name}\nversion: {version}\n",
        "values.yaml": "from: chart\n",
        "templates/shown.yaml": SHOWING,
    }


def below(folder: str, files: Mapping[str, str]) -> dict[str, str]:
    return {f"{folder}/{path}": text for path, text in files.items()}


def archive(files: Mapping[str, str], links: Mapping[str, str] | None = None) -> bytes:
    """A gzipped tar archive of files, and of symbolic links (path -> target)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path, text in files.items():
            data = text.encode()
            member = tarfile.TarInfo(path)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
        for path, target in (links or {}).items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return out.getvalue()


def packed(name: str = "web", version: str = "1.2.3") -> bytes:
    """A chart as `helm package` packs it."""
    return archive(below(name, chart(name, version)))
