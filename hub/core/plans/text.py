"""A plan as people read it: lines for a terminal, Markdown for a pull request. From its JSON, as the API answers it.

Applications to which exactly the same happens are told of once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from argosy.objects import canonical

SIGNS = {"added": "+", "changed": "~", "removed": "-", "handedOver": ">"}
SHOWN_APPS = 8
"""Names told of one group."""
SHOWN_FIELDS = 20
"""Fields told of one object where not everything is asked for."""
MARKDOWN_BYTES = 60_000
"""GitHub takes comments of 65,536 characters."""
NOTHING = "No changes."

Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """Applications with one fate. `app` stands for all of them."""

    app: Json
    apps: tuple[Json, ...]

    def title(self, *, everything: bool) -> str:
        """`web-one on one, web-two on two and 3 more`."""
        shown = self.apps if everything else self.apps[:SHOWN_APPS]
        words = ", ".join(f"{app['name']} on {_place(app)}" for app in shown)
        more = len(self.apps) - len(shown)
        return words + (f" and {more} more" if more else "")


def groups(status: Json) -> list[Group]:
    """The plan's applications by what happens to them, the largest groups of a kind of change together."""
    found: dict[bytes, list[Json]] = {}
    for app in status.get("applications") or ():
        fate = {
            key: value
            for key, value in app.items()
            if key not in ("name", "cluster", "namespace", "movedFrom")
        }
        found.setdefault(canonical({**fate, "moved": "movedFrom" in app}), []).append(app)
    order = list(SIGNS)
    ranked = sorted(
        found.values(), key=lambda apps: (order.index(apps[0]["change"]), apps[0]["appset"], -len(apps))
    )
    return [Group(apps[0], tuple(apps)) for apps in ranked]


def summary(status: Json) -> str:
    """`4 applications on 2 clusters: 2 added, 2 changed; objects: 3 added, 1 removed`."""
    counts = status["summary"]
    total = sum(counts["applications"].values())
    wrong = counts.get("problems") or 0
    refused = f"; {wrong} problem{_s(wrong)}" if wrong else ""
    handed = counts.get("handedOver") or {}
    given = _counted({word: handed.get(word) or 0 for word in ("applications", "objects")})
    given = f"; handed over: {given}" if given else ""
    if not total:
        return f"no application changes{given}{refused}"
    parts = [f"{total} application{_s(total)} on {counts['clusters']} cluster{_s(counts['clusters'])}: "]
    parts.append(_counted(counts["applications"]))
    if found := _counted(counts["objects"]):
        kept = counts.get("kept") or 0
        parts.append(
            f"; objects: {found}" + (f" ({kept} of the removed stay in their clusters)" if kept else "")
        )
    parts.append(given)
    if counts["held"]:
        parts.append(f"; {counts['held']} would wait")
    impact = status.get("impact") or {}
    if impact.get("asked"):
        parts.append(f"; dry runs: {impact['answered']} of {impact['asked']} answered")
        if impact["refused"]:
            parts.append(f", {impact['refused']} with errors")
        if silent := impact["silentClusters"]:
            parts.append(
                f", no answer from {', '.join(silent[:5])}" + (" and others" if len(silent) > 5 else "")
            )
    if counts["notShown"]:
        parts.append(f"; the objects of {counts['notShown']} are not shown (--renders)")
    return "".join([*parts, refused])


def lines(status: Json, *, everything: bool = False) -> Iterator[str]:
    """For a terminal."""
    if not (status["changes"] or status["failed"]):
        yield NOTHING
        yield from _remarks(status)
        yield from _standing(status)
        return
    for written in status["written"]:
        yield f"{SIGNS[written['change']]} {written['kind']} {written['name']}"
        yield from _fields(written.get("fields") or (), "    ", everything=everything)
    for group in groups(status):
        app = group.app
        yield f"{SIGNS[app['change']]} {group.title(everything=everything)}"
        if app.get("movedFrom"):
            yield "    moves from another cluster, where its objects stay"
        if app.get("takenFrom"):
            yield f"    handed over by set {app['takenFrom']}"
        yield from _fields(app.get("fields") or (), "    ", everything=everything)
        for each in _shown(app):
            yield f"    {_object(each)}"
            yield from _fields(each.get("fields") or (), "        ", everything=everything)
        yield from (f"    {line}" for line in _notes(app))
    yield from _removals(status)
    for problem in status["problems"]:
        yield f"! {problem}"
    yield from _remarks(status)
    yield from _standing(status)
    yield ""
    yield f"{summary(status)}."
    yield f"Digest {status['digest']}"


def objects(found: Iterable[Json], *, everything: bool = False) -> Iterator[str]:
    """Objects that differ, alone."""
    for each in found:
        yield _object(each)
        yield from _fields(each.get("fields") or (), "    ", everything=everything)


