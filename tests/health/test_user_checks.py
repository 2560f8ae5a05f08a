"""Users' own checks: their keys and precedence are Argo CD's, and no script can do more than answer, in time."""

from __future__ import annotations

import time
from typing import Any

import pytest

from agent.sandbox.scripts import Scripts
from argosy import cel, lua
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
        ("return {status = table.time() > 0 and os == nil and require('os').date('%Y', 0) == '1970' and 'Healthy'}",
         "false", H),
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
"{one,two}.choice.test/*": {health.lua: "return {status = 'Suspended'}"}
api.wild.test/Exact: {health.lua: "return {status = 'Degraded'}"}
both.test/Split: {health.lua: "return {status = 'Degraded'}"}
libs.test/Loud: {health.lua: "return {status = string.upper('x') and 'Healthy'}", health.lua.useOpenLibs: true}
"""


@pytest.mark.parametrize(
    ("version", "kind", "expected"),
    [
        ("x.wild.test/v1", "Any", S),
        ("two.choice.test/v1", "Any", S),
        ("three.choice.test/v1", "Any", None),
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


@pytest.mark.parametrize(
    ("key", "text", "said"),
    [
        (f"{HEALTH}a_b_c", "return {}", "health.a_b_c: <group>_<kind> or <kind> is expected"),
        ("resource.customizations", "[1]", "an object of objects is expected"),
        ("resource.customizations", "a: [", "resource.customizations:2"),
        (user.EXPRESSIONS, "a: 1", "a list is expected"),
        (user.EXPRESSIONS, "- kind: X", "[0]: apiVersion is expected"),
        (user.EXPRESSIONS, "- {apiVersion: a.test/v1, failed: 'true'}", "[0]: current is expected"),
        (user.EXPRESSIONS, "- {apiVersion: a.test/v1, current: true}", "[0]: current: text is expected"),
    ],
)
def test_a_key_that_cannot_be_used_is_named_and_harms_no_other(key: str, text: str, said: str) -> None:
    checks = user.read({key: text, f"{HEALTH}corp.test_Widget": "return {status = 'Suspended'}"}, lua.run)
    assert len(checks.problems) == 1
    assert said in checks.problems[0]
    assert table.assess(widget(), checks).status is S


def test_of_two_expressions_for_one_kind_the_second_is_a_problem() -> None:
    twice = "- {apiVersion: a.test/v1, current: 'true'}\n- {apiVersion: a.test/v2, current: 'false'}"
    assert "is there already" in user.read({user.EXPRESSIONS: twice}, lua.run).problems[0]


EXPRESSIONS = """
- apiVersion: corp.test/v1beta1
  current: status.phase == 'Up'
- apiVersion: corp.test/v1
  kind: Gadget
  inProgress: status.conditions.exists(c, c.type == 'Busy' && c.status == 'True')
  failed: status.conditions.exists(c, c.type == 'Broken' && c.status == 'True')
  current: status.conditions.filter(c, c.type == 'Ready').all(c, c.status == 'True')
