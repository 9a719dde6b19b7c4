"""Doses of one patient as a plain list, and the list that a regimen of the engine amounts to."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from her2.engine.layout import STEP_DAYS, Attribute, RegimenArrays
from her2.errors import unknown
from her2.export.individual import Individual
from her2.model import Model
from her2.patients.sample import Cohort


class Dose(NamedTuple):
    """One administration, taken as a bolus."""

    day: float  # since the first metastatic therapy
    drug: str  # INN
    amount_mg: float


def planned_doses(
    model: Model, patient: Cohort, regimens: RegimenArrays, regimen: int, weeks: int
) -> list[Dose]:
    """Doses of a regimen of the engine in one patient, every cycle given in full.

    As in the kernel, all doses of a week are given together at its start; dose reductions and the trial's own
    limits on cycles are left out.

    Parameters
    ----------
    regimens, regimen : the regimens of a trial and the index of one of them
    weeks : doses in weeks 0 to `weeks` - 1
    """
    body = {
        0: 1.0,
        1: float(patient.attributes[Attribute.WEIGHT, 0]),
        2: float(patient.attributes[Attribute.BSA, 0]),
    }
    doses = []
    for week in range(weeks):
        for number, agent in enumerate(model.agents):
            cycle = int(regimens.cycle_weeks[regimen, number])
            own = week - int(regimens.start_week[regimen, number])
            if cycle == 0 or own < 0 or own // cycle >= regimens.max_cycles[regimen, number]:
                continue
            count = float(regimens.doses_in_week[regimen, number, own % cycle])
            if count == 0.0:
                continue
            loading = float(regimens.loading[regimen, number])
            amount = loading if own == 0 and loading > 0.0 else float(regimens.amount[regimen, number])
            amount *= body[int(regimens.unit[regimen, number])] * count
            doses.append(Dose(week * STEP_DAYS, agent.id, amount))
    return doses


def checked_doses(regimen: Iterable[Sequence[object]], individual: Individual, days: float) -> list[Dose]:
    """The doses before `days`, in order of time, after a check of drugs, times and amounts.

    Raises
    ------
    her2.errors.UnknownNameError
        If the full model has no such drug.
    ValueError
        If a day or an amount is negative, or the course has no length.
    """
    if not days > 0.0:
        raise ValueError(f"days: expected a positive length of the course, got {days}")
    known = (*individual.antibodies, *individual.cytotoxics)
    doses = []
    for day, drug, amount in regimen:
        dose = Dose(float(day), str(drug), float(amount))  # type: ignore[arg-type]
        if dose.drug not in known:
            raise unknown("drug", dose.drug, known)
        if not (dose.day >= 0.0 and dose.amount_mg >= 0.0):
            raise ValueError(f"dose {tuple(dose)}: expected a day and an amount that are not negative")
        if dose.day < days:
            doses.append(dose)
    return sorted(doses, key=lambda d: d.day)
