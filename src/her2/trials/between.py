"""Between-trial effect: how far trials of one regimen and line differ beyond sampling and parameters.

Two spreads of each kind of statistic: `value` for a figure that the model was fitted to, and `outside`, larger, for
everything else, which holds what the model lacks for a trial it has never met. Both are estimated by
`her2 validate --between-trials` from the figures used for fitting (`her2.validation.between`), and read here by
everything that shows a predictive interval.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field

from her2.evidence.load import DATA, parse, read_yaml, show_path
from her2.evidence.schema import Entry, Identifier
from her2.trials.intervals import Kind

BETWEEN = DATA / "validation" / "between_trials.yaml"


class Spread(Entry):
    """Standard deviation of the between-trial effect on one statistic.

    `without` and `outside_without` hold what the others give, by study whose figures took part: its own intervals are
    made with that.
    """

    statistic: Kind
    scale: Literal["logit", "log"]
    value: float = Field(ge=0.0, allow_inf_nan=False)
    standard_error: float = Field(ge=0.0, allow_inf_nan=False)
    outside: float = Field(ge=0.0, allow_inf_nan=False)
    outside_error: float = Field(ge=0.0, allow_inf_nan=False)
    prior_scale: float = Field(gt=0.0, allow_inf_nan=False)
    figures: int = Field(ge=0)
    trials: int = Field(ge=0)
    quality: Literal["derived", "assumed"]
    source: str
    without: dict[Identifier, float] = {}
    outside_without: dict[Identifier, float] = {}


class BetweenFile(Entry):
    """`data/validation/between_trials.yaml`."""

    posterior_digest: str
    version: str
    method: str
    settings: dict[str, int]
    spreads: tuple[Spread, ...]


def load_between(path: Path = BETWEEN) -> BetweenFile:
    """The estimate that ships with the package.

    Raises
    ------
    her2.errors.RecordError
        If the file is missing or not of this form.
    """
    return _load(path)


@lru_cache(maxsize=2)
def _load(path: Path) -> BetweenFile:
    return parse(BetweenFile, read_yaml(path), show_path(path))


def between_trial_sd(study: str | None = None, *, fitted: bool = False) -> Mapping[Kind, float]:
    """SD of the between-trial effect on the logit of a rate, the log of a median and the log of a hazard ratio.

    Parameters
    ----------
    study : whose trial is predicted; if its figures took part in the estimate, what the others give
    fitted : whether it is of a figure that the model was fitted to
    """
    found: dict[Kind, float] = {}
    for s in load_between().spreads:
        whole, without = (s.value, s.without) if fitted else (s.outside, s.outside_without)
        found[s.statistic] = whole if study is None else without.get(study, whole)
    return found
