"""A secret put together from shares, as SOPS splits a data key between groups (`shamir/shamir.go`, after Vault).

The field is GF(2^8) with x^8 + x^4 + x^3 + x + 1; a share is the values of one polynomial per byte, then its x.
"""

from __future__ import annotations

from collections.abc import Sequence

from argosy.errors import Invalid

_POLYNOMIAL = 0x11B


def combine(shares: Sequence[bytes]) -> bytes:
    """The secret, where there are enough shares; else some bytes that open nothing. Raises `Invalid` for shares that
    do not fit together.
    """
    xs = [share[-1] for share in shares if len(share) > 1]
    if len(xs) != len(shares) or len({len(share) for share in shares}) != 1 or len(set(xs)) != len(xs):
        raise Invalid("the shares of its data key do not fit together")
    factors = [_at_zero(xs, at) for at in range(len(xs))]
    return bytes(
        _sum(_times(share[place], factor) for share, factor in zip(shares, factors, strict=True))
        for place in range(len(shares[0]) - 1)
    )


def _at_zero(xs: Sequence[int], at: int) -> int:
    """Lagrange's factor of one share at zero."""
    out = 1
    for other, x in enumerate(xs):
        if other != at:
            out = _times(out, _times(x, _inverse(x ^ xs[at])))
    return out


def _sum(values: object) -> int:
    out = 0
    for value in values:  # type: ignore[attr-defined]
        out ^= value
    return out


def _times(a: int, b: int) -> int:
    out = 0
    while b:
        if b & 1:
            out ^= a
        a <<= 1
        if a & 0x100:
            a ^= _POLYNOMIAL
        b >>= 1
    return out


def _inverse(a: int) -> int:
    """a^254, which is 1/a."""
    out = 1
    for _ in range(254):
        out = _times(out, a)
    return out
