"""How far a prediction is, for who watches: a stage in words and the share of the whole that is done."""

from __future__ import annotations

from collections.abc import Callable

Watch = Callable[[str, float], None]
"""Called with the stage and the share done, 0 to 1; what it raises stops the prediction."""
Share = Callable[[float], None]


def unwatched(stage: str, share: float) -> None:
    """Nobody watches."""


def unheard(share: float) -> None:
    """Nobody watches this part."""


def portion(watch: Watch, stage: str, low: float, high: float) -> Share:
    """Progress of a part as progress of the whole.

    Parameters
    ----------
    low, high : shares of the whole at which the part begins and ends
    """

    def say(share: float) -> None:
        watch(stage, low + (high - low) * share)

    return say
