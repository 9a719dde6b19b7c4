"""Response endpoints of each patient: confirmed response, clinical benefit, depth."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import Attribute as A
from her2.engine.layout import Outcome
from her2.engine.run import Followed

Flags = NDArray[np.bool_]
CLINICAL_BENEFIT_DAYS = 168.0
"""Stable disease counts as clinical benefit from 24 weeks on."""


def _happened(day: NDArray[np.float64], known_days: NDArray[np.float64] | float) -> Flags:
    """Whether a day that is infinite for never lies within the time known, however long that is: (patients,)."""
    return np.isfinite(day) & (day <= known_days)


def responded(followed: Followed, known_days: NDArray[np.float64] | float = np.inf) -> Flags:
    """Complete or partial response (RECIST 1.1), confirmed within the time known: (patients,)."""
    return _happened(followed[Outcome.CONFIRMED_ON], known_days)


def benefited(followed: Followed, known_days: NDArray[np.float64] | float = np.inf) -> Flags:
    """Confirmed response, or no progression and alive for 24 weeks: (patients,)."""
    first = np.minimum(followed[Outcome.PROGRESSION], followed[Outcome.DEATH])
    stable = (first > CLINICAL_BENEFIT_DAYS) & (known_days >= CLINICAL_BENEFIT_DAYS)
    return responded(followed, known_days) | stable


def brain_responded(followed: Followed, known_days: NDArray[np.float64] | float = np.inf) -> Flags:
    """Response of measured brain metastases at a scan within the time known: (patients,)."""
    return _happened(followed[Outcome.CNS_RESPONSE], known_days)


def brain_progressed(followed: Followed, known_days: NDArray[np.float64] | float = np.inf) -> Flags:
    """CNS metastases found by the first progression, within the time known: (patients,)."""
    first = np.minimum(followed[Outcome.PROGRESSION], known_days)
    return _happened(followed[Outcome.CNS_PROGRESSION], first)


def brain_first(followed: Followed, known_days: NDArray[np.float64] | float = np.inf) -> Flags:
    """CNS as the only site of the first progression, within the time known: (patients,)."""
    return (followed[Outcome.CNS_FIRST] > 0.5) & (followed[Outcome.PROGRESSION] <= known_days)


def complete(followed: Followed, known_days: NDArray[np.float64] | float = np.inf) -> Flags:
    """No tumour found at surgery: (patients,)."""
    return (followed[Outcome.COMPLETE] > 0.5) & (known_days >= 0.0)


RATE_RULES: Mapping[str, Callable[..., Flags]] = {
    "orr": responded,
    "cbr": benefited,
    "cns_orr": brain_responded,
    "cns_incidence": brain_progressed,
    "cns_first": brain_first,
    "pcr": complete,
}
"""How each rate is read from a followed cohort: (followed, days known) -> (patients,) yes/no."""


def best_change(followed: Followed) -> NDArray[np.float64]:
    """Best change of the sum of diameters from baseline, fraction: (patients,); 0 if never scanned."""
    return followed[Outcome.BEST_SUM] - 1.0


def member(attribute_table: NDArray[np.float64], subgroup: str) -> Flags:
    """Whether each patient belongs to a subgroup: (patients,)."""
    tests = {
        "er_positive": attribute_table[A.ER_POSITIVE] > 0.5,
        "visceral": attribute_table[A.VISCERAL] > 0.5,
        "liver": attribute_table[A.LIVER] > 0.5,
        "adjuvant_chemotherapy": attribute_table[A.ADJUVANT_CHEMOTHERAPY] > 0.5,
        "adjuvant_trastuzumab": attribute_table[A.ADJUVANT_TRASTUZUMAB] > 0.5,
        "ecog_1": attribute_table[A.ECOG] > 0.5,
        "pik3ca_mutant": attribute_table[A.PIK3CA] > 0.5,
        "pten_low": attribute_table[A.PTEN] < 0.99,
        "p95_positive": attribute_table[A.P95_SHARE] > 0.2,
        "cyclin_e_amplified": attribute_table[A.CYCLIN_E] > 0.5,
    }
    return np.asarray(tests[subgroup])
