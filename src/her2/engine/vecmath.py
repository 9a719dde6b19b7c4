"""Exponential and logarithm in straight-line arithmetic, so that loops over lanes vectorise.

Written out (range reduction, polynomial, exponent bits) instead of calling the C library for two reasons: a call
would stop LLVM from putting patients into SIMD lanes, and the C library's last digits differ between CPU types.
These use only + - * /, the fused a * b + c of IEEE 754 and bit operations, so that they give the same digits
everywhere. Polynomials interpolate the Taylor series at Chebyshev nodes, which needs fewer terms than cutting the
series off, and are added up in pairs (Estrin's scheme): the chain of operations that wait for each other is what
bounds a loop over lanes, not their number.
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


@intrinsic
def fma(typingctx, a, b, c):
    """a * b + c with one rounding."""
    if not a == b == c == types.float64:
        return None

    def codegen(context, builder, signature, args):
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), codegen


@njit(forceinline=True)
def exp(x):
    """e**x for x clipped to [-700, 700]."""
    x = min(max(x, -700.0), 700.0)
    shifted = fma(x, _LOG2E, _MAGIC)
    k = shifted - _MAGIC
    r = fma(k, -_LN2_LO, fma(k, -_LN2_HI, x))
    # (e**r - 1 - r) / r**2 on |r| <= ln 2 / 2, to 1.2e-16
    r2 = r * r
    r4 = r2 * r2
    a = fma(0.16666666666666669, r, 0.5000000000000001)
    b = fma(0.008333333333330062, r, 0.04166666666662413)
    c = fma(0.00019841269863053618, r, 0.0013888888917213717)
    d = fma(2.7557268459997064e-06, r, 2.4801521295954376e-05)
    e = fma(2.510038549551032e-08, r, 2.7620088445409746e-07)
    p = fma(r4, fma(r4, e, fma(d, r2, c)), fma(b, r2, a))
    p = fma(r2, p, r) + 1.0
    # the low bits of `shifted` hold k as an integer; adding the bias and moving it up makes 2**k
    scale = _float_of((_bits_of(shifted) + 1023) << 52)
    return p * scale


@njit(forceinline=True)
def log(x):
    """Natural logarithm of x raised to at least 1e-300; x must be finite."""
    x = max(x, LOG_FLOOR)
    # move to [sqrt(1/2), sqrt(2)) so that the series argument stays below 0.172
    bits = _bits_of(x) - 0x3FE6A09E667F3BCD
    k = _float_of(((bits >> 52) + 2048) | 0x4330000000000000) - (_TWO52 + 2048.0)
    m = _float_of((bits & 0x000FFFFFFFFFFFFF) + 0x3FE6A09E667F3BCD)
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    # (atanh(s) - s) / s**3 for z up to 0.0295, to 1.6e-16
    z2 = z * z
    a = fma(0.19999999999949722, z, 0.3333333333333335)
    b = fma(0.11111105565129939, z, 0.14285714313001635)
    c = fma(0.07665855309105386, z, 0.09091444727837474)
    p = fma(z2 * z2, fma(0.07308292712444311, z2, c), fma(b, z2, a))
    s += s
    return fma(k, _LN2_HI, s + fma(s * z, p, k * _LN2_LO))


@njit(forceinline=True)
def power(x, n):
    """x**n for x >= 0; zero stays zero to within 1e-300**n."""
    return exp(n * log(x))
