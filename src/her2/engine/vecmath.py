"""Exponential and logarithm in straight-line arithmetic, so that loops over lanes vectorise.

Written out (range reduction, polynomial, exponent bits) instead of calling the C library for two reasons: a call
would stop LLVM from putting patients into SIMD lanes, and the C library's last digits differ between CPU types.
These use only + - * / and bit operations, so that they give the same digits everywhere.
Error against correctly rounded values: at most 2 units in the last place (tests/engine/test_vecmath.py).
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic as _intrinsic

# numba's decorator changes the signature (the typing context is filled in), which type checkers cannot see
intrinsic: Any = _intrinsic

_LOG2E = 1.4426950408889634
_LN2_HI = 6.93147180369123816490e-01
_LN2_LO = 1.90821492927058770002e-10
_MAGIC = 6755399441055744.0  # 1.5 * 2**52: adding it rounds to the nearest integer
_TWO52 = 4503599627370496.0
LOG_FLOOR = 1e-300  # arguments of `log` below this are raised to it


@intrinsic
def _bits_of(typingctx, x):
    """int64 with the same bits as a float64."""
    if x != types.float64:
        return None

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), codegen


@intrinsic
def _float_of(typingctx, x):
    """float64 with the same bits as an int64."""
    if x != types.int64:
        return None

    def codegen(context, builder, signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@njit(inline="always")
def exp(x):
    """e**x for x clipped to [-700, 700]."""
    x = min(max(x, -700.0), 700.0)
    shifted = x * _LOG2E + _MAGIC
    k = shifted - _MAGIC
    r = (x - k * _LN2_HI) - k * _LN2_LO
    p = 1.0 / 6227020800.0
    p = p * r + 1.0 / 479001600.0
    p = p * r + 1.0 / 39916800.0
    p = p * r + 1.0 / 3628800.0
    p = p * r + 1.0 / 362880.0
    p = p * r + 1.0 / 40320.0
    p = p * r + 1.0 / 5040.0
    p = p * r + 1.0 / 720.0
    p = p * r + 1.0 / 120.0
    p = p * r + 1.0 / 24.0
    p = p * r + 1.0 / 6.0
    p = p * r + 0.5
    p = p * r * r + r + 1.0
    # the low bits of `shifted` hold k as an integer; adding the bias and moving it up makes 2**k
    scale = _float_of((_bits_of(shifted) + 1023) << 52)
    return p * scale


@njit(inline="always")
def log(x):
    """Natural logarithm of x raised to at least 1e-300; x must be finite."""
    x = max(x, LOG_FLOOR)
    # move to [sqrt(1/2), sqrt(2)) so that the series argument stays below 0.172
    bits = _bits_of(x) - 0x3FE6A09E667F3BCD
    k = _float_of(((bits >> 52) + 2048) | 0x4330000000000000) - (_TWO52 + 2048.0)
    m = _float_of((bits & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    p = 1.0 / 23.0
    p = p * z + 1.0 / 21.0
    p = p * z + 1.0 / 19.0
    p = p * z + 1.0 / 17.0
    p = p * z + 1.0 / 15.0
    p = p * z + 1.0 / 13.0
    p = p * z + 1.0 / 11.0
    p = p * z + 1.0 / 9.0
    p = p * z + 1.0 / 7.0
    p = p * z + 1.0 / 5.0
    p = p * z + 1.0 / 3.0
    return k * _LN2_HI + (2.0 * s + (2.0 * s * z * p + k * _LN2_LO))


@njit(inline="always")
def power(x, n):
    """x**n for x >= 0; zero stays zero to within 1e-300**n."""
    return exp(n * log(x))
