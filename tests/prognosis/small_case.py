"""A small case and few virtual patients, for the tests of this folder."""

from __future__ import annotations

from her2.prognosis.predict import Effort

SMALL = Effort(members=2, draws=240, twins=60, explained=1, seed=1, jobs=1)

SECOND_LINE = {
    "setting": "metastatic",
    "her2": "positive",
    "hormone_receptor": "negative",
    "early": "none",
    "lines": [
        {
            "agents": ["docetaxel", "trastuzumab"],
            "best_response": "partial",
            "months": 12,
            "stopped_for": "progression",
            "months_since": 0,
        }
    ],
    "cns": "none",
    "biomarkers": {"pik3ca": "wild_type"},
}
