"""Data cut: what is known of each patient when the data are cut.

PFS is dated at the scan that shows progression, or at death; without either it is censored at the last scan before
the cut or the loss of contact. TTP counts progression only. OS is censored at the cut or the loss of contact. Duration
of response runs from the first scan that shows a (confirmed) response to progression or death; who does not respond is
censored at the start. Time to CNS metastases counts those found by the first progression. Disease-free survival after
surgery ends with the relapse or death and does not wait for a scan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import Outcome
from her2.engine.run import Followed

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

PROGRESSION, DEATH, AT_CUT, LOST, NO_SCAN = 0, 1, 2, 3, 4
REASONS = ("progression", "death", "no event at data cut", "lost to follow-up", "no scan after baseline")


@dataclass(frozen=True)
class TimeToEvent:
    """Time, event and reason of each patient; time in days from randomisation."""

    time: Array
    event: Flags
    reason: NDArray[np.int64]


def cut_data(
    followed: Followed, endpoint: str, enrol_day: Array, lost_day: Array, cut_day: float, scan_days: float
) -> TimeToEvent:
    """Time-to-event data of one endpoint at a data cut.

    Parameters
    ----------
    endpoint : 'pfs', 'ttp', 'os', 'dor', 'time_to_cns' or 'dfs'
    enrol_day : (patients,) day of enrolment since the first patient
    lost_day : (patients,) day since entry on which contact is lost
    cut_day : days since the first patient
    scan_days : time between scans, day
    """
    known = np.minimum(np.maximum(cut_day - enrol_day, 0.0), lost_day)
    lost = lost_day < cut_day - enrol_day
    ended = np.where(lost, LOST, AT_CUT)
    death = followed[Outcome.DEATH]
    if endpoint == "os":
        event = death <= known
        return TimeToEvent(np.where(event, death, known), event, np.where(event, DEATH, ended))
    progression = followed[Outcome.PROGRESSION]
    if endpoint == "dfs":
        first = np.minimum(progression, death)
        event = first <= known
        why = np.where(progression <= death, PROGRESSION, DEATH)
        return TimeToEvent(np.where(event, first, known), event, np.where(event, why, ended))
    if endpoint == "time_to_cns":
        brain = followed[Outcome.CNS_PROGRESSION]
        first = np.minimum(np.minimum(progression, death), known)
        event = brain <= first
        return TimeToEvent(np.where(event, brain, first), event, np.where(event, PROGRESSION, ended))
    progressed = (progression <= known) & (progression <= death)
    died = (death <= known) & ~progressed
    last_scan = np.floor(np.minimum(known, death) / scan_days) * scan_days
    if endpoint == "ttp":
        event = progressed
        # a death without progression is censored at the last scan before it
        time = np.where(progressed, progression, last_scan)
    else:
        event = progressed | died
        time = np.where(progressed, progression, np.where(died, death, last_scan))
    reason = np.where(progressed, PROGRESSION, np.where(died, DEATH, ended))
    reason = np.where(~event & (last_scan <= 0.0), NO_SCAN, reason)
    if endpoint == "dor":
        response = followed[Outcome.CONFIRMED_RESPONSE]
        counts = followed[Outcome.CONFIRMED_ON] <= known
        length = np.where(counts, time - np.where(counts, response, 0.0), 0.0)
        return TimeToEvent(np.maximum(length, 0.0), event & counts, reason)
    # a patient without any scan counts one day, as trials do
    return TimeToEvent(np.where(event | (time > 0), time, 1.0), event, reason)
