"""`argosy`: the command for people and scripts.

Here is the one place where errors become exit codes: 0 done, 1 failed, 2 usage, 3 timed out. What costs time
to import is imported when the command line asks for it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from argosy.errors import ArgosyError
from hub.cli import elsewhere, offline
from hub.cli.errors import Late, Usage

FAILED, USAGE, TIMED_OUT = 1, 2, 3
INTERRUPTED = 130
"""What shells say of a program that Ctrl-C ended."""
EVERYWHERE = ("--server", "--kubeconfig", "--context", "--token", "--certificate-authority")
"""Flags that may stand anywhere on the line, as kubectl's."""


def hoisted(arguments: Sequence[str]) -> list[str]:
    """The arguments with the flags of `EVERYWHERE` moved to the front. What follows `--` stays as it is."""
    front: list[str] = []
    rest: list[str] = []
    left = list(arguments)
    while left:
        word = left.pop(0)
        if word == "--":
            return [*front, *rest, word, *left]
        if word in EVERYWHERE and left:
            front += [word, left.pop(0)]
        elif word.partition("=")[0] in EVERYWHERE:
            front.append(word)
        else:
            rest.append(word)
    return front + rest


def main() -> None:
    """The console script."""
    try:
        command = offline.named(sys.argv[1:])
        if command is not None:
            raise SystemExit(offline.run(command, sys.argv[3:]))
        if other := elsewhere.instead(sys.argv[1:]):
            raise Usage(other)
        from hub.cli import commands

        commands.app(hoisted(sys.argv[1:]))
    except Late as error:
        _fail(error, TIMED_OUT)
    except Usage as error:
        _fail(error, USAGE)
    except ArgosyError as error:
        _fail(error, FAILED)
    except KeyboardInterrupt:
        # While modules are imported; later it is typer's.
        raise SystemExit(INTERRUPTED) from None
    except BrokenPipeError:
        # The reader (head, less) has seen enough; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: ArgosyError, code: int) -> None:
    print(f"error: {error.message}", file=sys.stderr)
    raise SystemExit(code)
