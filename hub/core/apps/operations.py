"""A sync that a user asks for (`operation`, Argo CD 3.6): what of it is taken, and how its state is shown.

The field is taken up once and cleared; what it said goes to the cluster's agent with the policy. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from argosy import objects, windows
from argosy.errors import Invalid
from argosy.objects import Manifest

TERMINATING = "Terminating"
_UNSUPPORTED = {
    "manifests": "what is synced comes from the source",
}


def of(manifest: Manifest) -> dict[str, Any] | None:
    """The operation that an Application asks for, None where it asks for none. `{}` asks for nothing either."""
    found = manifest.get("operation")
    return found if isinstance(found, dict) and isinstance(found.get("sync"), dict) else None


def problems(operation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What cannot be done, as (path, message): refused when it is written."""
    sync = operation.get("sync")
    if not isinstance(sync, dict):
        return [("operation.sync", "is missing; an operation is a sync")]
    out = [
        (f"operation.sync.{name}", f"is not supported; {instead}")
        for name, instead in _UNSUPPORTED.items()
        if sync.get(name)
    ]
    try:
        retry(operation.get("retry"), "operation.retry")
    except Invalid as error:
        path, _, message = error.message.partition(": ")
        out.append((path, message))
    return out


def elsewhere(manifest: Manifest, operation: Mapping[str, Any], rendered: str) -> Manifest | None:
    """The Application as the operation wants it rendered: at other revisions, or from other sources. None where that is
    what it follows or is at. `rendered` is the commit of its last good render, several joined by commas.
    """
    sync, spec = operation["sync"], manifest["spec"]
    own = spec.get("sources") or [spec.get("source") or {}]
    given = sync.get("sources") or ([sync["source"]] if sync.get("source") else own)
    asked = sync.get("revisions") or ([sync["revision"]] if sync.get("revision") else [])
    commits = rendered.split(",")
    wanted = []
    for number, source in enumerate(given):
        revision = asked[number] if number < len(asked) else ""
        at = commits[number] if number < len(commits) else ""
        follows = revision in ("", source.get("targetRevision") or "HEAD")
        there = given == own and _is_commit(revision, at)
        wanted.append(source if follows or there else {**source, "targetRevision": revision})
    if wanted == own:
        return None
    rest = {name: value for name, value in spec.items() if name not in ("source", "sources")}
    several = bool(sync.get("sources") or (spec.get("sources") and not sync.get("source")))
    return {**manifest, "spec": {**rest, **({"sources": wanted} if several else {"source": wanted[0]})}}


_SHORTEST_COMMIT = 7


def _is_commit(text: str, commit: str) -> bool:
    """Whether a text names that commit, perhaps in short."""
    return len(text) >= _SHORTEST_COMMIT and commit.startswith(text)


def barred(manifest: Manifest, wanted: Manifest) -> str:
    """Why an Application that syncs by itself is not synced to anything else, "" where it may be (Argo CD 3.6 and its words)."""
    automated = (manifest["spec"].get("syncPolicy") or {}).get("automated")
    if automated is None or automated.get("enabled") is False:
        return ""
    own, new = ((each["spec"].get("sources") or [each["spec"].get("source")]) for each in (manifest, wanted))
    if len(own) != len(new) or any(
        _but_revision(a) != _but_revision(b) for a, b in zip(own, new, strict=True)
    ):
        return "Cannot sync to other sources: auto-sync is on"
    at, to = next((a, b) for a, b in zip(own, new, strict=True) if a != b)
    what = f"source {at.get('repoURL')} to" if "sources" in manifest["spec"] else "to"
    return f"Cannot sync {what} {to['targetRevision']}: auto-sync currently set to {at.get('targetRevision') or ''}"


def _but_revision(source: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in source.items() if name != "targetRevision"}


def text(operation: Mapping[str, Any]) -> str:
    """The operation as agents get it: canonical JSON, the durations of its `retry` in seconds."""
    out = dict(operation)
    if (again := retry(out.pop("retry", None), "operation.retry")) is not None:
        out["retry"] = again
    return objects.canonical(out).decode()


def retry(value: Any, path: str) -> dict[str, Any] | None:
    """A `retry` block with its durations as seconds, which Argo CD reads as well. Raises `Invalid` with the path."""
    if not isinstance(value, dict):
        return None
    backoff = value.get("backoff") or {}
    out: dict[str, Any] = {"limit": value.get("limit") or 0}
    spans = {
        name: _seconds(str(backoff[name]), f"{path}.backoff.{name}")
        for name in ("duration", "maxDuration")
        if backoff.get(name)
    }
    if backoff.get("factor"):
        spans["factor"] = backoff["factor"]
    return {**out, "backoff": spans} if spans else out


def _seconds(text: str, path: str) -> str:
    if text.isdigit():
        return text
    try:
        return f"{float(windows.seconds(text)):g}"
    except Invalid as error:
        raise Invalid(f"{path}: {error.message}") from None


# --- what is shown ------------------------------------------------------------------------------------------------


