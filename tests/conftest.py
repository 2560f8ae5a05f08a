"""What every test may use: the fixtures of `tests/support/given.py`, and those for real control planes."""

from __future__ import annotations

pytest_plugins = ["testbed.plugin", "given"]


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long bytes are named by their argument: archives hold times, and every worker has to collect the same names."""
    return argname if isinstance(val, bytes) and len(val) > 20 else None
