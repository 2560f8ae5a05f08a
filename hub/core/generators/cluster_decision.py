"""Generator `clusterDecisionResource`: clusters that another controller lists in a status."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from argosy.errors import Invalid
from argosy.objects import Manifest
from hub.core import fleet
from hub.core.generators.base import Context, GeneratorFailed
from hub.core.matching import labels
from hub.core.schema.schema import described
from hub.core.template import params
from hub.core.template.params import Params, StringMap

DEFAULT_REQUEUE = 180
"""Seconds (Argo CD: three minutes)."""


def evaluate(spec: dict[str, Any], context: Context) -> list[Params]:
    """Elements of `status.<statusListKey>` whose `matchKey` is the name of a cluster; others are skipped."""
    context.inputs.requeue_after(spec.get("requeueAfterSeconds") or DEFAULT_REQUEUE)
    config = context.config_map(spec["configMapRef"], context.namespace)
    group, slash, _ = config.get("apiVersion", "").partition("/")
    if not slash or not group or not config.get("kind"):
        needs = "needs apiVersion (group/version) and kind (the plural resource)"
        raise GeneratorFailed(f"ConfigMap {spec['configMapRef']} {needs}", "configMapRef")
    found = _resources(spec, config, group, context)
    match_key = config.get("matchKey")
    if not match_key:
        return []
    context.inputs.clusters = context.inputs.every_name = True
    servers = fleet.of(context.sources.clusters()).servers
    list_key = config.get("statusListKey") or "clusters"
    return [
        _of_decision(decision, servers[name], name, spec, context)
        for resource in found
        for decision in _decisions(resource, list_key)
        if (name := _matched(decision, match_key)) in servers
    ]


def _matched(decision: Mapping[str, Any], key: str) -> str:
    value = decision.get(key)
    return "" if value is None else params.text(value)


def _resources(spec: dict[str, Any], config: dict[str, str], group: str, context: Context) -> list[Manifest]:
    name, wanted = spec.get("name", ""), spec.get("labelSelector") or {}
    chosen_by_label = wanted.get("matchLabels") is not None or wanted.get("matchExpressions") is not None
    if bool(name) == chosen_by_label:
        raise GeneratorFailed("exactly one of name and labelSelector must be given", "labelSelector")
    if not name and not any(wanted.values()):
        raise GeneratorFailed("the selector is empty", "labelSelector")
    try:
        selector = labels.compile_selector(wanted, any_value=False)
    except Invalid as error:
        raise GeneratorFailed(error.message, "labelSelector") from None
    found = [
        resource
        for resource in context.objects(group, config["kind"], context.namespace)
        if resource.get("apiVersion") == config["apiVersion"]
        and (not name or resource["metadata"].get("name") == name)
        and selector.matches(resource["metadata"].get("labels") or {})
    ]
    if not found:
        what = f"{config['kind']}.{config['apiVersion']} in namespace {context.namespace}"
        raise GeneratorFailed(f"no clusterDecisionResources found ({what})")
    return found


def _decisions(resource: Manifest, key: str) -> list[Mapping[str, Any]]:
    status = resource.get("status")
    if not isinstance(status, dict) or not status:
        return []
    found = status.get(key)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        place = f"{resource['metadata'].get('name')}: status.{key}"
        raise GeneratorFailed(f"{place}: expected a list of objects, found {described(found)}")
    return found


def _of_decision(
    decision: Mapping[str, Any], server: str, name: str, spec: dict[str, Any], context: Context
) -> Params:
    found: Params = {"name": name, "server": server}
    found.update({key: params.text(value) for key, value in decision.items()})
    values = spec.get("values") or {}
    if values and context.go:
        found["values"] = StringMap(values)
    else:
        found.update({f"values.{key}": text for key, text in values.items()})
    return found
