"""A made-up record beside the shipped one, and predictive samples without a simulation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml

from her2.evidence.load import DATA, USER_VARIABLE
from her2.trials.intervals import Predictive

EXPERIMENTAL, CONTROL = "docetaxel+pertuzumab+trastuzumab", "docetaxel+trastuzumab"


def normal_sample(kind: str, mean: float, sd: float, n: int = 4001, members: int = 4) -> Predictive:
    """A sample whose quantiles are those of a normal distribution on the working scale."""
    from scipy.stats import norm

    values = norm.ppf((np.arange(n) + 0.5) / n) * sd + mean
    # members in turn, each with the whole spread
    member = np.arange(n) % members
    return Predictive(kind, values, member, np.full(members, mean), 0.0, sd**2, 0.0)


@pytest.fixture
def sample():
    """`normal_sample`."""
    return normal_sample


def figure(endpoint, statistic, role, value, **more):
    """A figure of the made-up study."""
    where = more.get("arm") or f"{more['contrast']['experimental']}_v_{more['contrast']['control']}"
    number = more.pop("number", "")
    unit = {"rate": "fraction", "median": "month", "hr": "ratio"}[statistic]
    return {
        "id": f"invented.{endpoint}.{statistic}.{where}{number}", "endpoint": endpoint, "statistic": statistic,
        "printed": str(value), "value": value, "unit": unit, "role": role, "source": "review_b", "line_start": 1,
        "line_end": 1, **more,
    }  # fmt: skip


PAIR = {"experimental": EXPERIMENTAL, "control": CONTROL}
SECRET = (0.4321, 7.654, 0.777)
"""Values of the made-up held-out figures: they must not show without the flag."""


def invented_study() -> dict:
    """A study in the shape of CLEOPATRA with invented figures."""
    return {
        "id": "invented", "name": "Invented", "setting": "first_line", "status": "completed",
        "arms": [
            {"id": EXPERIMENTAL, "label": "triple", "agents": EXPERIMENTAL.split("+")},
            {"id": CONTROL, "label": "double", "agents": CONTROL.split("+")},
        ],
        "values": [
            figure("orr", "rate", "held_out", SECRET[0], arm=EXPERIMENTAL),
            figure("orr", "rate", "context", 0.61, arm=CONTROL, place="table_1"),
            figure("orr", "rate", "context", 0.62, arm=CONTROL, number=".2"),
            figure("orr", "rate", "fit", 0.63, arm=CONTROL, place="table_1", number=".3"),
            figure("pfs", "median", "held_out", SECRET[1], arm=EXPERIMENTAL, population="mutant PIK3CA"),
            figure("pfs", "median", "fit", 99.0, arm=CONTROL,
                   likely_correct={"value": 12.0, "unit": "month", "reason": "weeks printed as months"}),
            figure("pfs", "hr", "held_out", SECRET[2], contrast=PAIR, ci_low=0.6, ci_high=0.9),
            figure("os", "hr", "context", 1.25, ci_low=1.0, ci_high=2.0,
                   contrast={"experimental": CONTROL, "control": EXPERIMENTAL}),
            figure("os", "median", "context", 30.0, arm=CONTROL, analysis="crossover adjusted"),
            figure("os", "median", "context", 31.0, arm=EXPERIMENTAL, population="left-handed patients"),
        ],
    }  # fmt: skip


@pytest.fixture
def invented(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A trial file of the made-up study, which stands in the user's record; returns the trial file."""
    record = tmp_path / "record"
    (record / "studies").mkdir(parents=True)
    (record / "studies" / "invented.yaml").write_text(yaml.safe_dump(invented_study()), encoding="utf-8")
    monkeypatch.setenv(USER_VARIABLE, str(record))
    text = (DATA / "trials" / "cleopatra.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(text)
    data["id"], data["study"] = "invented", "invented"
    data["endpoints"] = {"primary": "pfs", "reported": ["orr", "pfs", "os"]}
    path = tmp_path / "invented.yaml"
    path.write_text(yaml.safe_dump(data, sort_keys=False), encoding="utf-8")
    return path
