"""The garbage collector of a process that holds much and makes few cycles.

Python looks for cycles each time 700 more objects live than before, and every hundredth time among all of them: a hub
that takes up ten thousand Applications spent half of its time so (measured). Nearly all that we make goes by its
reference count; so the collector looks seldom, and never again at what a process holds from its start.
"""

from __future__ import annotations

import gc


def settle(young: int) -> None:
    """Call once, when everything is loaded. `young` are the objects that may come before the collector looks among
    the newest: what lies about until then is at most so much.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(young, 20, 50)
