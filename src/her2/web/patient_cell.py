"""A patient's tumour cell for the map: the reference HER2 3+ cell in a tumour with what is known of this tumour set.

A marker that is known to be altered sets the switch of its mechanism; one known to be normal is as in the reference
cell. What was given before and how it worked weighs virtual patients (`her2 patient`); one cell cannot show it.
"""

from __future__ import annotations

from typing import Any

from her2.sequencing.state import Biomarkers, PatientState

SWITCHES: dict[tuple[str, str], str] = {
    ("her2", "low"): "her2-2plus",
    ("her2", "negative"): "her2-loss",
    ("hormone_receptor", "positive"): "er-positive",
    ("biomarkers.pik3ca", "mutated"): "pik3ca-mutation",
    ("biomarkers.pten", "lost"): "pten-loss",
    ("biomarkers.pi3k_pathway", "active"): "pi3k-pathway-active",
    ("biomarkers.akt1", "mutated"): "akt1-mutation",
    ("biomarkers.inpp4b", "lost"): "inpp4b-loss",
    ("biomarkers.p95her2", "present"): "p95her2",
    ("biomarkers.her2_delta16", "present"): "delta16",
    ("biomarkers.her2_level", "high"): "her2-high",
    ("biomarkers.her3_level", "high"): "her3-overexpression",
    ("biomarkers.serum_her2", "high"): "serum-ecd-high",
    ("biomarkers.egfr", "overexpressed"): "egfr-coexpression",
    ("biomarkers.igf1r", "overexpressed"): "igf1r-overexpression",
    ("biomarkers.met", "overexpressed"): "met-hgf",
    ("biomarkers.epha2", "overexpressed"): "epha2",
    ("biomarkers.beta2_ar", "high"): "beta2-adrenergic-loop",
    ("biomarkers.src", "active"): "src-high",
    ("biomarkers.cyclin_e", "amplified"): "cyclin-e",
    ("biomarkers.til", "high"): "tils-high",
    ("biomarkers.pdl1", "positive"): "pd-l1",
    ("biomarkers.fcgr3a", "vv"): "fcgr3a-vv",
    ("biomarkers.fcgr3a", "ff"): "fcgr3a-ff",
}
"""Item of a case and its value to the switch that sets it in a cell."""
NORMAL = ("wild_type", "present", "absent", "normal", "inactive", "negative", "vf")
"""Values that the reference cell has, where no switch stands for them."""


def cell_of(state: PatientState) -> dict[str, Any]:
    """The condition of the map for a patient.

    Returns
    -------
    `condition` as the operations of the map take it; `altered` and `as_reference`: items with their value, those
    that set a switch and those as in the reference cell; `left_out`: known markers that no cell of the map can show.
    """
    known = {
        "her2": state.her2,
        "hormone_receptor": state.hormone_receptor,
        **{f"biomarkers.{n}": getattr(state.biomarkers, n) for n in Biomarkers.model_fields},
    }
    switches: dict[str, float] = {}
    used, same, left = [], [], []
    for item, value in known.items():
        if value is None:
            continue
        switch = SWITCHES.get((item, value))
        if switch is not None:
            switches[switch] = 1.0
            used.append({"item": item, "value": value, "switch": switch})
        elif value in NORMAL or (item, value) == ("her2", "positive"):
            same.append({"item": item, "value": value})
        else:
            left.append({"item": item, "value": value})
    condition = {"cell": "reference", "drugs": {}, "switches": switches, "ligands": {}, "where": "tumour"}
    return {"condition": condition, "altered": used, "as_reference": same, "left_out": left}
