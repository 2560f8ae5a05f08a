"""How the Python of a long-lived process is set: its garbage collector, and how threads share the interpreter.

Python looks for cycles each time 700 more objects live than before, and every hundredth time among all of them: a hub
that takes up ten thousand Applications spent half of its time so (measured). Nearly all that we make goes by its
reference count; so the collector looks seldom, and never again at what a process holds from its start.

SQLite lets go of the interpreter for every row. Where another thread is at work each row then waits for up to the
switch interval, which is 5 ms by default: 2,000 rows took a second (measured), and a quarter of it with 1 ms.
"""

from __future__ import annotations

import gc
import sys

SWITCH_SECONDS = 0.0005


def settle(young: int) -> None:
    """Call once, when everything is loaded. `young` are the objects that may come before the collector looks among
    the newest: what lies about until then is at most so much.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, 20, 50)
    sys.setswitchinterval(SWITCH_SECONDS)
