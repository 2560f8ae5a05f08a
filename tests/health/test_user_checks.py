"""Users' own checks: their keys and precedence are Argo CD's, and no script can do more than answer, in time."""

from __future__ import annotations

from typing import Any

import pytest

from argosy import lua
from argosy.errors import Invalid
from argosy.health import table, user
from argosy.objects import Manifest
from argosy.status import Health

H, P, D, S, U = Health.HEALTHY, Health.PROGRESSING, Health.DEGRADED, Health.SUSPENDED, Health.UNKNOWN
HEALTH, LIBRARIES = "resource.customizations.health.", "resource.customizations.useOpenLibs."


def widget(**metadata: Any) -> Manifest:
    spec = {"text": "all ok", "list": ["a", "skip", None], "n": 3, "since": "2026-03-01T04:00:00Z"}
    return {
        "apiVersion": "corp.test/v1",
        "kind": "Widget",
        "metadata": {"name": "w", **metadata},
        "spec": spec,
    }


def said(script: str, *, libraries: str = "false", **metadata: Any) -> Health | None:
    data = {f"{HEALTH}corp.test_Widget": script, f"{LIBRARIES}corp.test_Widget": libraries}
    return table.assess(widget(**metadata), user.read(data, lua.run)).status


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("return {status = 'Healthy', message = 'x', more = {1, 2}}", H),
        ("hs = {} hs.status = 'Missing' return hs", Health.MISSING),
        ("return {Status = 'Degraded'}", D),
        ("return {status = 'Azure'}", U),
        ("return {message = 'no status'}", U),
        ("return {status = 'Healthy', message = 7}", None),
        ("return {}", None),
        ("return nil", None),
        ("return 'Healthy'", U),
        ("return obj.status.no.such", U),
        ("local hs = {", U),
        ("return {status = 'Healthy', f = print}", U),
        ("local a = {} a.a = a return a", U),
    ],
)
def test_what_an_answer_means(script: str, expected: Health | None) -> None:
    assert said(script) is expected


@pytest.mark.parametrize(
    ("script", "libraries", "expected"),
    [
        ("return {status = table.getn(obj.spec.list) == 2 and 'Healthy' or 'Degraded'}", "false", H),
        ("for _, i in ipairs(obj.spec.list) do if i == 'skip' then goto on end ::on:: end return {status='Healthy'}",
         "false", H),
        ("return {status = os.time() > 0 and require('os').date('%Y', 0) == '1970' and 'Healthy' or ''}", "false", H),
        ("return {status = tostring(obj.spec.n) == '3' and unpack({'Healthy'})}", "false", H),
        ("return {status = string.find(obj.spec.text, 'ok') and 'Healthy'}", "false", U),
        ("return {status = string.find(obj.spec.text, 'ok') and 'Healthy'}", "true", H),
        ("return obj.spec.text:match('ok') and {status = 'Healthy'}", "false", U),
        ("return obj.spec.text:match('^all') and {status = 'Healthy'}", "true", H),
        ("return {status = obj.spec.since:sub(1, 4) == '2026' and 'Healthy'}", "true", H),
    ],
)  # fmt: skip
def test_scripts_of_lua_5_1_run_with_the_libraries_they_ask_for(
    script: str, libraries: str, expected: Health
) -> None:
    assert said(script, libraries=libraries) is expected


@pytest.mark.parametrize(
    "script",
    [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local s = 'x' while true do s = s .. s end",
        "local t = {} while true do t[#t + 1] = {} end",
        "local function f() return 1 + f() end return f()",
        "return {status = 'Healthy', message = string.rep('x', 1e9)}",
        "setmetatable({}, {__gc = function() while true do end end}) return {status = 'Healthy'}",
        "os.execute('true') return {status = 'Healthy'}",
        "return {status = 'Healthy', message = io.open('/etc/passwd'):read('*a')}",
        "return {status = 'Healthy', message = tostring(python.eval('1'))}",
        "return {status = 'Healthy', message = tostring(debug.getregistry())}",
        "return require('socket') and {status = 'Healthy'}",
    ],
)
def test_no_script_gets_out_or_stays(script: str) -> None:
    assert said(script, libraries="true") is U


def test_a_script_sees_nothing_of_the_one_before_it() -> None:
    assert said("leak = 1 table.leak = 1 string.leak = 1 return {status = 'Healthy'}", libraries="true") is H
    assert (
        said(
            "return {status = (leak or table.leak or string.leak) and 'Degraded' or 'Healthy'}",
            libraries="true",
        )
        is H
    )


DELETED = "2026-03-01T05:00:00Z"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("return {status = 'Healthy'}", P),
        ("return {status = 'Healthy', deletionMessage = 'handing over'}", H),
        ("return {}", P),
        ("return nothing.here", U),
    ],
)
def test_what_is_being_deleted_is_progressing_unless_its_check_fails_or_insists(
    script: str, expected: Health
) -> None:
    assert said(script, deletionTimestamp=DELETED) is expected


INLINE = """
'*.wild.test/*': {health.lua: "return {status = 'Suspended'}"}
api.wild.test/Exact: {health.lua: "return {status = 'Degraded'}"}
both.test/Split: {health.lua: "return {status = 'Degraded'}"}
libs.test/Loud: {health.lua: "return {status = string.upper('x') and 'Healthy'}", health.lua.useOpenLibs: true}
"""


@pytest.mark.parametrize(
    ("version", "kind", "expected"),
    [
        ("x.wild.test/v1", "Any", S),
        ("wild.test/v1", "Any", None),
        ("api.wild.test/v1", "Exact", D),
        ("both.test/v1", "Split", H),
        ("libs.test/v1", "Loud", H),
        ("v1", "ConfigMap", D),
        ("cert-manager.io/v1", "Certificate", None),
        ("batch/v1", "Job", P),
        ("apps/v1", "Deployment", H),
    ],
)
def test_which_check_looks_at_an_object(version: str, kind: str, expected: Health | None) -> None:
    data = {
        "resource.customizations": INLINE,
        f"{HEALTH}both.test_Split": "return {status = 'Healthy'}",
        f"{HEALTH}ConfigMap": "return {status = 'Degraded'}",
        f"{HEALTH}cert-manager.io_Certificate": "return nil",
        f"{HEALTH}batch_Job": "",
        f"{HEALTH}apps_Deployment": "return nil",
        "resource.customizations.actions.apps_Deployment": "ignored",
    }
    live = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}}
    assert table.assess(live, user.read(data, lua.run)).status is expected


def test_a_key_that_names_no_kind_is_an_error_that_names_it() -> None:
    with pytest.raises(Invalid, match=r"health\.a_b_c"):
        user.read({f"{HEALTH}a_b_c": "return {}"}, lua.run)
