"""`python -m bench.roles ROLE SETTINGS`: one part of a benchmark, started and spoken to by `bench.harness`."""

from __future__ import annotations

import asyncio
import importlib
import sys

import orjson

if __name__ == "__main__":
    module = importlib.import_module(f"bench.roles.{sys.argv[1]}")
    asyncio.run(module.main(**orjson.loads(sys.argv[2])))
