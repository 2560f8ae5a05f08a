"""How the Python of a long-lived process is set: its memory, its garbage collector, how threads share the interpreter.

Python looks for cycles each time 700 more objects live than before, and every hundredth time among all of them: a hub
that takes up ten thousand Applications spent half of its time so (measured). Nearly all that we make goes by its
reference count; so the collector looks seldom, and never again at what a process holds from its start.

SQLite lets go of the interpreter for every row. Where another thread is at work each row then waits for up to the
switch interval, which is 5 ms by default: 2,000 rows took a second (measured), and an eighth of it with 0.2 ms.
"""

from __future__ import annotations

import gc
import sys

SWITCH_SECONDS = 0.0005
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Parameters of glibc's `mallopt` (mallopt(3))."""
_LARGE = 64 * 1024


def settle(young: int) -> None:
    """Call once, when everything is loaded. `young` are the objects that may come before the collector looks among
    the newest: what lies about until then is at most so much.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, 20, 50)
    sys.setswitchinterval(SWITCH_SECONDS)


def frugal() -> None:
    """Lets the C library keep one heap for all threads and give back what is free; to be called before threads start.

    Of 75 MB of an agent that had applied 1,000 objects this saved six (measured). Elsewhere than on glibc it does
    nothing.
    """
    # Late: hubs do without.
    import ctypes

    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_TRIM_THRESHOLD, _LARGE)
    mallopt(_M_MMAP_THRESHOLD, _LARGE)
