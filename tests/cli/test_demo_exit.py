"""The demo's exit code is its verdict, and whatever happens it ends what it started."""

from __future__ import annotations

from pathlib import Path

import pytest

from argosy.errors import Unavailable
from hub.demo import __main__ as program
from hub.demo.story import Demo, Failed


def played(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, fate: BaseException | None, once: bool = True
) -> int:
    ended: list[str] = []

    def play(self: Demo) -> None:
        if fate is not None:
            raise fate

    def close(self: Demo) -> None:
        self._git.close()
        ended.append("closed")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["demo", *(["--once"] if once else [])])
    monkeypatch.setattr("signal.signal", lambda number, handler: None)
    monkeypatch.setattr(Demo, "play", play)
    monkeypatch.setattr(Demo, "close", close)
    code = program.main()
    assert ended == ["closed"]
    return code


def test_a_fleet_as_it_must_be_is_0_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert played(monkeypatch, tmp_path, fate=None) == 0
    assert list((tmp_path / ".demo").iterdir()) == []


@pytest.mark.parametrize(
    "fate", [Failed("web-boston is missing"), Unavailable("the hub ended"), KeyboardInterrupt()]
)
def test_anything_else_is_1_and_keeps_the_logs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], fate: BaseException
) -> None:
    assert played(monkeypatch, tmp_path, fate=fate) == 1
    said = capsys.readouterr()
    assert str(fate) in said.err
    assert "logs and data are kept in" in said.err


def test_ctrl_c_of_a_demo_that_runs_on_is_no_failure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert played(monkeypatch, tmp_path, fate=KeyboardInterrupt(), once=False) == 0
