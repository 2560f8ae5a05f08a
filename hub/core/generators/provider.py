"""What the two generators over hosting services share: which one is meant, is it allowed, and its
credentials.
"""

from __future__ import annotations

import fnmatch
from typing import Any

from argosy.objects import canonical
from hub.core.generators.base import Context, GeneratorFailed, ProviderRequest

DEFAULT_REQUEUE = 1800
"""Seconds (Argo CD: 30 minutes)."""
GITHUB_APP_KEYS = (
    "githubAppID",
    "githubAppInstallationID",
    "githubAppPrivateKey",
    "githubAppEnterpriseBaseUrl",
)


def request(kind: str, spec: dict[str, Any], known: tuple[str, ...], context: Context) -> ProviderRequest:
    """The question to ask. Raises `GeneratorFailed` for a provider that is not allowed or not configured."""
    chosen = [name for name in known if spec.get(name) is not None]
    if len(chosen) != 1:
        raise GeneratorFailed(f"exactly one of {', '.join(known)} must be given, found {len(chosen)}")
    name, config = chosen[0], spec[chosen[0]]
    address = config.get("api", "")
    if address and context.allowed_providers and not _allowed(address, context.allowed_providers):
        raise GeneratorFailed(f"scm provider not allowed: {address}", f"{name}.api")
    wanted: dict[str, Any] = {
        key: spec[key] for key in ("filters", "cloneProtocol") if key in spec and kind == "scmProvider"
    }
    if kind == "pullRequest" and spec.get("continueOnRepoNotFoundError"):
        wanted["continueOnRepoNotFoundError"] = True
    question = {**wanted, "provider": name, "config": config}
    return ProviderRequest(kind, canonical(question).decode(), tuple(_secrets(config, name, context)))


def _allowed(address: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(address, pattern) for pattern in patterns)


def _secrets(config: dict[str, Any], path: str, context: Context) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for key, value in config.items():
        place = f"{path}.{key}"
        if key == "appSecretName" and value:
            found += _github_app(value, context)
        elif not isinstance(value, dict):
            continue
        elif "secretName" in value:
            text = context.secret(value["secretName"], value["key"], context.set_namespace)
            found.append((place.partition(".")[2], text))
        elif "configMapName" in value:
            texts = context.config_map(value["configMapName"], context.set_namespace)
            if value["key"] not in texts:
                raise GeneratorFailed(
                    f"key {value['key']!r} in configmap {value['configMapName']!r} not found", place
                )
            found.append((place.partition(".")[2], texts[value["key"]]))
        else:
            found += _secrets(value, place, context)
    return found


def _github_app(name: str, context: Context) -> list[tuple[str, str]]:
    required = GITHUB_APP_KEYS[:3]
    return [(key, context.secret(name, key, context.namespace)) for key in required]
