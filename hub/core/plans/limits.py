"""How much one plan may be asked about. The command knows these, too, and imports nothing else for them."""

from __future__ import annotations

MOST_OBJECTS = 500
MOST_FILES = 50_000
MOST_BYTES = 24 * 1024 * 1024
"""Of the files of all uploaded folders."""
DEFAULT_RENDERS = 500
MOST_RENDERS = 20_000
DEFAULT_PATIENCE, MOST_PATIENCE = 15.0, 40.0
