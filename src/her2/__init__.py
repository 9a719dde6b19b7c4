"""`her2`: HER2-positive breast cancer made executable.

Research and education only; not medical advice.
The names below load on first use, so that `import her2` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from her2.api import Cell, trial
    from her2.design_study.api import design
    from her2.evidence.load import load_agent, load_claims, load_parameters, load_sources, load_study
    from her2.model import build_model
    from her2.prognosis.predict import predict_patient
    from her2.prognosis.sequences import compare_sequences
    from her2.trials.design import load_trial

_HOMES = {
    "Cell": "her2.api",
    "trial": "her2.api",
    "design": "her2.design_study.api",
    "predict_patient": "her2.prognosis.predict",
    "compare_sequences": "her2.prognosis.sequences",
    "load_trial": "her2.trials.design",
    "build_model": "her2.model",
    "load_agent": "her2.evidence.load",
    "load_claims": "her2.evidence.load",
    "load_parameters": "her2.evidence.load",
    "load_sources": "her2.evidence.load",
    "load_study": "her2.evidence.load",
}

__all__ = [
    "Cell",
    "__version__",
    "build_model",
    "cell",
    "compare_sequences",
    "design",
    "load_agent",
    "load_claims",
    "load_parameters",
    "load_sources",
    "load_study",
    "load_trial",
    "predict_patient",
    "trial",
]


def __getattr__(name: str) -> Any:
    if name == "cell":  # the package, which can be called with the name of a cell line
        return import_module("her2.cell")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'her2' has no attribute '{name}'")
