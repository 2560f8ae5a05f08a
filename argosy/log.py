"""Logging set-up of both programs: key=value lines for people, JSON lines for machines, on stderr."""

from __future__ import annotations

import importlib
import logging
import sys
from typing import TYPE_CHECKING, Any


def _without_rich(name: str) -> Any:
    """Imports structlog as if rich were not installed: it would take rich in for coloured tracebacks, 5 MB and a sixth of
    an agent's start. Whoever draws with rich imports it afterwards as usual."""
    if "rich" in sys.modules:
        return importlib.import_module(name)
    sys.modules["rich"] = None  # type: ignore[assignment]
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules["rich"]


if TYPE_CHECKING:
    import structlog
else:
    structlog = _without_rich("structlog")

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure(*, level: str = "info", form: str = "text") -> None:
    """`level` is one of `LEVELS`; `form` is "text" or "json"."""
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=0)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
