"""Pictures of a trial: Kaplan-Meier curves, waterfalls, forests. Nothing is computed here but the curve.

Figures are made with matplotlib's objects, without its global state; matplotlib is imported when a picture
is drawn.
"""

from __future__ import annotations

from her2.trials.pictures.forest import draw_forest
from her2.trials.pictures.kaplan_meier import Curve, Published, ShownContrast, draw_kaplan_meier
from her2.trials.pictures.style import NOTICE, RunKey, render_figure, save_figure
from her2.trials.pictures.waterfall import WaterfallArm, draw_waterfall

__all__ = [
    "NOTICE",
    "Curve",
    "Published",
    "RunKey",
    "ShownContrast",
    "WaterfallArm",
    "draw_forest",
    "draw_kaplan_meier",
    "draw_waterfall",
    "render_figure",
    "save_figure",
]
