"""Random numbers keyed by what they are for, not by when they are drawn.

Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") is a function from a key and a
counter to 128 random bits. The key is the seed, the counter is (patient, purpose, index): a patient's growth rate
is the same number for any number of threads, chunks, patients or arms, and in whatever order it is asked for.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numba import njit

from her2.engine.vecmath import exp, log

_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_32 = np.uint64(32)
_11 = np.uint64(11)
_21 = np.uint64(21)


class Purpose(IntEnum):
    """What a stream of random numbers is used for; one number never serves two purposes."""

    ATTRIBUTE = 1
    CLONE = 2
    ARM_ATTRIBUTE = 3
    EVENT = 4
    SCAN = 5
    SEQUENCE = 6
    RANDOMISATION = 7
    ENROLMENT = 8
    RESAMPLING = 9
    ENSEMBLE = 10


@njit(forceinline=True)
def philox(k0, k1, c0, c1, c2, c3):
    """Ten rounds of Philox4x32; four words of 32 bits, each in a uint64."""
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        n0 = (p1 >> _32) ^ c1 ^ k0
        n1 = p1 & _LOW
        n2 = (p0 >> _32) ^ c3 ^ k1
        n3 = p0 & _LOW
        c0, c1, c2, c3 = n0, n1, n2, n3
        k0 = (k0 + _W0) & _LOW
        k1 = (k1 + _W1) & _LOW
    return c0, c1, c2, c3


@njit(forceinline=True)
def _unit(high, low):
    """53 bits as a float in (0, 1): never 0 and never 1."""
    bits = ((high << _32) | low) >> _11
    return (np.float64(bits) + 0.5) * (1.0 / 9007199254740992.0)


@njit(cache=True)
def uniform(seed, patient, purpose, index):
    """One number in (0, 1) keyed by (seed, patient, purpose, index); all four non-negative integers."""
    s = np.uint64(seed)
    p = np.uint64(patient)
    w0, w1, _w2, _w3 = philox(
        s & _LOW,
        s >> _32,
        p & _LOW,
        p >> _32,
        np.uint64(purpose),
        np.uint64(index),
    )
    return _unit(w0, w1)


@njit(cache=True)
def normal(seed, patient, purpose, index):
    """One standard normal number with the same key as `uniform` (inverse distribution function)."""
    return normal_quantile(uniform(seed, patient, purpose, index))


@njit(cache=True)
def normal_quantile(p):
    """Inverse of the standard normal distribution function, Wichura's algorithm AS 241 (relative error 1e-15)."""
    q = p - 0.5
    if abs(q) <= 0.425:
        r = 0.180625 - q * q
        num = (
            (
                (
                    (
                        (
                            (2.5090809287301226727e3 * r + 3.3430575583588128105e4) * r
                            + 6.7265770927008700853e4
                        )
                        * r
                        + 4.5921953931549871457e4
                    )
                    * r
                    + 1.3731693765509461125e4
                )
                * r
                + 1.9715909503065514427e3
            )
            * r
            + 1.3314166789178437745e2
        ) * r + 3.3871328727963666080e0
        den = (
            (
                (
                    (
                        (
                            (5.2264952788528545610e3 * r + 2.8729085735721942674e4) * r
                            + 3.9307895800092710610e4
                        )
                        * r
                        + 2.1213794301586595867e4
                    )
                    * r
                    + 5.3941960214247511077e3
                )
                * r
                + 6.8718700749205790830e2
            )
            * r
            + 4.2313330701600911252e1
        ) * r + 1.0
        return q * num / den
    r = p if q < 0.0 else 1.0 - p
    r = np.sqrt(-log(r))
    if r <= 5.0:
        r -= 1.6
        num = (
            (
                (
                    (
                        (
                            (7.74545014278341407640e-4 * r + 2.27238449892691845833e-2) * r
                            + 2.41780725177450611770e-1
                        )
                        * r
                        + 1.27045825245236838258e0
                    )
                    * r
                    + 3.64784832476320460504e0
                )
                * r
                + 5.76949722146069140550e0
            )
            * r
            + 4.63033784615654529590e0
        ) * r + 1.42343711074968357734e0
        den = (
            (
                (
                    (
                        (
                            (1.05075007164441684324e-9 * r + 5.47593808499534494600e-4) * r
                            + 1.51986665636164571966e-2
                        )
                        * r
                        + 1.48103976427480074590e-1
                    )
                    * r
                    + 6.89767334985100004550e-1
                )
                * r
                + 1.67638483018380384940e0
            )
            * r
            + 2.05319162663775882187e0
        ) * r + 1.0
    else:
        r -= 5.0
        num = (
            (
                (
                    (
                        (
                            (2.01033439929228813265e-7 * r + 2.71155556874348757815e-5) * r
                            + 1.24266094738807843860e-3
                        )
                        * r
                        + 2.65321895265761230930e-2
                    )
                    * r
                    + 2.96560571828504891230e-1
                )
                * r
                + 1.78482653991729133580e0
            )
            * r
            + 5.46378491116411436990e0
        ) * r + 6.65790464350110377720e0
        den = (
            (
                (
                    (
                        (
                            (2.04426310338993978564e-15 * r + 1.42151175831644588870e-7) * r
                            + 1.84631831751005468180e-5
                        )
                        * r
                        + 7.86869131145613259100e-4
                    )
                    * r
                    + 1.48753612908506148525e-2
                )
                * r
                + 1.36929880922735805310e-1
            )
            * r
            + 5.99832206555887937690e-1
        ) * r + 1.0
    x = num / den
    return -x if q < 0.0 else x


@njit(cache=True)
def uniforms(seed, first_patient, n_patients, purpose, index):
    """`uniform` for consecutive patients: array of shape (patients,)."""
    out = np.empty(n_patients)
    for i in range(n_patients):
        out[i] = uniform(seed, first_patient + i, purpose, index)
    return out


@njit(cache=True)
def normals(seed, first_patient, n_patients, purpose, index):
    """`normal` for consecutive patients: array of shape (patients,)."""
    out = np.empty(n_patients)
    for i in range(n_patients):
        out[i] = normal(seed, first_patient + i, purpose, index)
    return out


@njit(cache=True)
def exponentials(seed, first_patient, n_patients, purpose, index):
    """Unit-rate exponential numbers for consecutive patients: array of shape (patients,)."""
    out = np.empty(n_patients)
    for i in range(n_patients):
        out[i] = -log(uniform(seed, first_patient + i, purpose, index))
    return out


@njit(cache=True)
def exp_of(x):
    """Array form of the engine's own exponential: same digits on every CPU type."""
    out = np.empty_like(x)
    for i in range(x.size):
        out.flat[i] = exp(x.flat[i])
    return out
