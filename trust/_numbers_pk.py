"""Closed forms of pharmacokinetics against matrix exponentials, on generated regimens.

The generators and the reference, which steps one patient from dose to dose with the exponential of the whole rate
matrix and shares no formula with the package, are those of tests/pharmacology/test_compartments.py.
"""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import numpy as np
from common import ROOT, Figure

TARGET = 1e-9
FULL = {"regimens": 500, "areas": 200, "effect sites": 100}
REDUCED = {"regimens": 60, "areas": 25, "effect sites": 12}


def run(full: bool, seed: int) -> tuple[list[Figure], dict[str, Any]]:
    """Largest relative differences of concentrations, areas and effect-site concentrations."""
    size = FULL if full else REDUCED
    reference = load_reference()
    found = {
        "regimens": (
            compare_concentrations(reference, size["regimens"], seed),
            "concentrations of 5 times each",
        ),
        "areas": (compare_areas(reference, size["areas"], seed), "area under the curve of one window each"),
        "effect sites": (
            compare_effect_sites(reference, size["effect sites"], seed),
            "6 times each; in every third the effect rate is equal, or nearly, to a rate of the drug",
        ),
    }
    figures = [
        Figure(
            f"PK closed form, {what}: largest relative difference", worst, "", f"<= {TARGET:g}", worst <= TARGET,
            f"{size[what]} generated models and regimens against the matrix exponential; {note}",
        )
        for what, (worst, note) in found.items()
    ]  # fmt: skip
    return figures, {"sizes": size}


def load_reference() -> ModuleType:
    """The test module that holds generators and reference."""
    path = ROOT / "tests" / "pharmacology" / "test_compartments.py"
    spec = importlib.util.spec_from_file_location("her2_test_compartments", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def compare_concentrations(reference: ModuleType, n: int, seed: int) -> float:
    """Largest relative difference of plasma concentrations."""
    rng = np.random.default_rng([seed, 1])
    worst = 0.0
    for _ in range(n):
        regimen = reference.draw_regimen(rng)
        model = reference.draw_model(rng, absorbs=regimen.route != "iv")
        last = 6.0 if regimen.interval_days == 1 else 45.0
        doses = regimen.expand(reference.WEIGHT, reference.BSA, 0.0, last)
        times = np.sort(rng.uniform(0.0, last + 5.0, 5))
        want = reference.ByMatrixExponential(model).concentration(doses, times)
        worst = max(worst, reference.largest_relative_error(model.concentration(doses, times)[0], want))
    return worst


def compare_areas(reference: ModuleType, n: int, seed: int) -> float:
    """Largest relative difference of areas, of what the subtraction of two areas leaves to compare."""
    rng = np.random.default_rng([seed, 2])
    worst = 0.0
    for _ in range(n):
        regimen = reference.draw_regimen(rng)
        model = reference.draw_model(rng, absorbs=regimen.route != "iv")
        last = 5.0 if regimen.interval_days == 1 else 30.0
        doses = regimen.expand(reference.WEIGHT, reference.BSA, 0.0, last)
        window = np.sort(rng.uniform(0.0, last, 2))
        area = np.diff(reference.ByMatrixExponential(model).states(doses, window)[:, -2])[0]
        total = doses.amount_mg.sum() / model.cl[0]
        worst = max(worst, float(abs(model.auc(doses, *window)[0] - area) / max(area, 1e-5 * total)))
    return worst


def compare_effect_sites(reference: ModuleType, n: int, seed: int) -> float:
    """Largest relative difference of concentrations at an effect site."""
    rng = np.random.default_rng([seed, 3])
    worst = 0.0
    for k in range(n):
        regimen = reference.draw_regimen(rng)
        model = reference.draw_model(rng, absorbs=regimen.route != "iv")
        ke0 = float(np.exp(rng.uniform(-3, 3)))
        if k % 3 == 0:
            near = float(rng.choice([0.0, 1e-14, 1e-10, 1e-6, 1e-3]))
            ke0 = float(rng.choice(model.modes()[0][0])) * (1.0 + near)
        doses = regimen.expand(reference.WEIGHT, reference.BSA, 0.0, 6.0)
        times = np.sort(rng.uniform(0.0, 9.0, 6))
        want = reference.ByMatrixExponential(model, ke0).states(doses, times)[:, 0]
        got = model.with_effect_compartment(ke0).concentration(doses, times)[0]
        worst = max(worst, reference.largest_relative_error(got, want))
    return worst
