"""Generator `plugin`: parameter sets from a service of the user's own."""

from __future__ import annotations

import json
import re
from typing import Any

from argosy.objects import canonical
from hub.core.generators.base import Context, GeneratorFailed, ProviderRequest
from hub.core.template import gojson, params, render
from hub.core.template.params import Params, RawJson

DEFAULT_REQUEUE = 1800
"""Seconds (Argo CD: 30 minutes)."""
DEFAULT_TIMEOUT = 30


def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
    """Objects of the answer as they are, or flattened to text; the input is repeated under `generator`."""
    context.inputs.requeue_after(spec.get("requeueAfterSeconds") or DEFAULT_REQUEUE)
    config = context.config_map(spec["configMapRef"]["name"], context.namespace)
    if not config.get("baseUrl"):
        raise GeneratorFailed(f"ConfigMap {spec['configMapRef']['name']} has no baseUrl", "configMapRef")
    given = (spec.get("input") or {}).get("parameters")
    question = {
        "url": config["baseUrl"],
        "timeout": _timeout(config),
        "body": {"applicationSetName": context.appset, "input": {"parameters": given or {}}},
    }
    secrets = (("token", _token(config.get("token", ""), context)),)
    answer = context.provided(ProviderRequest("plugin", canonical(question).decode(), secrets))
    return [_of_object(dict(item), given, spec, context) for item in answer]


def _timeout(config: dict[str, str]) -> int:
    text = config.get("requestTimeout", str(DEFAULT_TIMEOUT))
    if not re.fullmatch(r"[+-]?[0-9]{1,6}", text):
        raise GeneratorFailed(f"requestTimeout: expected whole seconds, found {text!r}", "configMapRef")
    return int(text) or DEFAULT_TIMEOUT


def _token(reference: str, context: Context) -> str:
    """`$key` names a key of `argocd-secret`, `$secret:key` one of another Secret.

    A key that the Secret does not have leaves the reference in its place (Argo CD), for the plugin to refuse.
    """
    if not reference.startswith("$"):
        found = "nothing" if not reference else "a text without a leading $"
        raise GeneratorFailed(f"token: expected $KEY or $SECRET:KEY, found {found}", "configMapRef")
    secret, colon, key = reference[1:].partition(":")
    if not colon:
        secret, key = "argocd-secret", secret
    return context.secret_texts(secret, context.namespace).get(key, f"${key}").strip()


def _of_object(
    item: dict[str, Any], given: dict[str, Any] | None, spec: dict[str, Any], context: Context
) -> Params:
    content = params.from_json(item)
    found: Params = content if context.go else dict(params.flatten(content))
    raw = None if given is None else {key: _raw(value) for key, value in given.items()}
    found["generator"] = {"input": {"parameters": raw}}
    render.append_values(spec.get("values") or {}, found, context.engine, "values")
    return found


def _raw(value: Any) -> RawJson:
    text = json.loads(gojson.encode(params.from_json(value), escape_html=False))
    return RawJson(params.from_json(text), gojson.encode(params.from_json(value), escape_html=False).encode())
