"""Signs that follow from structure, at the record's values and over the priors: no drug-specific tuning."""

import numpy as np
import pytest

from her2.evidence.load import load_parameters
from her2.evidence.priors import to_value
from her2.model import build_model, signals

OCCUPIED = 0.97


def _cell(
    model, *, t=0.0, p=0.0, heregulin=1.0, p95=None, pten=1.0, pik3ca=0.0, er=0.0, cyclin_e=0.0, her2=1.0
):
    totals = model.receptors.reference_totals.copy()
    total = (totals[1] + totals[3]) * her2
    share = totals[3] / (totals[1] + totals[3]) if p95 is None else p95
    totals[1], totals[3] = total * (1 - share), total * share
    ligands = model.receptors.reference_ligands * np.array([1.0, heregulin])
    out = signals(
        model.receptors,
        model.network,
        totals[:, None],
        ligands[:, None],
        np.array([[t], [p]]),
        {
            "igf1r": np.array([0.12]),
            "pten": np.array([pten]),
            "pik3ca": np.array([pik3ca]),
            "bim_level": np.ones(1),
            "er": np.array([er]),
            "cyclin_e": np.array([cyclin_e]),
        },
    )
    return {k: float(v[0]) for k, v in out.items()}


def _models(n=25):
    """The record's values and draws from the priors of the signalling constants."""
    rng = np.random.default_rng(4)
    yield build_model()
    for _ in range(n):
        values = {}
        for k, p in load_parameters().items():
            if p.prior is None or not k.startswith(("receptors.", "signalling.")):
                continue
            values[k] = to_value(p, rng.normal())
        yield build_model(values)


@pytest.mark.parametrize("number", range(26))
def test_signs_hold_over_the_priors(number):
    model = list(_models())[number]
    base, t, tp = _cell(model), _cell(model, t=OCCUPIED), _cell(model, t=OCCUPIED, p=OCCUPIED)
    assert t["akt"] < base["akt"]
    assert tp["akt"] < t["akt"]
    assert tp["cell_cycle"] < t["cell_cycle"] < base["cell_cycle"]
    assert t["p27"] > base["p27"]
    assert t["foxo"] > base["foxo"]
    assert t["bim"] > base["bim"]
    # heregulin rescues from trastuzumab, pertuzumab restores
    high = _cell(model, t=OCCUPIED, heregulin=8.0)
    assert high["akt"] > t["akt"]
    assert _cell(model, t=OCCUPIED, p=OCCUPIED, heregulin=8.0)["akt"] < high["akt"]

    def left(**kind):
        return _cell(model, t=OCCUPIED, p=OCCUPIED, **kind)["cell_cycle"] / _cell(model, **kind)["cell_cycle"]

    plain = left()
    assert left(pten=0.15) > plain  # so does PTEN loss
    assert left(cyclin_e=1.0) > plain  # and cyclin E
    assert left(er=1.0) > plain  # ER is an escape pathway
    assert _cell(model, pik3ca=1.0)["akt"] > base["akt"]
    assert _cell(model, pten=0.15)["akt"] > base["akt"]


def test_p95her2_blunts_the_antibodies_in_nearly_all_of_the_prior():
    """Where the drawn p95HER2 dimers are weak and HER2's own strong, less HER2 may outweigh it: rare, not never."""
    blunted = 0
    models = list(_models(40))
    for model in models:
        left = [
            _cell(model, t=OCCUPIED, p=OCCUPIED, p95=p)["cell_cycle"] / _cell(model, p95=p)["cell_cycle"]
            for p in (0.05, 0.5)
        ]
        blunted += left[1] > left[0]
    assert blunted >= 0.9 * len(models)


def test_without_her2_the_antibodies_change_nothing(model):
    off, on = _cell(model, her2=0.0), _cell(model, her2=0.0, t=OCCUPIED, p=OCCUPIED)
    assert off == on


def test_numba_and_numpy_forms_agree(model, generator):
    """The kernel's evaluation against the readable reference: 640 cells, every input varied."""
    from her2.engine.layout import LANES, Signal
    from her2.engine.signals import (
        N_SIGNAL_OUTPUTS,
        OUT_APOPTOSIS,
        OUT_DRIVER,
        OUT_PROLIFERATION,
        OUT_SURFACE,
        OUT_SURVIVAL,
        evaluate_block,
        scratch,
    )

    named = {OUT_PROLIFERATION: "cell_cycle", OUT_APOPTOSIS: "apoptosis", OUT_SURVIVAL: "akt"}
    named |= {OUT_DRIVER: "foxo", OUT_DRIVER + 1: "s6k", OUT_DRIVER + 2: "pka"}
    worst = 0.0
    for _ in range(10):
        x = np.zeros((int(Signal.SLOW) + len(model.network.slow), LANES))
        x[:12] = np.exp(generator.normal(size=(12, LANES)))
        x[Signal.PIK3CA] = generator.integers(0, 2, LANES)
        x[Signal.CYCLIN_E] = generator.integers(0, 2, LANES)
        x[Signal.PTEN] = generator.uniform(size=LANES)
        occupied = generator.uniform(size=(2, LANES))
        x[Signal.TRASTUZUMAB : Signal.PERTUZUMAB + 1] = occupied
        x[Signal.SLOW :] = generator.uniform(0, 0.5, size=(len(model.network.slow), LANES))
        out = np.zeros((N_SIGNAL_OUTPUTS, LANES))
        evaluate_block(
            model.receptor_arrays,
            model.network_arrays,
            x,
            out,
            *scratch(model.receptor_arrays, model.network_arrays),
        )
        reference = signals(
            model.receptors,
            model.network,
            x[:4],
            x[4:6],
            x[Signal.TRASTUZUMAB : Signal.PERTUZUMAB + 1],
            {
                "igf1r": x[Signal.BYPASS],
                "pik3ca": x[Signal.PIK3CA],
                "pten": x[Signal.PTEN],
                "er": x[Signal.ER],
                "cyclin_e": x[Signal.CYCLIN_E],
                "bim_level": x[Signal.BIM],
            },
            slow=x[Signal.SLOW :],
        )
        assert np.max(reference["residual"]) < 1e-10
        for row, name in named.items():
            worst = max(
                worst, float(np.max(np.abs(out[row] - reference[name]) / np.maximum(reference[name], 1e-6)))
            )
        left = 1.0 - np.einsum("as,al->asl", model.receptors.downregulation, occupied)
        adapted = [
            1.0 + s.gain * rise for s, rise in zip(model.network.slow, x[Signal.SLOW :]) if s.receptor == 1
        ]
        surface = x[1] * np.prod(left, axis=0)[1] * np.prod([np.ones(LANES), *adapted], axis=0)
        worst = max(worst, float(np.max(np.abs(out[OUT_SURFACE] / surface - 1.0))))
    # two orders of summation and two exponentials: a few hundred units in the last place
    assert worst < 1e-11
