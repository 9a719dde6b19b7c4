"""What a calculation with one known effect gives: proportional hazards, normal approximation."""

from __future__ import annotations

import numpy as np

from her2.design_study.boundaries import Boundaries, find_crossing_probabilities


def expected_drift(hazard_ratio: float, events: float, share: float) -> float:
    """Mean of the final log-rank z, positive where the experimental arm does better (Schoenfeld 1981).

    Equals -log(HR) sqrt(events r (1 - r)); leaves out crossing hazards, ties and the loss of strata.

    Parameters
    ----------
    hazard_ratio : experimental against control
    events : in both arms
    share : r, of the patients in the experimental arm
    """
    return float(-np.log(hazard_ratio) * np.sqrt(events * share * (1.0 - share)))


def classical_power(bounds: Boundaries, hazard_ratio: float, events: float, share: float) -> float:
    """Power of the group-sequential log-rank test at one hazard ratio; futility is followed."""
    drift = expected_drift(hazard_ratio, events, share)
    reject, _ = find_crossing_probabilities(bounds.information, bounds.efficacy, bounds.futility, drift)
    return float(reject.sum())


def events_needed(hazard_ratio: float, alpha: float, power: float, share: float) -> float:
    """Events of a trial without interim looks by Schoenfeld's formula; alpha one-sided."""
    from scipy.special import ndtri

    z = float(ndtri(1.0 - alpha) + ndtri(power))
    return float(z**2 / (share * (1.0 - share) * np.log(hazard_ratio) ** 2))
