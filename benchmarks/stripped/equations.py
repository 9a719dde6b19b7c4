"""The stripped benchmark model: 4 drugs, 8 clones, 6 adaptation states, 23 differential equations; one text of it.

Not a model of patients: the shape of the population model, small enough for any simulator. Nothing is fitted; effects
are such that most tumours shrink and most of these grow again within five years.

    drugs        x' = K x, three compartments each at most, doses into the first
    adaptation   A_j' = (driver_j - A_j) / tau_j, drivers are signals of clone 0
    clones       (ln N_k)' = net rate of clone k

`cell` holds the equations of signals and rates. It is called with floats by the kernel, with arrays by the SciPy
right-hand side and with symbols by the SBML writer, so that all run the same equations.

Two things are compared: ln cells of all clones after five years, and the day of progression, when ln cells, known at
the end of each day and straight between, is by `RISE` above its lowest value so far.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

DRUGS = ("trastuzumab", "pertuzumab", "docetaxel", "lapatinib")
N_CLONES = 8
N_ADAPT = 6
TAU = (10.0, 10.0, 30.0, 10.0, 20.0, 15.0)
"""Of adaptation, day."""
CYCLE_DAYS = 21.0
CHEMO_CYCLES = 6
COMPARTMENTS = (2, 2, 2, 3)
"""By drug; the last one's doses go into a depot."""
MEASURED = (0, 0, 1, 1)
"""Compartment that acts, by drug."""
PARAMETERS = ("her2", "her3", "egfr", "hrg", "igf", "er", "growth", "effector", "sensitivity", "burden")
CLONE_PARAMETERS = ("her2_factor", "bypass", "pi3k", "pten", "p95", "mdr", "cost")
CLONES = (
    (1.0, 0.0, 0.00, 1.0, 0.00, 1.0, 1.00),
    (1.0, 0.9, 0.00, 1.0, 0.00, 1.0, 0.97),
    (1.0, 0.0, 0.45, 1.0, 0.00, 1.0, 0.97),
    (1.0, 0.0, 0.00, 0.3, 0.00, 1.0, 0.96),
    (0.9, 0.0, 0.00, 1.0, 0.35, 1.0, 0.95),
    (0.2, 0.2, 0.00, 1.0, 0.00, 1.0, 0.92),
    (1.0, 0.0, 0.00, 1.0, 0.00, 0.3, 0.93),
    (1.0, 0.9, 0.45, 1.0, 0.00, 0.3, 0.90),
)
"""Rows of `CLONE_PARAMETERS` by clone."""
LN_FRACTION = (0.0, -7.0, -6.0, -7.0, -8.0, -9.0, -8.0, -14.0)
"""ln of each clone's share at the start."""
RISE = 0.5469646703818639
"""3 ln 1.2: rise of ln cells above its lowest value that counts as progression, a fifth of the diameter."""

Hill = Callable[[Any, float, float], Any]


def cell(hill: Hill, p: Any, q: Any, o1: Any, o2: Any, chemo: Any, kinase: Any, a: Any) -> Any:
    """Net rate (1/day) and the six drivers of adaptation of one clone.

    hill : hill(x, n, k) = x**n / (k**n + x**n)
    p, q : the patient's and the clone's parameters, in the order of `PARAMETERS` and `CLONE_PARAMETERS`
    o1, o2 : share of HER2 bound by trastuzumab and pertuzumab; chemo : docetaxel, relative
    kinase : activity that lapatinib leaves; a : adaptation states
    """
    h2 = p[0] * q[0] * (1.0 - 0.4 * o1) * (1.0 + 0.6 * a[0])
    h3 = p[1] * (1.0 + 1.5 * a[1])
    e = p[2] * (1.0 + 0.5 * a[2])
    crowd = 1.0 / (1.0 + 0.5 * h2 + h3 + e)
    homo = 1.2 * h2 * h2 * (1.0 - o1) * crowd
    hetero = 2.0 * h2 * h3 * (0.3 + p[3]) * (1.0 - 0.9 * o2) * crowd
    with_egfr = 1.5 * h2 * e * (1.0 - 0.5 * o2) * crowd
    cut = 2.0 * q[4] * p[0]
    receptors = (homo + hetero + with_egfr + cut) * kinase
    drive_pi3k = hill(receptors, 1.4, 0.7)
    drive_ras = hill(homo * kinase + 1.5 * with_egfr * kinase + 0.5 * cut * kinase, 1.4, 0.8)
    igf = (p[4] + q[1]) * (1.0 + 0.8 * a[3])
    bypass = hill(igf, 1.4, 1.0)
    pi3k = 1.0 - (1.0 - drive_pi3k) * (1.0 - 0.8 * bypass) * (1.0 - q[2])
    pip3 = hill(pi3k * (1.4 - 0.8 * q[3]), 1.4, 0.45)
    akt = hill(pip3, 1.4, 0.5)
    ras = 1.0 - (1.0 - drive_ras) * (1.0 - 0.4 * bypass)
    raf = hill(ras * (1.0 + 0.5 * a[4]), 1.4, 0.5)
    mek = hill(raf, 1.4, 0.45)
    erk = hill(mek, 1.4, 0.4)
    mtor = 1.0 - (1.0 - 0.8 * hill(akt, 1.4, 0.4)) * (1.0 - 0.4 * hill(erk, 1.4, 0.6))
    s6k = hill(mtor, 1.4, 0.5)
    foxo = 1.0 - hill(akt, 1.4, 0.5)
    er = p[5] * (1.0 + 1.2 * a[5]) * (1.0 - 0.4 * akt)
    genomic = hill(er, 1.4, 1.0)
    cyclin = 1.0 - (1.0 - 0.6 * s6k) * (1.0 - 0.6 * hill(erk, 1.4, 0.5)) * (1.0 - 0.5 * genomic)
    cdk = hill(cyclin * (1.2 - 0.5 * foxo), 1.4, 0.5)
    bcl2 = hill(0.6 * akt + 0.4 * genomic, 1.4, 0.4)
    bim = hill(foxo * (1.0 - 0.6 * erk), 1.4, 0.5)
    apoptosis = bim * (1.0 - 0.7 * bcl2)
    bound = p[0] * q[0] * (o1 + 0.65 * o2)
    rate = (
        p[6] * (2.7 * q[6] * cdk - 0.7)
        - 0.006 * apoptosis
        - 0.004 * p[7] * bound / (bound + 0.6)
        - 0.04 * p[8] * q[5] * chemo * hill(cdk, 1.4, 0.3)
    )
    return rate, foxo, 1.0 - akt, 1.0 - erk, 1.0 - s6k, 1.0 - mek, foxo * (1.0 - pip3)
