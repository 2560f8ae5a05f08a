"""`prometheus`: every value of an instant query is above, or below, a number. No value at all is no good answer."""

from __future__ import annotations

import math
from typing import Any
from urllib.parse import quote

import orjson

from argosy.errors import Unavailable
from hub.gates.base import Answer, Question, fetch


async def ask(question: Question) -> Answer:
    config = question.config
    base = str(config["url"]).rstrip("/")
    page = await fetch(question, f"{base}/api/v1/query?query={quote(str(config['query']), safe='')}")
    if page.status != 200:
        return Answer(False, f"Prometheus answered {page.status}")
    values = _values(page.body)
    if not values:
        return Answer(False, "the query gives no value")
    if config.get("above") is not None:
        limit, worst = float(config["above"]), min(values, key=_first_nan)
        return Answer(all(value > limit for value in values), f"{worst:g}, has to be above {limit:g}")
    limit, worst = float(config["below"]), max(values, key=_last_nan)
    return Answer(all(value < limit for value in values), f"{worst:g}, has to be below {limit:g}")


def _first_nan(value: float) -> float:
    return -math.inf if math.isnan(value) else value


def _last_nan(value: float) -> float:
    return math.inf if math.isnan(value) else value


def _values(body: bytes) -> list[float]:
    """The numbers of a vector or scalar. Raises `Unavailable` for anything else."""
    try:
        answer: Any = orjson.loads(body)
        data = answer["data"]
        match data["resultType"]:
            case "vector":
                return [float(each["value"][1]) for each in data["result"]]
            case "scalar":
                return [float(data["result"][1])]
            case kind:
                raise Unavailable(f"the query gives a {kind}, expected a vector or a scalar")
    except (ValueError, KeyError, TypeError, IndexError):
        raise Unavailable("what came back is no answer of Prometheus") from None
