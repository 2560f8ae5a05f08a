"""`docs/cli.md`, made from the commands themselves by `python -m hub.cli.page > docs/cli.md`.

A test compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer.main

from hub.cli import commands, offline

WIDTH = 100

HEAD = """# argosy

The command for people and scripts. It speaks the hub's API as kubectl does, and finds it the same way:
`--kubeconfig`, else `$ARGOSY_KUBECONFIG`, else `$KUBECONFIG`, else `~/.kube/config`. `--server`, `--kubeconfig`,
`--context`, `--token` and `--certificate-authority` may stand anywhere on the line.

Every list takes `-o table|wide|json|yaml|name`. In a pipe the output is plain text, on a terminal it has colours.
Errors go to stderr and say what was found and what was expected.

| exit code | means |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | the command line is wrong (`appset generate`: evaluated, with problems) |
| 3 | `wait`: not done within `--timeout` |

<!-- made by `python -m hub.cli.page > docs/cli.md` -->
"""


def render() -> str:
    """The whole page."""
    root = typer.main.get_command(commands.app)
    sections = [f"## {name}\n\n```text\n{text}\n```\n" for name, text in _helps(root, "argosy", None)]
    return "\n".join([HEAD, *sections])


def _helps(command: Any, name: str, parent: Any) -> Iterator[tuple[str, str]]:
    """(full name, help text) of a command and of everything below it."""
    local = offline.named(name.split()[1:])
    if local is not None:
        yield name, offline.parser(local).format_help().rstrip()
        return
    context = command.context_class(
        command,
        info_name=name if parent is None else name.rpartition(" ")[2],
        parent=parent,
        terminal_width=WIDTH,
        max_content_width=WIDTH,
        help_option_names=["-h", "--help"],
    )
    lines = command.get_help(context).splitlines()
    yield name, "\n".join(line.rstrip() for line in lines)
    for child, below in getattr(command, "commands", {}).items():
        yield from _helps(below, f"{name} {child}", context)


if __name__ == "__main__":
    print(render(), end="")
