"""What the sequencing rules look at: a patient's clinical state, without any simulation."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class ClinicalState:
    """A patient between two lines of therapy.

    Attributes
    ----------
    setting : 'metastatic', ...
    her2 : 'positive', ...
    lines_completed : metastatic lines so far
    had : agents given so far in the metastatic setting
    year : calendar year, decides what existed; None for the time of the review
    """

    setting: str = "metastatic"
    her2: str = "positive"
    lines_completed: int = 0
    had: frozenset[str] = field(default_factory=frozenset)
    year: int | None = None

    @property
    def line(self) -> int:
        """Number of the coming line."""
        return self.lines_completed + 1

    def after(self, agents: frozenset[str]) -> ClinicalState:
        """The state after one more line with these agents."""
        return ClinicalState(self.setting, self.her2, self.lines_completed + 1, self.had | agents, self.year)
