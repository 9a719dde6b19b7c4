"""Cases and predictions shared by the tests: the model at the values of the record, few virtual patients."""

from __future__ import annotations

import pytest
from small_case import SECOND_LINE, SMALL

from her2.prognosis.predict import predict_patient
from her2.sequencing.state import state_of


@pytest.fixture(scope="session")
def models(model):
    """Two members: the model of the record, and one with faster growth."""
    from her2.model import build_model

    return (model, build_model({"tumour.growth": 1.2 * model.values["tumour.growth"]}))


@pytest.fixture(scope="session")
def second_line():
    """A patient after one line."""
    return state_of(SECOND_LINE, "case")


@pytest.fixture(scope="session")
def predicted(second_line, models):
    """The prediction of that patient, with an option of the user's."""
    return predict_patient(second_line, options=["capecitabine + Herceptin"], models=models, effort=SMALL)
