"""Missing items: what each would change in the rules, and how far the predicted course differs between its values.

The twins of a patient differ in what is not known of the patient. Split by the value of an item, they show what knowing
it would say about the first option, without another simulation.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from her2.engine.layout import Attribute
from her2.engine.rng import Purpose, normals, uniforms
from her2.prognosis.known import TIL_INDEX
from her2.prognosis.lanes import Chosen
from her2.prognosis.outcomes import Outcomes
from her2.prognosis.result import ByValue, MissingItem
from her2.prognosis.routes import Route, route
from her2.prognosis.settings import setting
from her2.prognosis.weights import effective_number, weighted_mean, weighted_quantile
from her2.sequencing.advice import Advice, Missing
from her2.sequencing.state import PatientState
from her2.sequencing.vocabulary import items as vocabulary

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]
GENOTYPE_INDEX = 15
"""Random index of the Fc-gamma receptor genotype (`her2.patients.sample`)."""
LEAST_SHARE = 0.02
"""Values that fewer of the twins have are left out."""
OTHER_EFFECTS = ("inside the model or not", "remarks")
ADVICE_EFFECTS = ("first option", "options", "what is not to be given")


@dataclass(frozen=True)
class Split:
    """An item by which twins can be split: words of its values, and who has each.

    Attributes
    ----------
    values : word and (chosen twins, seed) -> who has it
    """

    item: str
    label: str
    values: tuple[tuple[str, Callable[[Chosen, int], Flags]], ...]
    ids: tuple[str, ...]


def _by_route(name: str, label: str, yes: str, no: str) -> Split:
    r: Route = route(name)

    def has(chosen: Chosen, _seed: int) -> Flags:
        return r.has(chosen.cohort, chosen.member.values, chosen.resistant)

    return Split(r.item, label, ((yes, has), (no, lambda c, s: ~has(c, s))), r.ids)


def _genotype(low: str | None, high: str | None) -> Callable[[Chosen, int], Flags]:
    """Patients whose random number lies between two cumulative shares."""

    def has(chosen: Chosen, seed: int) -> Flags:
        v = chosen.member.values
        edges = {"vv": v["population.fcgr3a_vv"], "vf": v["population.fcgr3a_vv"] + v["population.fcgr3a_vf"]}
        u = _numbers(chosen, seed, uniforms, GENOTYPE_INDEX)
        return np.asarray((u >= (edges[low] if low else 0.0)) & (u < (edges[high] if high else 1.0)))

    return has


def _numbers(chosen: Chosen, seed: int, draw: Callable[..., Array], index: int) -> Array:
    """Random numbers of the twins by index, as they were drawn with."""
    first = int(chosen.ids.min())
    n = int(chosen.ids.max()) - first + 1
    return np.asarray(draw(seed, first, n, int(Purpose.ATTRIBUTE), index))[chosen.ids - first]


def _til(chosen: Chosen, seed: int) -> Flags:
    return np.asarray(_numbers(chosen, seed, normals, TIL_INDEX) >= 0.0)


def _attribute(row: Attribute) -> Callable[[Chosen, int], Flags]:
    return lambda chosen, _seed: np.asarray(chosen.cohort.attributes[row] > 0.5)


def _not(test: Callable[[Chosen, int], Flags]) -> Callable[[Chosen, int], Flags]:
    return lambda chosen, seed: ~test(chosen, seed)


def splits() -> tuple[Split, ...]:
    """Items in which virtual patients differ."""
    pdl1, ecog = _attribute(Attribute.PDL1), _attribute(Attribute.ECOG)
    adjuvant = _attribute(Attribute.ADJUVANT_TRASTUZUMAB)
    return (
        _by_route("pik3ca", "PIK3CA", "mutated", "wild type"),
        _by_route("pten", "PTEN", "lost", "present"),
        _by_route("p95", "p95HER2", "present", "absent"),
        _by_route("bypass", "IGF1R", "overexpressed", "normal"),
        _by_route("egfr", "EGFR", "overexpressed", "normal"),
        _by_route("er", "hormone receptor", "positive", "negative"),
        _by_route("cyclin_e", "cyclin E", "amplified", "normal"),
        Split("biomarkers.til", "tumour-infiltrating lymphocytes", (("high", _til), ("low", _not(_til))), ("tils",)),
        Split(
            "biomarkers.fcgr3a", "FcγRIIIa genotype",
            (("vv", _genotype(None, "vv")), ("vf", _genotype("vv", "vf")), ("ff", _genotype("vf", None))),
            ("fcgr3a_158vf",),
        ),
        Split("biomarkers.pdl1", "PD-L1", (("positive", pdl1), ("negative", _not(pdl1))), ("pd1_pdl1",)),
        Split("ecog", "ECOG performance status", (("1 or more", ecog), ("0", _not(ecog))), ("death.ecog_log",)),
        Split(
            "early", "treatment of early disease",
            (("with trastuzumab", adjuvant), ("without trastuzumab", _not(adjuvant))), ("tumour.adjuvant_selection",),
        ),
    )  # fmt: skip


def is_known(state: PatientState, item: str) -> bool:
    """Whether an item of the case is known."""
    current: object = state.early_treatment if item == "early" else state
    for step in () if item == "early" else item.split("."):
        current = getattr(current, step)
    return current is not None


def missing_items(
    state: PatientState, advice: Advice, chosen: Sequence[Chosen], first: Outcomes | None, seed: int
) -> tuple[MissingItem, ...]:
    """Missing items, first those that would change the answer most.

    That is: what changes the rules' advice, in its order; what tells predicted courses apart by more than chance; what
    changes only trials and hypotheses; courses not told from chance.

    Parameters
    ----------
    chosen, first : twins and their outcomes on the first option; without them the rules alone speak
    """
    courses: dict[str, MissingItem] = {}
    if first is not None:
        for split in splits():
            if not is_known(state, split.item):
                found = _course(split, chosen, first, seed)
                if found is not None:
                    courses[split.item] = found
    result = []
    for missing in advice.missing:
        if missing.effect in OTHER_EFFECTS:
            continue
        own = courses.pop(missing.item, None)
        result.append(_with_rules(own, missing))
    result += sorted(courses.values(), key=lambda m: -abs(m.difference or 0.0))
    return tuple(sorted(result, key=_group))


def _group(item: MissingItem) -> int:
    """Place of an item among the missing ones, the lower the more it would change."""
    if item.rules is not None and item.rules.effect in ADVICE_EFFECTS:
        return 0
    if item.is_told_apart:
        return 1
    return 2 if item.rules is not None else 3


def _with_rules(own: MissingItem | None, missing: Missing) -> MissingItem:
    if own is None:
        return MissingItem(missing.item, missing.label, missing, (), None, None, ())
    return MissingItem(own.item, own.label, missing, own.values, own.difference, own.mc_error, own.ids)


def _course(split: Split, chosen: Sequence[Chosen], first: Outcomes, seed: int) -> MissingItem | None:
    w = first.live_weights
    total = float(w.sum())
    limit = setting("restriction")
    capped = np.minimum(first.pfs_months, limit)
    rows, means, errors = [], [], []
    for word, test in split.values:
        has = np.concatenate([test(c, seed) for c in chosen])
        own = np.where(has, w, 0.0)
        if not float(own.sum()) > LEAST_SHARE * total:
            continue
        mean = weighted_mean(capped, own)
        spread = weighted_mean((capped - mean) ** 2, own)
        rows.append(
            ByValue(
                word, float(own.sum()) / total, _month(weighted_quantile(first.pfs_months, own, 0.5)),
                _month(weighted_quantile(first.os_months, own, 0.5)),
            )
        )  # fmt: skip
        means.append(mean)
        errors.append(spread / max(effective_number(own) - 1.0, 1.0))
    if len(rows) < 2:
        return None
    low, high = int(np.argmin(means)), int(np.argmax(means))
    return MissingItem(
        split.item, split.label, None, tuple(rows), means[high] - means[low], math.sqrt(errors[low] + errors[high]),
        split.ids,
    )  # fmt: skip


def _month(x: float) -> float | None:
    return x if math.isfinite(x) else None


def label_of(item: str) -> str:
    """Label of an item of the vocabulary, or its place."""
    known = vocabulary()
    name = item.split(".")[-1]
    return known[name].label if name in known else item
