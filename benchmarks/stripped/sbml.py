"""The stripped benchmark model as Antimony and as SBML with dose events.

python benchmarks/stripped/sbml.py stripped.xml     # writes it and has libSBML check it
"""

from __future__ import annotations

import sys
from pathlib import Path

from equations import CHEMO_CYCLES
from model_text import initial, model_text, parameters

from patients import DOSE, Patients, draw

DUE = {"next_infusion": 21.0, "next_chemo": 21.0, "next_tablet": 1.0}
"""Day on which each is due after the first doses."""


def antimony(patients: Patients, index: int = 0) -> str:
    """The model with one patient's numbers; `assignments` gives those of another."""
    made, rates = model_text(patients, lambda base, exponent: f"max({base}, 1e-30)^{exponent}")
    lines = ["model stripped"]
    lines += [f"  {name} := {text.replace('log(', 'ln(')}" for name, text in made]
    lines += [f"  {state}' = {text}" for state, text in rates.items()]
    iv = ", ".join(f"x{d}_0 = x{d}_0 + {DOSE[d]}" for d in (0, 1))
    last = 21 * (CHEMO_CYCLES - 1)
    lines += [
        f"  E_infusion: at (time >= next_infusion): {iv}, next_infusion = next_infusion + 21;",
        f"  E_chemo: at (time >= next_chemo): x2_0 = x2_0 + {DOSE[2]},"
        f" next_chemo = piecewise(next_chemo + 21, next_chemo < {last}, 1e9);",
        f"  E_tablet: at (time >= next_tablet): x3_0 = x3_0 + {DOSE[3]}, next_tablet = next_tablet + 1;",
    ]
    lines += [f"  {name} = {value!r}" for name, value in assignments(patients, index).items()]
    return "\n".join([*lines, "end"]) + "\n"


def assignments(patients: Patients, index: int) -> dict[str, float]:
    """Every parameter and initial state of one patient, the first doses given."""
    return parameters(patients, index) | initial(patients, index) | DUE


def sbml(patients: Patients) -> str:
    """SBML Level 3 of the model with the first patient's numbers."""
    import antimony as translator

    translator.clearPreviousLoads()
    if translator.loadAntimonyString(antimony(patients)) < 0:
        raise RuntimeError(translator.getLastError())
    return str(translator.getSBMLString("stripped"))


def check(text: str) -> list[str]:
    """What libSBML finds wrong: errors of reading and of consistency, units aside, which the model does not declare."""
    import libsbml

    document = libsbml.readSBMLFromString(text)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_UNITS_CONSISTENCY, False)
    document.setConsistencyChecks(libsbml.LIBSBML_CAT_MODELING_PRACTICE, False)
    document.checkConsistency()
    found = (document.getError(k) for k in range(document.getNumErrors()))
    return [e.getMessage().strip() for e in found if e.getSeverity() >= libsbml.LIBSBML_SEV_ERROR]


if __name__ == "__main__":
    text = sbml(draw(1))
    problems = check(text)
    Path(sys.argv[1]).write_text(text, encoding="utf-8")
    print("\n".join(problems) or f"{sys.argv[1]}: {len(text):,} letters, libSBML finds no error")
    sys.exit(bool(problems))
