"""`argosy-agent`: puts one agent together and runs it until SIGTERM.

Imports are late where they are dear, so that a wrong command line answers at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from agent import config
from agent.config import Config
from argosy import interpreter
from argosy.errors import ArgosyError, Forbidden, Invalid

if TYPE_CHECKING:
    from agent.program import Program

YOUNG = 20_000
"""Objects between two looks of the garbage collector: about 4 MB."""

DONE, FAILED, USAGE, REFUSED = 0, 1, 2, 3
"""Exit codes: ended as told.

Broke; the command line, token or state cannot be used; the hub refuses this agent.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    settings = config.parse(sys.argv[1:] if arguments is None else arguments)
    interpreter.frugal()
    # structlog loads rich where it finds it: ten megabytes for colours that an agent does not show.
    sys.modules.setdefault("rich", None)  # type: ignore[arg-type]
    from argosy import log

    # gRPC writes each refused handshake to stderr; what matters of it is in our own log.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    log.configure(level=settings.log_level, form=settings.log_format)
    try:
        return asyncio.run(run(settings))
    except Forbidden as error:
        return _fail(error, REFUSED)
    except Invalid as error:
        return _fail(error, USAGE)
    except ArgosyError as error:
        return _fail(error, FAILED)
    except KeyboardInterrupt:
        return DONE


async def run(settings: Config) -> int:
    """Runs until SIGTERM or SIGINT. Raises what keeps the agent from starting."""
    from agent import program

    interpreter.settle(YOUNG)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, ended.set)
    if settings.child:
        await _follow(loop, ended)
    work = loop.create_task(_work(program.Program(settings, version())))
    waiting = loop.create_task(ended.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if work.done():
        work.result()
        return FAILED
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    return DONE


async def _follow(loop: asyncio.AbstractEventLoop, ended: asyncio.Event) -> None:
    """Ends with standard input: it ends with the process that holds it open, however that one dies."""

    class End(asyncio.Protocol):
        def connection_lost(self, exc: Exception | None) -> None:
            ended.set()

    await loop.connect_read_pipe(End, sys.stdin)


async def _work(agent: Program) -> None:
    try:
        await agent.run()
    finally:
        await agent.close()


def version() -> str:
    """Of the installed package, as its folder says. `importlib.metadata` says the same, and costs an agent 3 MB."""
    for place in sys.path:
        for found in Path(place).glob("argosy-*.dist-info"):
            return found.name.removeprefix("argosy-").removesuffix(".dist-info")
    return "unknown"


def _fail(error: ArgosyError, code: int) -> int:
    print(f"argosy-agent: {error.message}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
