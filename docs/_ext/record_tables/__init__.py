"""Tables of the documentation that are read from the record, the posterior and the code while building.

One directive per table (see `DIRECTIVES`). The bibliography is written from `data/sources`. Rows of parameters and
claims carry anchors, so that other pages can link to them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sphinx.application import Sphinx

from record_tables.bibliography import write_bibliography
from record_tables.cells import Actions, Attributes, CellLines, CellValues, Exposures, NoSwitches, Switches
from record_tables.evidence import Agreement, Claims, RecordCounts, Rules
from record_tables.networks import Clones, Network, PharmacokineticsTable, ReceptorNetwork
from record_tables.parameters import Fitted, Parameters, Posterior, SoftClaims, Targets
from record_tables.program import Benchmarks, CommandLine
from record_tables.sensitivity import Sensitivity
from record_tables.settings import PrognosisSettings
from record_tables.trials import Dosing, Fields, Mechanisms, Recipes, Regimens, Trial, TrialAgents, Trials

DIRECTIVES: dict[str, Callable[..., Any]] = {
    "parameters": Parameters,
    "claims": Claims,
    "network": Network,
    "receptors-network": ReceptorNetwork,
    "clones": Clones,
    "posterior": Posterior,
    "fitted": Fitted,
    "soft-claims": SoftClaims,
    "targets": Targets,
    "trial": Trial,
    "trials": Trials,
    "recipes": Recipes,
    "regimens": Regimens,
    "trial-agents": TrialAgents,
    "explained-mechanisms": Mechanisms,
    "rules": Rules,
    "pharmacokinetics": PharmacokineticsTable,
    "record-counts": RecordCounts,
    "agreement": Agreement,
    "fields": Fields,
    "dosing": Dosing,
    "command-line": CommandLine,
    "benchmarks": Benchmarks,
    "sensitivity": Sensitivity,
    "prognosis-settings": PrognosisSettings,
    "attributes": Attributes,
    "cell-lines": CellLines,
    "cell-values": CellValues,
    "switches": Switches,
    "no-switches": NoSwitches,
    "actions": Actions,
    "exposures": Exposures,
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives and the bibliography."""
    for name, directive in DIRECTIVES.items():
        app.add_directive(name, directive)
    app.connect("config-inited", write_bibliography, priority=1)
    return {"version": "1", "parallel_read_safe": False, "parallel_write_safe": True}