def refused(operation: Mapping[str, Any], why: str, now: str) -> dict[str, Any]:
    """`status.operationState` of an operation that was not begun. `now` is RFC 3339."""
    return {
        "phase": "Error",
        "message": why,
        "operation": dict(operation),
        "startedAt": now,
        "finishedAt": now,
    }


def shown(
    manifest: Manifest, report: Mapping[str, Any], policy: str, stamp: Any, deployed: Mapping[str, Any]
) -> dict[str, Any] | None:
    """`status.operationState`, None where there never was a sync.

    An operation that was asked for counts as running from the moment it was written, so whoever waits for its end never
    takes that of the one before for it. `policy` is the agent's `Policy` as JSON, `stamp` writes Unix seconds,
    `deployed` are revision(s) and source(s) of what is reported.
    """
    stored = (manifest.get("status") or {}).get("operationState") or {}
    if (asked := of(manifest)) is not None:
        return {"phase": "Running", "message": "waiting for the hub to take it up", "operation": asked}
    told = _told(policy, str(report.get("operation") or ""))
    if told.get("sync_request") and told["sync_request"] != report.get("operation"):
        waiting = "waiting for the cluster's agent to take it up"
        return {"phase": "Running", "message": waiting, "operation": _json(told.get("operation"))}
    if not report.get("phase"):
        return stored or None
    out = _reported(report, stamp, deployed)
    if stored.get("finishedAt", "") >= out.get("startedAt", "~"):
        return dict(stored)
    if out["phase"] == "Running" and told.get("terminate") and told["terminate"] == report.get("token"):
        out["phase"] = TERMINATING
    return out


def _told(policy: str, answered: str) -> dict[str, Any]:
    """The policy, read only where it may say something of a sync that the report does not know yet."""
    if not policy or (f'"sync_request":"{answered}"' in policy and '"terminate":""' in policy):
        return {}
    found: dict[str, Any] = orjson.loads(policy)
    return found


def _reported(report: Mapping[str, Any], stamp: Any, deployed: Mapping[str, Any]) -> dict[str, Any]:
    asked = _json(report.get("asked")) or {"initiatedBy": {"automated": True}, "sync": {}}
    revisions = {name: deployed[name] for name in ("revision", "revisions") if name in deployed}
    sync = {**revisions, **(asked.get("sync") or {})}
    out: dict[str, Any] = {
        "phase": report["phase"],
        "operation": {**asked, "sync": sync},
        "syncResult": {
            **deployed,
            "resources": _results(report, sync.get("resources") or ()),
        },
    }
    if report.get("message"):
        out["message"] = report["message"]
    if report.get("retries"):
        out["retryCount"] = report["retries"]
    if report.get("started"):
        out["startedAt"] = stamp(report["started"])
    if report.get("finished"):
        out["finishedAt"] = stamp(report["finished"])
    return out


_HOOK_PHASES = {"Progressing": "Running", "Suspended": "Running", "Degraded": "Failed", "Unknown": "Failed"}


def _results(report: Mapping[str, Any], chosen: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What came of each object; of a sync of chosen ones only they are told of."""
    found = [_result(each) for each in report.get("resources") or () if _concerns(chosen, each)]
    for group, version, kind, namespace, name in report.get("pruned") or ():
        place = {"group": group, "version": version, "kind": kind, "namespace": namespace, "name": name}
        found.append({**place, "syncPhase": "Sync", "status": "Pruned", "message": "pruned"})
    return found


def _concerns(chosen: Sequence[Mapping[str, Any]], each: Mapping[str, Any]) -> bool:
    def fits(one: Mapping[str, Any]) -> bool:
        same = all((one.get(part) or "") == (each.get(part) or "") for part in ("group", "kind", "name"))
        return same and one.get("namespace") in (None, "", each.get("namespace"))

    return not chosen or any(map(fits, chosen))


def _result(each: Mapping[str, Any]) -> dict[str, Any]:
    """One object's part of `syncResult`, in Argo CD's words."""
    get = each.get
    out: dict[str, Any] = {
        "group": get("group") or "",
        "version": get("version") or "",
        "kind": get("kind") or "",
        "namespace": get("namespace") or "",
        "name": get("name") or "",
    }
    if get("hook"):
        out["hookType"] = out["syncPhase"] = get("phase") or "Sync"
        out["hookPhase"] = _HOOK_PHASES.get(get("health") or "", "Succeeded")
        out["status"] = "Synced"
    else:
        out["syncPhase"] = "Sync"
        out["status"] = _word(each)
    if message := get("message"):
        out["message"] = message
    return out


def _word(each: Mapping[str, Any]) -> str:
    if each.get("requires_pruning"):
        return "PruneSkipped"
    return "Synced" if each.get("sync") == "Synced" else "SyncFailed" if each.get("message") else ""


def _json(text: Any) -> dict[str, Any]:
    value = orjson.loads(text) if text else {}
    return value if isinstance(value, dict) else {}