def markdown(status: Json) -> str:
    """For a comment on a pull request, cut where it is longer than one may be."""
    out = [
        "### Argosy plan",
        "",
        f"**{summary(status)}**" if status["changes"] or status["failed"] else NOTHING,
        "",
    ]
    out += [f"- :warning: {problem}" for problem in status["problems"]]
    out += [f"- :octagonal_sign: {line}" for line in _removals(status)]
    for written in status["written"]:
        fields = list(_fields(written.get("fields") or (), "", everything=False))
        out += _details(f"{SIGNS[written['change']]} {written['kind']} {written['name']}", fields)
    for group in groups(status):
        app = group.app
        body = [f"handed over by set {app['takenFrom']}"] if app.get("takenFrom") else []
        body += _fields(app.get("fields") or (), "", everything=False)
        for each in _shown(app):
            body.append(_object(each))
            body += _fields(each.get("fields") or (), "    ", everything=False)
        body += _notes(app)
        out += _details(f"{SIGNS[app['change']]} {group.title(everything=False)}", body)
    out += [f"<sub>{status['digest']}</sub>", ""]
    text = "\n".join(out)
    if len(text.encode()) <= MARKDOWN_BYTES:
        return text
    cut = text.encode()[:MARKDOWN_BYTES].decode(errors="ignore").rpartition("\n<details>")[0]
    return f"{cut}\n\n… longer than a comment may be: see `argosy plan -o wide`\n"


def _details(title: str, body: Sequence[str]) -> list[str]:
    if not body:
        return [f"- `{title}`", ""]
    # More backticks than any value has, so that no value ends the block.
    longest = max((len(run) for line in body for run in _runs(line)), default=0)
    fence = "`" * max(3, longest + 1)
    return ["<details>", f"<summary><code>{_escaped(title)}</code></summary>", "", f"{fence}diff", *body, fence,
            "</details>", ""]  # fmt: skip


def _runs(line: str) -> Iterator[str]:
    run = ""
    for sign in [*line, ""]:
        if sign == "`":
            run += sign
        elif run:
            yield run
            run = ""


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _object(each: Json) -> str:
    group = f".{each['group']}" if each["group"] else ""
    place = f"{each['namespace']}/{each['name']}" if each["namespace"] else each["name"]
    kept = f"  ({each['kept']})" if each.get("kept") else ""
    kept += f"  (handed over to {each['givenTo']})" if each.get("givenTo") else ""
    kept += f"  (taken over from {each['takenFrom']})" if each.get("takenFrom") else ""
    wrong = f"  ! {each['error']}" if each.get("error") else ""
    return f"{SIGNS[each['change']]} {each['kind']}{group} {place}{kept}{wrong}"


def _fields(fields: Iterable[Json], indent: str, *, everything: bool) -> Iterator[str]:
    found = list(fields)
    shown = found if everything else found[:SHOWN_FIELDS]
    for each in shown:
        before, after = each.get("before"), each.get("after")
        if isinstance(before, str) and isinstance(after, str) and "\n" in before + after:
            yield f"{indent}{each['path']}:"
            yield from (f"{indent}  {line}" for line in _text_difference(before, after))
        elif "before" not in each:
            yield f"{indent}{each['path']}: + {_value(after)}"
        elif "after" not in each:
            yield f"{indent}{each['path']}: - {_value(before)}"
        else:
            yield f"{indent}{each['path']}: {_value(before)} -> {_value(after)}"
    if len(found) > len(shown):
        yield f"{indent}… and {len(found) - len(shown)} more fields"


def _text_difference(before: str, after: str) -> Iterator[str]:
    import difflib

    for line in list(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=1))[2:]:
        if not line.startswith("@@"):
            yield line


def _value(value: Any) -> str:
    text = orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    return text if len(text) <= 120 else f"{text[:117]}..."


def _shown(app: Json) -> Sequence[Json]:
    """What the cluster itself says where it was asked and answered, else what the renders say."""
    impact = app.get("impact") or {}
    found: Sequence[Json] = impact["objects"] if impact.get("answered") else app["objects"]
    return found


def _notes(app: Json) -> Iterator[str]:
    if impact := app.get("impact"):
        yield "as the cluster's own dry run says" if impact["answered"] else f"no dry run: {impact['error']}"
    if app.get("problem"):
        yield f"! {app['problem']}"
    if app.get("mended"):
        yield f"no longer: {app['mended']}"
    for hold in app.get("holds") or ():
        yield f"waits: {hold['kind']}: {hold['message']}"
    if app.get("objectsNotShown"):
        yield "its objects are not shown: --renders allows no more"


def _removals(status: Json) -> Iterator[str]:
    for each in status["removals"]:
        if each["aboveCap"]:
            yield f"! removal held, set {each['appset']}: {each['message']}"


def _remarks(status: Json) -> Iterator[str]:
    yield from status.get("remarks") or ()


def _standing(status: Json) -> Iterator[str]:
    for problem in status["standingProblems"]:
        yield f"already so: {problem}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {word}" for word, number in counts.items() if number)


def _place(app: Json) -> str:
    return f"{app['movedFrom']} -> {app['cluster']}" if app.get("movedFrom") else str(app["cluster"])


def _s(number: int) -> str:
    return "" if number == 1 else "s"
