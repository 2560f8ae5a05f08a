"""A float64 as Go writes it. Python's `repr` finds the same shortest digits; only the form differs.

Two forms must not be mixed: `%v` (templates, flattened parameters, YAML) turns to exponents at 1e6, JSON at
1e21. The module knows nothing else.
"""

from __future__ import annotations

import math

_PRECISION = 6
"""Go decides on the exponent form of shortest digits as if six had been asked for."""


def print_form(value: float) -> str:
    """`fmt.Sprintf("%v", value)` = `strconv.FormatFloat(value, 'g', -1, 64)`: 1234567.0 -> "1.234567e+06"."""
    if not math.isfinite(value):
        return {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}[str(value)]
    sign, digits, exponent = _digits(value)
    if exponent < -4 or exponent >= _PRECISION:
        return _with_exponent(sign, digits, exponent, 2)
    return _plain(sign, digits, exponent)


def json_form(value: float) -> str:
    """`encoding/json` of a float64: plain decimals from 1e-6 to 1e21. Raises ValueError for NaN and
    infinity.
    """
    if not math.isfinite(value):
        raise ValueError(f"unsupported value: {value}")
    sign, digits, exponent = _digits(value)
    if value != 0 and (exponent < -6 or exponent >= 21):
        return _with_exponent(sign, digits, exponent, 1 if exponent < 0 else 2)
    return _plain(sign, digits, exponent)


def carried(value: int) -> int | float:
    """A whole number once Go has read and written it as JSON without knowing its type: a float64's shortest digits,
    9223372036854775808 -> 9223372036854776000. A float where the digits are more than 64 bits hold."""
    if abs(value) <= 2**53:
        return value
    there = float(value)
    digits = int(plain_form(there))
    return digits if -(2**63) <= digits < 2**64 else there


def plain_form(value: float) -> str:
    """`strconv.FormatFloat(value, 'f', -1, 64)`: never an exponent. Raises ValueError for NaN and infinity."""
    if not math.isfinite(value):
        raise ValueError(f"unsupported value: {value}")
    return _plain(*_digits(value))


def _digits(value: float) -> tuple[str, str, int]:
    """Sign, shortest decimal digits, and the power of ten of the first digit."""
    text = repr(value)
    sign = "-" if text.startswith("-") else ""
    mantissa, _, power = text.lstrip("-").partition("e")
    whole, _, part = mantissa.partition(".")
    digits = (whole + part).lstrip("0")
    if not digits:
        return sign, "0", 0
    exponent = int(power or 0) + len(whole) - 1 - (len(whole + part) - len(digits))
    return sign, digits.rstrip("0"), exponent


def _with_exponent(sign: str, digits: str, exponent: int, width: int) -> str:
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):0{width}d}"


def _plain(sign: str, digits: str, exponent: int) -> str:
    if exponent < 0:
        return sign + "0." + "0" * (-exponent - 1) + digits
    if len(digits) <= exponent + 1:
        return sign + digits.ljust(exponent + 1, "0")
    return sign + digits[: exponent + 1] + "." + digits[exponent + 1 :]
