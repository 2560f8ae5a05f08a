"""`http`: a URL answers with one of the expected statuses, and says what is expected where that is asked for."""

from __future__ import annotations

from hub.gates.base import Answer, Question, fetch


async def ask(question: Question) -> Answer:
    config = question.config
    contains = str(config.get("contains") or "")
    method = str(config.get("method") or "GET")
    page = await fetch(question, str(config["url"]), method=method)
    expected = config.get("status") or range(200, 300)
    if page.status not in expected:
        words = ", ".join(map(str, expected)) if not isinstance(expected, range) else "2xx"
        return Answer(False, f"answered {page.status}, expected {words}")
    if contains and contains.encode() not in page.body:
        return Answer(False, f"answered {page.status}, but without {contains!r}")
    return Answer(True, f"answered {page.status}")
