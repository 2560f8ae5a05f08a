"""A role's end of the conversation with the harness: JSON lines in, JSON lines out, until the input ends."""

from __future__ import annotations

import asyncio
import os
import sys
import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

Command = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]

_OUT = os.dup(1)
"""The harness's pipe; whatever prints goes to the log instead."""
os.dup2(2, 1)


def say(**value: Any) -> None:
    os.write(_OUT, orjson.dumps(value) + b"\n")


async def answer(commands: Mapping[str, Command], **hello: Any) -> None:
    """Says hello, then carries out what is asked, one after the other. A failing command answers its error."""
    reader = asyncio.StreamReader(limit=1 << 24)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    say(**hello)
    while line := await reader.readline():
        asked = orjson.loads(line)
        try:
            say(**await commands[asked.pop("do")](asked))
        except Exception as error:
            traceback.print_exc()
            say(error=f"{type(error).__name__}: {error}")
