"""Go templates give what Go gives, and a hostile one is stopped.

The golden texts in `tests/cases/template/go.json` were made with real Go (`gotp`); where that tool is installed they
are made again and compared, so that the file cannot drift from what Go does.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hub.core.template import params
from hub.core.template.base import Scope, TemplateFailed
from hub.core.template.engine import GoEngine
from hub.core.template.params import StringList, StringMap

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "cases/template/go.json").read_text("utf-8"))
GOTP = shutil.which("gotp") or shutil.which("gotp", path=str(Path(sys.executable).parent))
FAILS = None


def render(text: str, values: dict[str, Any], *options: str) -> str:
    template = GoEngine(options).compile(text)
    return text if template is None else template.render(Scope(values))


@pytest.mark.parametrize("mode", ["default", "error"])
@pytest.mark.parametrize("text", list(GOLDEN["templates"]))
def test_renders_as_go_does(text: str, mode: str) -> None:
    expected = GOLDEN["templates"][text][mode]
    values = params.from_json(GOLDEN["data"])
    if expected is FAILS:
        with pytest.raises(TemplateFailed):
            render(text, values, f"missingkey={mode}")
    else:
        assert render(text, values, f"missingkey={mode}") == expected


@pytest.mark.parametrize(
    "around",
    ['"%s"', "'%s'", "`%s`", "it's %s, isn't it", '{"a": "%s"}', "/* %s */", '"%s" and "%s"', 'say "%s'],
)
@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ('{{ .absent | default "y" }}', "y"),
        ("{{ .absent | toString }}", "<nil>"),
        ("{{ len (.absent | toString) }}", "5"),
        ('{{ eq (.absent | toString) "a" "b" }}', "false"),
        ("{{ .absent | printf `%v|` }}", "<nil>|"),
        ('{{/* "a | */}}{{ .absent | quote }}', ""),
    ],
)
def test_quotes_around_an_action_do_not_take_the_absent_out_of_its_pipe(
    around: str, action: str, expected: str
) -> None:
    assert render(around.replace("%s", action), {"there": "x"}) == around.replace("%s", expected)


@pytest.mark.skipif(GOTP is None, reason="gotp, the Go oracle, is not installed")
def test_the_golden_texts_are_what_go_gives_now() -> None:
    sample = list(GOLDEN["templates"])[::12]
    for text in sample:
        for mode, strict in (("default", []), ("error", ["--strict"])):
            command = [str(GOTP), *strict, "--text", "--sprig", "-d", json.dumps(GOLDEN["data"]), "-"]
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
            assert (done.stdout if done.returncode == 0 else FAILS) == GOLDEN["templates"][text][mode], text


SPRIG = {
    '{{regexFindAll "x" "abc" -1}}': "[]",
    '{{mustRegexFindAll "b" "abb" 1}}': "[b]",
    '{{toDate "2006-01-02" "2020-03-01"}}': "2020-03-01 00:00:00 +0000 UTC",
    '{{toDate "2006-01-02" "no date"}}': "0001-01-01 00:00:00 +0000 UTC",
    "{{mulf -7 0}}": "0",
    '{{trunc 2 "日本"}}': "\ufffd\ufffd",
    '{{trunc -3 "日本"}}': "本",
    '{{merge (dict "a" "x") (dict "b" .z)}}': "map[a:x]",
    '{{mergeOverwrite (dict "a" "x") (dict "b" .z)}}': "map[a:x b:<nil>]",
    '{{html .z "<" 1 2}}': "&lt;no value&gt;&lt;1 2",
    "{{js .z true}}": "\\u003Cno value\\u003Etrue",
    "{{urlquery .z .l}}": "%3Cno+value%3E%5B3+1+2%5D",
    '{{"a/..." | toYaml}}': "a/...",
    '{{dig "a" 1 "d" (dict)}}': FAILS,
    "{{deepCopy .z}}": FAILS,
    "{{.z | index}}": FAILS,
}
"""Texts and what Argo CD 3.6.1 makes of them."""


@pytest.mark.parametrize("text", list(SPRIG))
def test_functions_give_what_they_give_in_argo_cd(text: str) -> None:
    values = params.from_json(GOLDEN["data"])
    if SPRIG[text] is FAILS:
        with pytest.raises(TemplateFailed):
            render(text, values)
    else:
        assert render(text, values) == SPRIG[text]


LABELS = {"labels": StringMap({"a.b/c": "1"}), "segments": StringList(["apps", "web"])}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{index .labels "a.b/c"}}', "1"),
        ('{{index .labels "absent"}}|', "|"),
        ("{{.labels.absent}}", "<no value>"),
        ("{{range $k, $v := .labels}}{{$k}}={{$v}}{{end}}", "a.b/c=1"),
        ("{{toJson .labels}} {{len .labels}}", '{"a.b/c":"1"} 1'),
        ("{{.labels}} {{.segments}}", "map[a.b/c:1] [apps web]"),
        ('{{index .segments 1}}{{join "-" .segments}}', "webapps-web"),
    ],
)
def test_maps_of_strings_are_maps_of_strings(text: str, expected: str) -> None:
    assert render(text, LABELS) == expected


def test_an_absent_label_is_empty_text_with_missingkey_zero() -> None:
    assert render("[{{.labels.absent}}]", LABELS, "missingkey=zero") == "[]"


@pytest.mark.parametrize(
    "call", ['dig "a" "d"', "keys", "values", 'pick "a"', 'hasKey "a"', 'get "a"', 'omit "a"']
)
def test_dictionary_functions_refuse_maps_of_strings_as_go_does(call: str) -> None:
    name, _, rest = call.partition(" ")
    text = f"{{{{{name} {rest} .labels}}}}" if name == "dig" else f"{{{{{name} .labels {rest}}}}}"
    with pytest.raises(TemplateFailed, match="map\\[string\\]string"):
        render(text, LABELS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{{normalize "Feature/ABC_1.2-"}}', "feature-abc-1.2"),
        ('{{slugify "Feat/a_b.c"}}', "feat-a-b-c"),
        ('{{slugify 5 "abcdefghij"}} {{slugify 5 false "abcdefghij"}}', "abcde abcde"),
        ('{{slugify 8 "one-two-three"}} {{slugify 8 false "one-two-three"}}', "one-two one-two"),
        ('{{slugify 0 "one-two"}}|{{slugify 0 false "one-two"}}', "one-two|"),
        ('{{toYaml (dict "b" (list 1 "2") "a" "y")}}', 'a: "y"\nb:\n- 1\n- "2"'),
        ('{{(fromYaml "a: {b: on}").a.b}}', "true"),
        ('{{fromYamlArray "- 1234567" | first}}', "1.234567e+06"),
        ('{{tpl "<{{.a}}{{.gone}}>" (dict "a" 1)}}', "<1>"),
        ('{{(semver "v1.2.3-rc.1").Prerelease}} {{semverCompare "^1.2" "1.9.0"}}', "rc.1 true"),
    ],
)
def test_argo_cds_own_functions(text: str, expected: str) -> None:
    assert render(text, {"x": "y"}) == expected


@pytest.mark.parametrize(
    "text",
    [
        '{{env "HOME"}}',
        '{{expandenv "$HOME"}}',
        '{{getHostByName "localhost"}}',
        "{{genPrivateKey `rsa`}}",
        "{{.a.__class__}}",
        "{{.a.upper}}",
        "{{fromYaml `- 1`}}",
        "{{fromYamlArray `a: 1`}}",
        '{{slugify "x" "y"}}',
        '{{tpl "{{tpl `{{tpl (print \\"{{tpl \\" .t \\" .}}\\") .}}` .}}" .}}',
    ],
)
def test_what_is_not_there_is_an_error(text: str) -> None:
    with pytest.raises(TemplateFailed):
        render(text, {"a": "text", "t": "`x`"})


@pytest.mark.parametrize(
    "text",
    [
        "{{until 100000000}}",
        "{{seq 100000000}}",
        "{{untilStep 0 1000000000 1}}",
        '{{repeat 1000000000 "x"}}',
        '{{indent 1000000000 "x"}}',
        '{{printf "%1000000000d" 1}}',
        '{{printf "%*d" 1000000000 1}}',
        '{{$x := "ab"}}{{range until 60}}{{$x = print $x $x}}{{end}}',
        "{{$x := list 1 2}}{{range until 60}}{{$x = concat $x $x}}{{end}}",
        '{{$x := dict "a" 1}}{{range until 60}}{{$x = dict "a" $x "b" $x}}{{end}}{{toJson $x | len}}',
        '{{$x := dict "a" 1}}{{range until 60}}{{$x = dict "a" $x "b" $x}}{{end}}{{$x}}',
        '{{$x := repeat 1000000 "ab"}}{{range until 50000}}{{$y := upper $x}}{{end}}',
        "{{$x := list 1}}{{range until 90000}}{{$x = append $x 1}}{{end}}",
        '{{$x := repeat 4000 "ab"}}{{replace "a" $x (replace "b" $x $x)}}',
        '{{define "t"}}{{template "t"}}{{end}}{{template "t"}}',
        "{{range until 1000}}{{range until 1000}}{{end}}{{end}}",
        "{{randAlpha 1000000000}}",
    ],
)
def test_a_template_that_grows_or_loops_is_stopped(text: str) -> None:
    began = time.thread_time()
    with contextlib.suppress(TemplateFailed):
        assert len(render(text, {"a": "x"})) < 10
    assert time.thread_time() - began < 5


def test_a_pattern_that_backtracks_elsewhere_is_linear_here() -> None:
    began = time.thread_time()
    assert render('{{regexMatch "(a+)+$" .text}}', {"text": "a" * 60 + "b"}) == "false"
    assert time.thread_time() - began < 2


@pytest.mark.parametrize("option", ["bogus", "missingkey=never", "missingkey=“error”", "missingkey"])
def test_an_unknown_option_is_named(option: str) -> None:
    with pytest.raises(TemplateFailed, match="unrecognized option"):
        GoEngine((option,)).check()


def test_a_failure_tells_a_missing_key_from_other_trouble() -> None:
    for text, missing in (("{{.gone}}", True), ("{{.a.b.c}}", False), ("{{fail `x`}}", False)):
        with pytest.raises(TemplateFailed) as caught:
            render(text, {"a": "x"}, "missingkey=error")
        assert caught.value.missing is missing
