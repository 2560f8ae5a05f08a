"""`python -m hub.demo.serve FOLDER --port N`: serves the bare repositories of a folder, to try things out with."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from hub.demo import gitserver


def main() -> None:
    """Serves until a signal ends it."""
    options = argparse.ArgumentParser(prog="python -m hub.demo.serve", description=__doc__)
    options.add_argument("folder", type=Path)
    options.add_argument("--port", type=int, default=8418)
    chosen = options.parse_args()
    server = gitserver.GitServer(chosen.folder.resolve(), writable=True, port=chosen.port)
    print(f"serving {chosen.folder} at http://127.0.0.1:{server.port}/", flush=True)
    signal.sigwait({signal.SIGINT, signal.SIGTERM})
    server.close()


if __name__ == "__main__":
    main()
