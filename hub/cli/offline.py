"""The commands that need no hub. People run them in pre-commit hooks, so they start without typer (which
costs more than a third of a second, with all it imports); `hub/cli/commands.py` shows them among the others.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Command:
    """`argosy NOUN VERB`: what it does, which arguments it takes, and what runs it; that answers the exit
    code."""

    noun: str
    verb: str
    help: str
    arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], int]


class _Formatter(argparse.HelpFormatter):
    """Help of one form in every Python version: `-f, --file FILE`."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=WIDTH, max_help_position=32)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        shown = ", ".join(action.option_strings)
        return shown if action.nargs == 0 else f"{shown} {action.metavar}"


def _output(parser: argparse.ArgumentParser, *forms: str) -> None:
    parser.add_argument(
        "-o",
        "--output",
        choices=forms,
        default=forms[0],
        metavar="|".join(forms),
        help=f"how to print it (default: {forms[0]})",
    )


def _repo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--repo",
        action="append",
        default=[],
        metavar="URL=DIR",
        help="where a repository lies here: a Git repository, or a plain folder for every revision",
    )


def _generate_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--file", required=True, metavar="FILE", help="the set; - reads standard input")
    parser.add_argument(
        "--clusters", default="", metavar="FILE", help="Cluster objects or Argo CD cluster Secrets"
    )
    parser.add_argument(
        "--objects", default="", metavar="FILE", help="ConfigMaps, Secrets, … that generators refer to"
    )
    _repo(parser)
    _output(parser, "json", "yaml", "name")


def _generate(chosen: argparse.Namespace) -> int:
    from hub.cli import appset_generate

    return appset_generate.generate(
        chosen.file,
        clusters=chosen.clusters,
        objects=chosen.objects,
        repos=chosen.repo,
        output=chosen.output,
    )


def _render_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f", "--file", required=True, metavar="FILE", help="the Application; - reads standard input"
    )
    parser.add_argument(
        "--objects", default="", metavar="FILE", help="repository Secrets for charts, and argocd-cm"
    )
    parser.add_argument(
        "--kube-version",
        default="",
        metavar="V",
        help="what charts are told of the cluster (default: helm's)",
    )
    parser.add_argument(
        "--api-version", action="append", default=[], metavar="GV", help="served by the cluster; repeatable"
    )
    _repo(parser)
    _output(parser, "yaml", "json")


def _render(chosen: argparse.Namespace) -> int:
    from hub.cli import app_render

    return app_render.render(
        chosen.file,
        repos=chosen.repo,
        objects=chosen.objects,
        kube_version=chosen.kube_version,
        api_versions=chosen.api_version,
        output=chosen.output,
    )


def _order_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f", "--file", required=True, metavar="FILE", help="the wanted objects; - reads standard input"
    )
    parser.add_argument("--live", default="", metavar="FILE", help="the application's objects in the cluster")
    parser.add_argument(
        "--namespace", default="default", metavar="NS", help="the destination's namespace (default: default)"
    )
    parser.add_argument("--prune-last", action="store_true", help="prune after everything else")
    _output(parser, "json")


def _order(chosen: argparse.Namespace) -> int:
    from hub.cli import app_order

    return app_order.order(
        chosen.file, live=chosen.live, namespace=chosen.namespace, prune_last=chosen.prune_last
    )


def _health_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-f", "--file", required=True, metavar="FILE", help="live objects; - reads standard input"
    )
    parser.add_argument("--config", default="", metavar="FILE", help="argocd-cm, with users' own checks")
    _output(parser, "json")


def _health(chosen: argparse.Namespace) -> int:
    from hub.cli import app_health

    return app_health.health(chosen.file, config=chosen.config)


def _questions(what: str) -> Callable[[argparse.ArgumentParser], None]:
    def arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "-f", "--file", required=True, metavar="FILE", help=f"{what}; - reads standard input"
        )
        _output(parser, "json")

    return arguments


def _project_check(chosen: argparse.Namespace) -> int:
    from hub.cli import project_answers

    return project_answers.check(chosen.file)


def _project_windows(chosen: argparse.Namespace) -> int:
    from hub.cli import project_answers

    return project_answers.windows(chosen.file)


def _simulate(chosen: argparse.Namespace) -> int:
    from hub.cli import rollout_simulate

    return rollout_simulate.simulate(chosen.file)


COMMANDS = (
    Command(
        "appset",
        "generate",
        "Print the Applications of a set, offline. Exit 0 complete, 1 the input cannot be used, "
        "2 evaluated with problems (they are on stderr).",
        _generate_arguments,
        _generate,
    ),
    Command(
        "app",
        "render",
        "Print the objects of an Application, offline. Exit 0 rendered, 1 the input cannot be used, 2 rendering "
        "found problems (they are on stderr).",
        _render_arguments,
        _render,
    ),
    Command(
        "app",
        "order",
        "Print in which order a sync applies, runs and prunes objects, offline.",
        _order_arguments,
        _order,
    ),
    Command(
        "app",
        "health",
        "Print the health of objects, offline; null where there is no check.",
        _health_arguments,
        _health,
    ),
    Command(
        "project",
        "check",
        "Say what an AppProject permits, offline: a list of questions in, a list of booleans out.",
        _questions("a JSON list of {project, question}"),
        _project_check,
    ),
    Command(
        "project",
        "windows",
        "Say whether sync windows allow a sync, offline: a list of cases in, a list of booleans out.",
        _questions("a JSON list of {windows, app, now, manual, operationStartedAt}"),
        _project_windows,
    ),
    Command(
        "rollout",
        "simulate",
        "Say what a RollingSync or a RolloutPolicy would do with what is observed over time, offline.",
        _questions("a JSON list of {strategy, apps, ticks} or {policy, members, ticks}"),
        _simulate,
    ),
)


def parser(command: Command) -> argparse.ArgumentParser:
    """The command's own parser. It exits 2 for a line it cannot understand."""
    found = argparse.ArgumentParser(
        prog=f"argosy {command.noun} {command.verb}",
        description=command.help,
        formatter_class=_Formatter,
        allow_abbrev=False,
    )
    command.arguments(found)
    return found


def named(arguments: Sequence[str]) -> Command | None:
    """The offline command that a command line asks for, None where it asks for anything else."""
    return next((one for one in COMMANDS if list(arguments[:2]) == [one.noun, one.verb]), None)


def run(command: Command, arguments: Sequence[str]) -> int:
    """Runs it with what follows its name; returns the exit code."""
    return command.run(parser(command).parse_args(list(arguments)))
