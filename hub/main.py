"""`argosy-hub`: the command line of the hub. What the parts are and how they are wired is `hub.assembly`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import sys
from importlib.metadata import version
from pathlib import Path

from argosy import interpreter, log
from argosy.errors import ArgosyError
from hub import config
from hub.config import HubConfig

STOP_WITHIN = 8.0
"""Seconds a stop may take before what is still open is cut."""
YOUNG = 100_000
"""Objects between two looks of the garbage collector: about 20 MB."""


def main(argv: list[str] | None = None) -> int:
    """Exit 0 done, 1 failed, 2 usage."""
    arguments = _parser().parse_args(argv)
    log.configure(level=arguments.log_level, form=arguments.log_format)
    try:
        code: int = arguments.run(arguments)
        return code
    except ArgosyError as error:
        print(f"argosy-hub: {error.message}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"argosy-hub: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="argosy-hub", description="The hub: decides what every cluster should run."
    )
    parser.add_argument("--version", action="version", version=f"argosy-hub {version('argosy')}")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--data", type=Path, required=True, metavar="DIR", help="where the hub keeps everything"
    )
    common.add_argument("--log-level", choices=sorted(log.LEVELS), default="info")
    common.add_argument("--log-format", choices=("text", "json"), default="text")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    serve = commands.add_parser("serve", parents=[common], help="run the hub until SIGTERM")
    _serve_options(serve)
    serve.set_defaults(run=_serve)

    backup = commands.add_parser(
        "backup", parents=[common], help="write a running or stopped hub's state to one file"
    )
    backup.add_argument("file", type=Path, metavar="FILE")
    backup.set_defaults(run=_backup)

    restore = commands.add_parser(
        "restore", parents=[common], help="replace a stopped hub's state by a backup's"
    )
    restore.add_argument("file", type=Path, metavar="FILE")
    restore.set_defaults(run=_restore)

    doctor = commands.add_parser(
        "doctor", parents=[common], help="check database, keys, tools and free space"
    )
    doctor.set_defaults(run=_doctor)
    return parser


def _serve_options(serve: argparse.ArgumentParser) -> None:
    serve.add_argument(
        "--api", default=config.API, metavar="HOST:PORT", help="the Kubernetes API (%(default)s)"
    )
    serve.add_argument(
        "--link", default=config.LINK, metavar="HOST:PORT", help="where agents connect (%(default)s)"
    )
    serve.add_argument(
        "--enroll", default="", metavar="HOST:PORT", help="where agents join (the port after --link)"
    )
    serve.add_argument("--store", default="", metavar="URL", help="sqlite (the default): DIR/hub.db")
    serve.add_argument(
        "--advertise",
        action="append",
        default=[],
        metavar="HOST",
        help="name or address by which agents and clients reach this hub; may be repeated, the first goes into join tokens",
    )
    serve.add_argument(
        "--poll", type=float, default=180.0, metavar="SECONDS", help="between two looks at a repository"
    )
    serve.add_argument(
        "--beat", type=int, default=20, metavar="SECONDS", help="between two signs of life of an agent"
    )
    serve.add_argument(
        "--grace",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="until a lost agent's cluster is not Ready",
    )
    serve.add_argument(
        "--certificate-lifetime",
        type=float,
        default=86400.0,
        metavar="SECONDS",
        help="of agents' certificates, at least 60",
    )
    serve.add_argument(
        "--metrics-group",
        action="append",
        default=[],
        metavar="LABEL",
        help="label of clusters by which /metrics groups delivery figures; may be repeated",
    )
    serve.add_argument(
        "--in-cluster",
        action="store_true",
        help="run an agent for this hub's own API, so that destination in-cluster is the hub itself and Applications "
        "may bring Applications, ApplicationSets and AppProjects",
    )


def _serve(arguments: argparse.Namespace) -> int:
    # gRPC's own log tells of every refused handshake; ours says what matters. Kustomize runs by exec, not by a bare fork.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
    from hub import assembly

    if arguments.store not in ("", "sqlite"):
        print(f"argosy-hub: --store: found {arguments.store!r}, expected sqlite", file=sys.stderr)
        return 2
    if arguments.certificate_lifetime < 60:
        print("argosy-hub: --certificate-lifetime: at least 60 seconds", file=sys.stderr)
        return 2
    settings = HubConfig(
        data=arguments.data.resolve(),
        api=arguments.api,
        link=arguments.link,
        enroll=arguments.enroll,
        names=tuple(arguments.advertise),
        poll=arguments.poll,
        lifetime=arguments.certificate_lifetime,
        beat=arguments.beat,
        grace=arguments.grace,
        groups=tuple(arguments.metrics_group),
        in_cluster=arguments.in_cluster,
    )

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        hub = assembly.Hub(settings)
        await hub.start()
        interpreter.settle(YOUNG)
        print(f"argosy-hub: API on https://{hub.api_address}, link on {hub.link_address}", flush=True)
        print(f"argosy-hub: kubectl --kubeconfig {settings.kubeconfig}", flush=True)
        await stop.wait()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_WITHIN):
                await hub.stop()

    asyncio.run(serve())
    return 0


def _backup(arguments: argparse.Namespace) -> int:
    from hub.store import backup

    size = backup.write(arguments.data, arguments.file, list(backup.KEYS))
    print(f"{arguments.file}: {size} bytes; it holds keys and secrets, keep it as you would keep them")
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from hub.store import backup

    epoch = backup.restore(arguments.data, arguments.file)
    print(
        f"restored; this is a new life of the hub (epoch {epoch}).\n"
        "Agents keep what they run and remove nothing until their cluster's Held condition is resolved:\n"
        "look at `argosy cluster list`, then `argosy cluster confirm NAME`, or `--all`."
    )
    return 0


def _doctor(arguments: argparse.Namespace) -> int:
    from hub import doctor

    return doctor.report(doctor.examine(arguments.data))


if __name__ == "__main__":
    sys.exit(main())