"""


def gadget(kind: str = "Gadget", generation: int = 1, observed: int = 1, **told: str) -> Manifest:
    conditions = [{"type": name, "status": state} for name, state in told.items()]
    return {
        "apiVersion": "corp.test/v1",
        "kind": kind,
        "metadata": {"name": "g", "generation": generation},
        "status": {"observedGeneration": observed, "conditions": conditions, "phase": "Up"},
    }


@pytest.mark.parametrize(
    ("live", "expected"),
    [
        (gadget(Ready="True"), H),
        (gadget(Ready="True", Broken="True"), D),
        (gadget(Ready="True", Broken="True", Busy="True"), P),
        (gadget(Ready="False"), P),
        (gadget(Ready="True", generation=2), P),
        (gadget("Widget"), H),
        ({**gadget(), "status": {}}, U),
        ({**gadget("Other"), "status": {"phase": "Down"}}, P),
        ({**gadget(), "apiVersion": "other.test/v1"}, None),
    ],
)
def test_expressions_say_how_a_kind_is_as_flux_evaluates_them(
    live: Manifest, expected: Health | None
) -> None:
    checks = user.read({user.EXPRESSIONS: EXPRESSIONS}, lua.run, cel.evaluate)
    assert checks.problems == ()
    assert table.assess(live, checks).status is expected


def test_a_kinds_own_script_comes_before_expressions_and_a_globs_after_them() -> None:
    own = {f"{HEALTH}corp.test_Gadget": "return {status = 'Suspended'}"}
    globs = {"resource.customizations": "corp.test/*: {health.lua: \"return {status = 'Suspended'}\"}"}
    for data, expected in ((own, S), (globs, H)):
        checks = user.read({**data, user.EXPRESSIONS: EXPRESSIONS}, lua.run, cel.evaluate)
        assert table.assess(gadget(Ready="True"), checks).status is expected


@pytest.mark.parametrize(
    "expression",
    [
        "status.nope == 1",
        "nope",
        "1 +",
        "'text'",
        "size(status.many) > 0 && status.many.all(a, status.many.all(b, status.many.all(c, a + b + c >= 0)))",
        "true || " * 1000 + "true",
    ],
)
def test_an_expression_that_gives_no_answer_is_unknown_in_time(expression: str) -> None:
    live = {**gadget(), "status": {"many": list(range(1000))}}
    data = {user.EXPRESSIONS: f"- {{apiVersion: corp.test/v1, current: {expression!r}}}"}
    begun = time.thread_time()
    assert table.assess(live, user.read(data, lua.run, cel.evaluate)).status is U
    assert time.thread_time() - begun < 1


def test_agents_are_given_what_says_how_healthy_objects_are_and_nothing_else() -> None:
    data = {
        "url": "https://x",
        "resource.customizations.health.a_B": "return {}",
        "resource.customizations.actions.a_B": "x",
        "resource.customizations.ignoreDifferences.all": "x",
        "resource.customizations.useOpenLibs.a_B": "true",
        "resource.customizations": " ",
        user.EXPRESSIONS: "- {}",
    }
    assert set(user.carried(data)) == {
        "resource.customizations.health.a_B",
        "resource.customizations.useOpenLibs.a_B",
        user.EXPRESSIONS,
    }


def test_the_agent_asks_once_per_version_and_rests_a_check_that_exhausts_itself() -> None:
    now = [1000.0]
    scripts = Scripts(lambda: now[0], seconds=5.0)

    def live(name: str, version: str = "1") -> Manifest:
        return widget(uid=name, resourceVersion=version)

    def ask(script: str, manifest: Manifest) -> Any:
        return scripts.run(script, False, manifest)

    assert ask("return {status = obj.metadata.uid}", live("a")) == {"status": "a"}
    assert ask("return {status = obj.metadata.uid}", live("b")) == {"status": "b"}
    loop = "while true do end"
    for name in "abc":
        with pytest.raises(user.Exhausted):
            ask(loop, live(name))
    for name in "abcdefgh":
        with pytest.raises(user.Failed, match="not run for a while"):
            ask(loop, live(name))
    assert ask("return {status = 'Healthy'}", live("a")) == {"status": "Healthy"}, "others are run"
    now[0] += 301
    with pytest.raises(user.Exhausted):
        ask(loop, live("a"))


def test_an_answer_is_remembered_for_the_version_it_was_given_for() -> None:
    scripts = Scripts(lambda: 0.0)
    counted = "return {status = tostring(table.time()), message = obj.metadata.resourceVersion}"
    first = scripts.run(counted, False, widget(uid="a", resourceVersion="1"))
    assert scripts.run(counted, False, widget(uid="a", resourceVersion="1")) is first
    assert scripts.run(counted, False, widget(uid="a", resourceVersion="2"))["message"] == "2"
    assert scripts.run(counted, False, widget(uid="", resourceVersion="1")) is not first
