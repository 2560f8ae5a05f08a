"""Waiting for others with patience: what is under way is asked once, and what comes late is told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from hub.loops.repos.patience import Patience

AT_ONCE = 0.0
LONG = 60.0


@dataclass
class Heard:
    """What was told of questions."""

    late: list[str] = field(default_factory=list)
    ended: list[tuple[str, object, bool]] = field(default_factory=list)

    def patience(self) -> Patience[str]:
        def told(about: str, task: asyncio.Task[object], late: bool) -> None:
            self.ended.append((about, task.exception() or task.result(), late))

        return Patience[str](self.late.append, told)


class Slow:
    """Somebody who answers when he may."""

    def __init__(self) -> None:
        self.asked = 0
        self.may = asyncio.Event()

    async def answer(self) -> str:
        self.asked += 1
        await self.may.wait()
        return "answer"


async def test_however_many_want_to_know_it_is_asked_once() -> None:
    heard, slow = Heard(), Slow()
    patience = heard.patience()
    tasks = [patience.once("it", slow.answer) for _ in range(3)]
    slow.may.set()
    assert await patience.answers("it", tasks[0], LONG)
    assert {task.result() for task in tasks} == {"answer"}
    assert slow.asked == 1
    assert heard.ended == [("it", "answer", False)]
    assert await patience.answers("it", patience.once("it", slow.answer), LONG)
    assert slow.asked == 2, "what was answered is asked anew"


async def test_who_is_late_is_told_of_once_and_again_when_he_answers() -> None:
    heard, slow = Heard(), Slow()
    patience = heard.patience()
    task = patience.once("it", slow.answer)
    assert not await patience.answers("it", task, AT_ONCE)
    assert not await patience.answers("it", task, LONG), "nobody waits for what was given up"
    assert heard.late == ["it"]
    assert patience.waits(lambda about: about == "it")
    slow.may.set()
    await task
    await asyncio.sleep(0)
    assert heard.ended == [("it", "answer", True)]
    assert not patience.waits(lambda about: True)


async def test_what_is_forgotten_is_asked_anew_and_its_answer_told_to_nobody() -> None:
    heard, slow = Heard(), Slow()
    patience = heard.patience()
    old = patience.once("it", slow.answer)
    assert not await patience.answers("it", old, AT_ONCE)
    patience.forget(lambda about: about == "it")
    new = patience.once("it", slow.answer)
    assert new is not old
    slow.may.set()
    await asyncio.gather(old, new)
    await asyncio.sleep(0)
    assert heard.ended == [("it", "answer", False)]


async def test_what_fails_late_is_told_with_its_error() -> None:
    heard, may, error = Heard(), asyncio.Event(), OSError("no")

    async def fail() -> None:
        await may.wait()
        raise error

    patience = heard.patience()
    task = patience.ask("it", fail())
    assert not await patience.answers("it", task, AT_ONCE)
    may.set()
    await asyncio.wait({task})
    await asyncio.sleep(0)
    assert heard.ended == [("it", error, True)]


async def test_at_the_end_nobody_is_waited_for() -> None:
    heard, slow = Heard(), Slow()
    patience = heard.patience()
    tasks = [patience.once("it", slow.answer), patience.ask("other", slow.answer())]
    await patience.close()
    assert all(task.cancelled() for task in tasks)
    assert not heard.ended
