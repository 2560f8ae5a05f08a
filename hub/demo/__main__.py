"""`make demo`: the whole of Argosy on this machine, with clusters in memory. See `hub/demo/story.py` for the
story.

Exit code 0 when the fleet came out as it must, 1 when not; without `--once` it then runs on until Ctrl-C.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import FrameType

from argosy.errors import ArgosyError
from hub.demo import display
from hub.demo.story import Demo, Failed

FOLDER = Path(".demo")
"""Where each run has a folder of its own; Git ignores it."""


def main() -> int:
    """Plays the demo and returns the exit code."""
    options = argparse.ArgumentParser(prog="make demo", description="Watch commits arrive on three clusters.")
    options.add_argument("--once", action="store_true", help="verify the end state and end; exit 0 or 1")
    once = options.parse_args().once
    signal.signal(signal.SIGTERM, _interrupted)
    FOLDER.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=FOLDER)).resolve()
    code = _run(folder, once=once)
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"logs and data are kept in {folder}", file=sys.stderr)
    return code


def _run(folder: Path, *, once: bool) -> int:
    shown = display.choose()
    demo = Demo(folder, shown)
    try:
        demo.play()
        if not once:
            for line in demo.invitation():
                shown.say(line)
            demo.watch()
        return 0
    except KeyboardInterrupt:
        shown.say("ending")
        return 0 if not once else 1
    except (Failed, ArgosyError) as error:
        shown.close()
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        shown.close()
        demo.close()


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
