"""Evaluates a user's CEL expression on one object, whose fields are the variables (as in Flux's `healthCheckExprs`).

Bounded by the runtime itself: an expression that goes around more than some ten thousand times is an error. Loaded only
where there is an expression.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from argosy.health.user import Exhausted, Failed
from argosy.objects import Manifest

LENGTH = 4096
"""Characters of an expression."""
_SPENT = "Iteration budget exceeded"


def evaluate(expression: str, live: Manifest) -> bool:
    """Whether the expression is true of the object.

    Raises `Failed` where it cannot be read, looks at what is not there, or is neither true nor false.
    """
    try:
        value = _compiled(expression).eval(data=dict(live))
    except (RuntimeError, ValueError, TypeError) as error:
        said = str(error).partition("\n")[0]
        raise (Exhausted if _SPENT in said else Failed)(f"CEL: {said}") from None
    # Errors may come as values, too.
    found = value.value()
    if not isinstance(found, bool):
        raise Failed(f"CEL: {str(found).partition(chr(10))[0]}, expected true or false: {expression}")
    return found


@lru_cache(maxsize=256)
def _compiled(expression: str) -> Any:
    if len(expression) > LENGTH:
        raise Failed(f"CEL: an expression has at most {LENGTH} characters")
    # Custom resources have any fields: what is not there shows when the expression is evaluated.
    return _environment().compile(expression, disable_check=True)


@lru_cache(maxsize=1)
def _environment() -> Any:
    try:
        from cel_expr_python import cel
        from cel_expr_python.ext import ext_encoders, ext_optional, ext_strings
    except ImportError:
        raise Failed("CEL is not installed here (the package cel-expr-python)") from None
    extensions = [ext_strings.ExtStrings(), ext_optional.ExtOptional(), ext_encoders.ExtEncoders()]
    return cel.NewEnv(extensions=extensions)
